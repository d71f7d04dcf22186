import { describe, expect, it } from 'vitest'
import { parseAuditLine } from '../../../cli/history/audit-line.ts'
import { historyOf, missingIn } from '../../../cli/history/history.ts'
import { historyText, machineText } from '../../../cli/history/history-text.ts'
import { readLog } from '../../../cli/history/log-reader.ts'
import { logRingEvents } from '../../../lambda/handlers/event-log.ts'
import { converged, HOUR, REVOKE, TIMING, type World } from '../../fakes/world.ts'

/** What the function wrote of what it did, as its log has it, and what was made of it. */
function historyIn({ eventLog, clock }: World, more: readonly object[] = []) {
  const lines = more.map((line) => JSON.stringify(line))
  const log = logRingEvents(
    'edge',
    () => clock.now(),
    (line) => lines.push(line),
    'r-1',
  )
  for (const entry of eventLog.entries) log.record(entry)
  return historyOf(lines.flatMap((line) => parseAuditLine(line) ?? []))
}

describe('a log with lines that the function did not write so', () => {
  const line = {
    kind: 'committed',
    generation: 1,
    encryptsWith: 'a',
    at: '2026-11-27T10:00:00.000Z',
    lineage: 'l',
  }
  const parsed = (more: object) => parseAuditLine(JSON.stringify({ ...line, ...more }))

  it.each([
    ['a time of another zone', { at: '2026-11-27T10:00:00.000+02:00' }],
    ['a time that is none', { at: '2026-99-27T10:00:00.000Z' }],
    ['a lineage that is no text', { lineage: {} }],
    ['an origin that is no text', { origin: ['revoke'] }],
    ['a generation below 0', { generation: -1 }],
  ])('passes over %s', (_, more) => {
    expect(parsed({})).toBeDefined()
    expect(parsed(more)).toBeUndefined()
  })

  it('names no more of a gap than can be told', () => {
    const lines = [parsed({}), parsed({ generation: Number.MAX_SAFE_INTEGER, encryptsWith: 'b' })]
    const missing = missingIn(historyOf(lines.flatMap((each) => each ?? [])))
    expect([missing[0], missing.length]).toEqual([2, 1000])
  })
})

describe('the history of a ring', () => {
  it('has a first generation proved by those that joined, and until then by none', async () => {
    const world = await converged([])
    const [alone] = historyIn(world)
    expect(historyText('edge', alone === undefined ? [] : [alone], [])).toContain(
      'no machine was there to prove it at ',
    )
    world.fleet.join('i-1', false)
    await world.pass(HOUR)
    const [joined] = historyIn(world)
    expect(joined?.converged).toMatchObject({ confirmed: 1, members: 1 })
  })

  it('has each generation: its key, who asked for it, and who proved it', async () => {
    const world = await converged()
    world.eventLog.entries.length = 0
    await world.invoke({ ...REVOKE, reason: 'laptop stolen' })
    const call = { kind: 'invoked', requestId: 'r-1', caller: 'not told by Lambda', callerSays: 'ada' }
    const [revoked, ...others] = historyIn(world, [call])
    const { lineage, current, generation } = world.ring()
    expect(others).toEqual([])
    expect(revoked).toMatchObject({
      lineage,
      generation,
      encryptsWith: current.name,
      origin: 'revoke',
      forced: false,
      asked: { caller: 'not told by Lambda', callerSays: 'ada', requestId: 'r-1', reason: 'laptop stolen' },
      converged: { confirmed: 3, members: 3 },
      machines: ['i-1', 'i-2', 'i-3'].map((instance) => ({ instance, from: expect.any(String) })),
    })
    expect(historyText('edge', [revoked as NonNullable<typeof revoked>], [])).toMatch(
      /^edge: 1 generation, the newest first\ngeneration 2 {2}[0-9a-f]{32}\n {2}REVOKED at \S+ by ada\n {2}reason: laptop stolen\n {2}proved by 3 of 3 at \S+\n {2}3 machines: since \S+$/,
    )
  })

  it('ends the time of a machine with a key where it told the next one', async () => {
    const world = await converged()
    world.clock.advance(TIMING.every)
    await world.scheduled()
    const [first, second] = historyIn(world)
    const began = (generation: typeof first) =>
      generation?.machines.find(({ instance }) => instance === 'i-2')
    expect(began(first)?.to).toBe(began(second)?.from)
    expect(began(second)).not.toHaveProperty('to')
    const text = machineText(
      'i-2',
      [first, second].flatMap((each) => each ?? []),
    )
    expect(text).toMatch(/^i-2\ngeneration 2 .*\n {2}since \S+\ngeneration 1 .*\n {2}\S+ to \S+$/)
  })

  it('says of a generation that only maxKeyAge let pass that it was forced', async () => {
    const world = await converged()
    for (const instance of world.fleet.instances.slice(0, 2)) instance.conduct = 'fail'
    world.clock.advance(TIMING.every)
    await world.scheduled()
    world.clock.advance(TIMING.maxKeyAge)
    await world.scheduled()
    const forced = historyIn(world).at(-1)
    expect(forced).toMatchObject({ forced: true })
    expect(historyText('edge', forced === undefined ? [] : [forced], [])).toContain(
      'FORCED, though machines were missing',
    )
  })

  it('counts a machine once for a generation that it told twice, from the first time on', () => {
    const held = { kind: 'held-by', instance: 'i-1', generation: 2, encryptsWith: 'aa' } as const
    const [only] = historyOf([
      { ...held, since: '2026-11-27T11:00:00.000Z' },
      { ...held, since: '2026-11-27T10:00:00.000Z' },
    ])
    expect(only?.machines).toEqual([{ instance: 'i-1', from: '2026-11-27T10:00:00.000Z' }])
  })

  it('names the generations that the log has nothing of', () => {
    const commit = (generation: number, lineage = 'l') => {
      const at = new Date(generation * 1000).toISOString()
      return { kind: 'committed', at, lineage, generation, encryptsWith: `k${generation}` } as const
    }
    const gap = historyOf([commit(3), commit(6), commit(7)])
    expect(missingIn(gap)).toEqual([4, 5])
    expect(historyText('edge', gap, [4, 5])).toContain('\nNOT IN THE LOG: generation 4, 5')
    expect(missingIn(historyOf([commit(3), commit(8, 'another')]))).toEqual([])
  })

  it.each([
    '',
    'no JSON',
    '[]',
    '{"kind":"held-by"}',
    '{"kind":"committed","generation":"2","at":"x","encryptsWith":"a"}',
  ])('passes over %j, which is no line of it', (text) => {
    expect(parseAuditLine(text)).toBeUndefined()
  })
})

describe('reading the log', () => {
  const query = { group: 'g', from: 0, to: 1, kinds: ['committed'] }
  const line = (text: string) => ({ at: 7, text })

  it('goes through all pages, also those that have nothing, and says how far it is', async () => {
    const pages = [
      { lines: [line('a')], next: '1' },
      { lines: [], next: '2' },
      { lines: [line('b')], next: undefined },
    ]
    const seen: number[] = []
    const readPage = async (_: object, token = '0') => pages[Number(token)] as (typeof pages)[0]
    expect(await readLog(query, readPage, (lines) => seen.push(lines))).toEqual(['a', 'b'])
    expect(seen).toEqual([1, 1, 2])
  })

  it('ends where a log has no end', async () => {
    let asked = 0
    const endless = async () => ({ lines: [line('a')], next: `${++asked}` })
    await expect(readLog(query, endless, () => {})).rejects.toThrow('The log has more than 2000 pages of it')
  })
})
