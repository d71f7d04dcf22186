import type { Journal, Records } from '../../lambda/fleet/ports.ts'
import type { JournalEntry } from '../../lambda/ring/ports.ts'

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
export class ListedJournal implements Journal<JournalEntry> {
  readonly entries: JournalEntry[] = []

  record(entry: JournalEntry): void {
    this.entries.push(entry)
  }

  of<K extends JournalEntry['kind']>(kind: K): Extract<JournalEntry, { kind: K }>[] {
    return this.entries.filter((entry): entry is Extract<JournalEntry, { kind: K }> => entry.kind === kind)
  }
}
