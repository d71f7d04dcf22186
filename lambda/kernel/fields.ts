import { type ErrorCode, TicketringError } from './errors.ts'

/** Describes a value that was refused without repeating it: it may be a secret. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (typeof value === 'string') return value === '' ? 'an empty string' : `a string of ${value.length}`
  return value === undefined ? 'nothing' : `a ${typeof value}`
}

/** Reads one JSON object whose fields are known: whatever is missing, extra or of another type is refused by name. */
export class Fields {
  readonly #values: Readonly<Record<string, unknown>>
  readonly #what: string
  readonly #code: ErrorCode

  private constructor(values: Readonly<Record<string, unknown>>, what: string, code: ErrorCode) {
    this.#values = values
    this.#what = what
    this.#code = code
  }

  /** @throws TicketringError with `code` unless `value` is an object that has no field beyond `allowed`. */
  static of(value: unknown, what: string, code: ErrorCode, allowed: readonly string[]): Fields {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new TicketringError(code, { wanted: `${what} as a JSON object`, came: kindOf(value) })
    }
    const extra = Object.keys(value).filter((name) => !allowed.includes(name))
    if (extra.length > 0) {
      throw new TicketringError(code, {
        wanted: `${what} with no fields but ${allowed.join(', ')}`,
        came: `the unknown field ${extra.map((name) => JSON.stringify(name.slice(0, 64))).join(', ')}`,
      })
    }
    return new Fields(value as Record<string, unknown>, what, code)
  }

  /** @throws TicketringError `code` if `text` is no JSON, or as {@link Fields.of}. */
  static ofJson(text: string, what: string, code: ErrorCode, allowed: readonly string[]): Fields {
    return Fields.of(parseJson(text, what, code), what, code, allowed)
  }

  has(name: string): boolean {
    return this.#values[name] !== undefined
  }

  raw(name: string): unknown {
    return this.#values[name]
  }

  string(name: string, pattern: RegExp = /./, shape = 'a non-empty string'): string {
    const value = this.#values[name]
    if (typeof value !== 'string' || !pattern.test(value)) this.refuse(name, shape)
    return value as string
  }

  /** As {@link NAME}. */
  name(name: string, shape: string): string {
    return this.string(name, NAME, shape)
  }

  oneOf<T extends string>(name: string, allowed: readonly T[]): T {
    const value = this.#values[name]
    const found = allowed.find((each) => each === value)
    if (found === undefined) this.refuse(name, `one of ${allowed.join(', ')}`, wordOf(value))
    return found as T
  }

  integer(name: string, least: number): number {
    const value = this.#values[name]
    const fits = typeof value === 'number' && Number.isSafeInteger(value) && value >= least
    if (!fits) this.refuse(name, `a whole number of ${least} or more`)
    return value as number
  }

  boolean(name: string): boolean {
    const value = this.#values[name]
    if (typeof value !== 'boolean') this.refuse(name, 'true or false')
    return value as boolean
  }

  /** A point in time in ISO 8601, UTC. */
  time(name: string): Date {
    const value = this.#values[name]
    const time = typeof value === 'string' && ISO_TIME.test(value) ? new Date(value) : new Date(Number.NaN)
    if (Number.isNaN(time.getTime())) this.refuse(name, 'a time such as 2026-11-21T19:00:00.000Z')
    return time
  }

  list<T>(name: string, read: (item: unknown, index: number) => T): readonly T[] {
    const value = this.#values[name]
    if (!Array.isArray(value)) this.refuse(name, 'a list')
    return (value as unknown[]).map(read)
  }

  /**
   * @param came what to say of the value that came; its kind unless told.
   * @throws TicketringError always: says which field was to be what, and what came.
   */
  refuse(name: string, shape: string, came = kindOf(this.#values[name])): never {
    throw new TicketringError(this.#code, {
      wanted: `${this.#what} with "${name}" as ${shape}`,
      came: this.has(name) ? came : 'no such field',
    })
  }
}

/** A word where one of a few was to be: shown, for no secret is chosen from a list; longer text may be a pasted key. */
function wordOf(value: unknown): string {
  return typeof value === 'string' && /^[\w-]{1,32}$/.test(value) ? `"${value}"` : kindOf(value)
}

/** A name of a ring or of a set. */
export const NAME = /^[a-z0-9][a-z0-9-]{0,63}$/
const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/

/** @throws TicketringError with `code` if `text` is no JSON, which is not repeated: it may be a key. */
export function parseJson(text: string, what: string, code: ErrorCode): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's own message quotes the text, which may be a key: it is not kept as a cause.
    throw new TicketringError(code, {
      wanted: `${what} as JSON`,
      came: `${text.length} characters that are none`,
    })
  }
}
