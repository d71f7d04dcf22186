import type { EventLog, Records } from '../../lambda/fleet/ports.ts'
import type { RingEvent } from '../../lambda/ring/ports.ts'

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
