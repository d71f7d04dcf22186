import { TicketringError } from '../../lambda/kernel/errors.ts'

/** One thing that is wrong with a configuration, and where. */
export interface Problem {
  /** Where it stands, such as `rings[0].rotation.every`. */
  readonly path: string
  readonly wanted: string
  readonly came: string
}

/** Collects every problem of one configuration, so that its author hears of all of them at once. */
export class Inspection {
  readonly #problems: Problem[] = []

  get problems(): readonly Problem[] {
    return this.#problems
  }

  note(path: string, wanted: string, came: unknown): void {
    this.#problems.push({ path, wanted, came: shown(came) })
  }

  hasProblemsBelow(path: string): boolean {
    return this.#problems.some((problem) => problem.path.startsWith(path))
  }

  /** Reads `value` as an object with no fields beyond `known`; what is none reads as an empty one. */
  section(path: string, value: unknown, known: readonly string[]): Section {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.note(path, `an object with ${known.join(', ')}`, value)
      return new Section(this, path, undefined)
    }
    for (const name of Object.keys(value)) {
      if (!known.includes(name)) this.note(`${path}.${name}`, `no field but ${known.join(', ')}`, name)
    }
    return new Section(this, path, value as Record<string, unknown>)
  }

  /** Notes each item of the list at `path` whose name another one before it has. `field`: where an item has it. */
  refuseRepeated(path: string, names: readonly string[], field = '.name'): void {
    names.forEach((name, index) => {
      const first = names.indexOf(name)
      if (name === '' || first === index) return
      this.note(`${path}[${index}]${field}`, `a name other than that of ${path}[${first}]`, name)
    })
  }

  /** @throws TicketringError `configuration-invalid` that lists every problem noted so far, if there is one. */
  settle(what: string): void {
    if (this.#problems.length === 0) return
    const lines = this.#problems.map(
      ({ path, wanted, came }) => `\n  - ${path}: wanted ${wanted}; got ${came}`,
    )
    throw new TicketringError('configuration-invalid', {
      wanted: what,
      came: `${lines.length} problem${lines.length === 1 ? '' : 's'}:${lines.join('')}`,
    })
  }
}

/**
 * One object of the configuration. A field that is refused is noted and read as a placeholder that breaks no
 * further rule ('' or NaN: every comparison with NaN is false); {@link Inspection.settle} keeps it from all that would use it.
 */
export class Section {
  readonly #inspection: Inspection
  readonly #values: Readonly<Record<string, unknown>> | undefined
  readonly path: string

  constructor(inspection: Inspection, path: string, values: Readonly<Record<string, unknown>> | undefined) {
    this.#inspection = inspection
    this.path = path
    this.#values = values
  }

  has(name: string): boolean {
    return this.raw(name) !== undefined
  }

  raw(name: string): unknown {
    return this.#values?.[name]
  }

  at(name: string): string {
    return `${this.path}.${name}`
  }

  text(name: string, rule: Rule, wanted: string, fallback?: string): string {
    const value = this.raw(name) ?? fallback
    return typeof value === 'string' && fits(rule, value) ? value : this.refuse(name, wanted, '')
  }

  flag(name: string): boolean {
    const value = this.raw(name)
    return typeof value === 'boolean' ? value : this.refuse(name, 'true or false', false)
  }

  integer(name: string, least: number): number {
    const value = this.raw(name)
    const fits = typeof value === 'number' && Number.isSafeInteger(value) && value >= least
    return fits ? value : this.refuse(name, `a whole number of ${least} or more`, Number.NaN)
  }

  oneOf<T extends string | number>(name: string, allowed: readonly [T, ...T[]], fallback: T): T {
    const value = this.raw(name) ?? fallback
    return (
      allowed.find((each) => each === value) ?? this.refuse(name, `one of ${allowed.join(', ')}`, allowed[0])
    )
  }

  /** A duration such as `90m`, or in whole seconds; in seconds. */
  duration(name: string, fallback: number): number {
    const value = this.raw(name)
    if (value === undefined) return fallback
    const seconds = typeof value === 'string' ? secondsOf(value) : wholeSeconds(value)
    return seconds ?? this.refuse(name, 'a duration such as 90s, 30m, 4h or 1d', Number.NaN)
  }

  /** A list of `least` to `most` items. */
  list<T>(
    name: string,
    { least, most, of }: { least: number; most: number; of: string },
    read: (item: unknown, path: string) => T,
  ): readonly T[] {
    const value = this.raw(name)
    if (!Array.isArray(value) || value.length < least || value.length > most) {
      const upTo = most === Number.POSITIVE_INFINITY ? ' or more' : ` to ${most}`
      return this.refuse(name, `a list of ${least}${least === most ? '' : upTo} ${of}`, [])
    }
    return value.map((item, index) => read(item, `${this.at(name)}[${index}]`))
  }

  texts(name: string, rule: Rule, size: { least: number; most: number; of: string }): readonly string[] {
    return this.list(name, size, (item, path) => {
      if (typeof item === 'string' && fits(rule, item)) return item
      this.#inspection.note(path, size.of, item)
      return ''
    })
  }

  section(name: string, known: readonly string[], fallback?: object): Section {
    // What is wrong with the parent says it all: its missing children are no further problems.
    if (this.#values === undefined) return new Section(this.#inspection, this.at(name), undefined)
    return this.#inspection.section(this.at(name), this.raw(name) ?? fallback, known)
  }

  refuse<T>(name: string, wanted: string, placeholder: T): T {
    if (this.#values !== undefined) this.#inspection.note(this.at(name), wanted, this.raw(name))
    return placeholder
  }
}

/** What a text must be. */
type Rule = RegExp | ((text: string) => boolean)

function fits(rule: Rule, text: string): boolean {
  return rule instanceof RegExp ? rule.test(text) : rule(text)
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }

function wholeSeconds(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : undefined
}

function secondsOf(text: string): number | undefined {
  const [, count, unit] = /^([1-9]\d{0,6})([smhd])$/.exec(text) ?? []
  return count === undefined || unit === undefined ? undefined : Number(count) * (UNITS[unit] ?? Number.NaN)
}

/** The inverse of reading a duration: seconds in the largest unit that divides them, as in `4h`. */
export function durationText(seconds: number): string {
  const [unit, size] = Object.entries(UNITS).findLast(([, each]) => seconds % each === 0) ?? ['s', 1]
  return `${seconds / size}${unit}`
}

/** A configuration holds no secrets, so what came is shown, cut to a readable length. */
function shown(value: unknown): string {
  if (value === undefined) return 'nothing'
  const text = JSON.stringify(value)
  return text.length > 80 ? `${text.slice(0, 77)}…` : text
}

/** Freezes a value to its last field. */
export function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(freeze)
  return Object.freeze(value)
}
