import { TicketringError } from './errors.ts'

/** One thing that is wrong with a configuration, and where. */
interface Problem {
  /** Where it stands, such as `rings[0].rotation.every`. */
  readonly path: string
  readonly wanted: string
  readonly came: string
}

/** Collects every problem of one configuration, so that its author hears of all of them at once. */
export class Inspection {
  readonly #problems: Problem[] = []

  note(path: string, wanted: string, came: unknown): void {
    this.#problems.push({ path, wanted, came: shown(came) })
  }

  hasProblemsBelow(path: string): boolean {
    return this.#problems.some((problem) => problem.path.startsWith(path))
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

/** Where a value stands in a configuration, so that what reads it can say what is wrong with it. */
export class Place {
  readonly #inspection: Inspection
  readonly path: string

  constructor(inspection: Inspection, path: string) {
    this.#inspection = inspection
    this.path = path
  }

  /** A field of the object, or an item of the list, that stands here. */
  at(step: string | number): Place {
    return new Place(this.#inspection, `${this.path}${typeof step === 'number' ? `[${step}]` : `.${step}`}`)
  }

  /** The same place where nothing is noted any more: what is wrong with an object says it all of its fields. */
  unheard(): Place {
    return new Place(new Inspection(), this.path)
  }

  note(wanted: string, came: unknown): void {
    this.#inspection.note(this.path, wanted, came)
  }

  isSound(): boolean {
    return !this.#inspection.hasProblemsBelow(this.path)
  }
}

/** A configuration holds no secrets, so what came is shown, cut to a readable length. */
function shown(value: unknown): string {
  if (value === undefined) return 'nothing'
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 80 ? `${text.slice(0, 77)}…` : text
}
