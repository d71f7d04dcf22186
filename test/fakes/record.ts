import type { Clock, EventLog, Records } from '../../lambda/fleet/ports.ts'
import type { TicketringError } from '../../lambda/kernel/errors.ts'
import type { CalendarState, Calendars, Controls, RingEvent, StoredControl } from '../../lambda/ring/ports.ts'

/** A parameter in memory: as Parameter Store does, it takes no value with a reference to another. */
export class MemoryRecord implements Records {
  text: string | undefined

  async read(): Promise<string | undefined> {
    return this.text
  }

  async write(text: string): Promise<void> {
    if (/\{\{.*\}\}/s.test(text)) throw new RangeError(`a reference to another parameter in ${text}`)
    this.text = text
  }
}

/** The control parameter in memory, with its versions. */
export class MemoryControls implements Controls {
  readonly versions: StoredControl[] = []
  readonly #clock: Pick<Clock, 'now'>

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock
  }

  async read(): Promise<StoredControl | undefined> {
    return this.versions.at(-1)
  }

  async earlier(version: number): Promise<StoredControl | undefined> {
    return this.versions[version - 1]
  }

  async write(text: string, after: number): Promise<number | undefined> {
    return after === 0 && this.versions.length > 0 ? undefined : this.put(text)
  }

  /** As a person writes it. */
  put(text: string): number {
    const version = this.versions.length + 1
    this.versions.push({ text, version, modifiedAt: this.#clock.now() })
    return version
  }
}

/** Change Calendars in memory, all in one state. */
export class MemoryCalendars implements Calendars {
  now: CalendarState = { state: 'open' }
  refusal: TicketringError | undefined
  /** What was asked for, in order. */
  readonly asked: (readonly string[])[] = []

  async state(names: readonly string[]): Promise<CalendarState> {
    this.asked.push(names)
    if (this.refusal !== undefined) throw this.refusal
    return this.now
  }
}

/** Keeps what was recorded. */
export class ListedEvents implements EventLog<RingEvent> {
  readonly entries: RingEvent[] = []

  record(entry: RingEvent): void {
    this.entries.push(entry)
  }

  of<K extends RingEvent['kind']>(kind: K): Extract<RingEvent, { kind: K }>[] {
    return this.entries.filter((entry): entry is Extract<RingEvent, { kind: K }> => entry.kind === kind)
  }
}
