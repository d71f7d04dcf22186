import { expect, it } from 'vitest'
import type { FleetEvent } from '../../lambda/fleet/ports.ts'
import { readRecordBy } from '../../lambda/fleet/read-record.ts'
import { TicketringError } from '../../lambda/kernel/errors.ts'

const MALFORMED = new TicketringError('record-malformed', { wanted: 'a record', came: 'another text' })

async function read(text: string | undefined, parse: (text: string) => unknown) {
  const events: FleetEvent[] = []
  const eventLog = { record: (event: FleetEvent) => void events.push(event) }
  const found = await readRecordBy({ records: { read: async () => text }, eventLog }, parse)
  return { found, events }
}

it.each([MALFORMED, new TypeError('undefined has no length')])(
  'a record that cannot be read is none, and on the log: %s',
  async (error) => {
    const { found, events } = await read('{', () => {
      throw error
    })
    expect(found).toBeUndefined()
    expect(events).toMatchObject([{ kind: 'trouble', detail: error.message }])
  },
)

it('where nothing is on record nothing is parsed, and what is, is given', async () => {
  expect(await read(undefined, () => expect.unreachable())).toEqual({ found: undefined, events: [] })
  expect(await read('7', Number)).toEqual({ found: 7, events: [] })
})

it('a store that cannot be reached is no missing record', async () => {
  const read = () => Promise.reject(new Error('no way'))
  await expect(readRecordBy({ records: { read }, eventLog: { record: () => {} } }, String)).rejects.toThrow(
    'no way',
  )
})
