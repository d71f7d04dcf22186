import { TicketringError } from '../../lambda/kernel/errors.ts'
import type { StapleStore, Stored } from '../../lambda/staples/ports.ts'

/** Parameters with their versions, in memory; held to the same contract suite as the real adapter. */
export class MemoryStaples implements StapleStore {
  readonly versions = new Map<string, string[]>()
  writes = 0

  async read(ids: readonly string[]): Promise<ReadonlyMap<string, Stored>> {
    return new Map(
      ids.flatMap((id) => {
        const texts = this.versions.get(id) ?? []
        const text = texts.at(-1)
        return text === undefined ? [] : [[id, { text, version: texts.length }] as const]
      }),
    )
  }

  async earlier(id: string, version: number): Promise<string | undefined> {
    return this.versions.get(id)?.[version - 1]
  }

  async write(id: string, text: string, after: number): Promise<number> {
    if (/\{\{.*\}\}/s.test(text))
      throw new TicketringError('aws-refused', {
        wanted: `to write ${id}`,
        came: 'ValidationException: a reference',
      })
    const texts = this.versions.get(id) ?? []
    if (after === 0 && texts.length > 0)
      throw new TicketringError('staple-contended', {
        wanted: `to create ${id}`,
        came: 'ParameterAlreadyExists',
      })
    this.versions.set(id, [...texts, text])
    this.writes += 1
    return texts.length + 1
  }
}
