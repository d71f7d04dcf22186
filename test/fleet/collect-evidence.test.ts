import { describe, expect, it } from 'vitest'
import { collectEvidence, reserveFor } from '../../lambda/fleet/collect-evidence.ts'
import type { DeliveryState } from '../../lambda/fleet/delivery-state.ts'
import type { Evidence, Heard, Invocation } from '../../lambda/fleet/evidence.ts'
import type { FleetEvent, ResultPage } from '../../lambda/fleet/ports.ts'
import { ManualClock } from '../fakes/clock.ts'
import { delivered, failed, fleetOf, instant, membersOf, unheard } from './deliveries.ts'

const FLEET = membersOf(3)
const said = (id: string, output = 'held'): Invocation => ({ id, status: 'Success', output })
const sent = (id: string, judged: boolean, at = 0) => ({ id, sentAt: instant(at), judged })

interface Answers {
  /** By command, and by the page before where it is not the first. */
  readonly pages?: Readonly<Record<string, ResultPage | Error>>
  readonly each?: Readonly<Record<string, Invocation | undefined>>
  readonly remaining?: number
  readonly at?: number
}

/** Hears what machines said; each call is written down. */
async function collect(
  delivery: DeliveryState,
  { pages = {}, each = {}, remaining = 300_000, at = 60 }: Answers,
  fleet = fleetOf(FLEET),
) {
  const [calls, events]: [string[], FleetEvent[]] = [[], []]
  const noted: { ids: readonly string[]; holders: ReadonlySet<string> | undefined }[] = []
  const clock = new ManualClock(instant(at).toISOString())
  clock.allow(remaining)
  const found = await collectEvidence<Heard>(
    {
      sender: {
        results: async (command, page) => {
          const key = page === undefined ? command : `${command} ${page}`
          calls.push(key)
          const answer = pages[key] ?? expect.unreachable(key)
          if (answer instanceof Error) throw answer
          return answer
        },
        resultOf: async (command, id) => {
          calls.push(`${command}/${id}`)
          return each[`${command}/${id}`]
        },
      },
      clock,
      eventLog: { record: (event) => void events.push(event) },
    },
    delivery,
    fleet,
    {
      judge: ({ output }) =>
        output === 'held'
          ? { confirmed: true }
          : { confirmed: false, code: output, detail: '', spoke: true, ran: true },
      note: (verdicts, holders) => void noted.push({ ids: [...verdicts.keys()], holders }),
    },
  )
  return { ...found, calls, events, noted }
}

const holding = (evidence: Evidence<Heard>) =>
  [...evidence].flatMap(([id, { confirmed }]) => (confirmed ? [id] : [])).toSorted()

describe('what a command brought', () => {
  const open = (changes: Partial<DeliveryState> = {}) =>
    delivered(
      FLEET,
      FLEET.map(({ id }) => unheard(id)),
      { commands: [sent('c-1', false)], attempts: 1, ...changes },
    )

  it('is read page by page, noted, and judged from then on', async () => {
    const pages = {
      'c-1': { invocations: [said('i-1'), said('i-2', 'reload-failed')], next: 'p-2' },
      'c-1 p-2': { invocations: [said('i-3')] },
    }
    const { evidence, commands, whole, noted, calls } = await collect(open(), { pages })
    expect(calls).toEqual(['c-1', 'c-1 p-2'])
    expect(holding(evidence)).toEqual(['i-1', 'i-3'])
    expect(evidence.get('i-2')).toMatchObject({ code: 'reload-failed' })
    expect([commands, whole]).toEqual([[sent('c-1', true)], true])
    expect(noted).toEqual([{ ids: ['i-1', 'i-2', 'i-3'], holders: new Set() }])
  })

  it('is read on from where an earlier run came to', async () => {
    const reading = { command: 'c-1', next: 'p-2' }
    const pages = { 'c-1 p-2': { invocations: [said('i-3')], next: 'p-2' } }
    const { calls, whole, ...found } = await collect(open({ reading }), { pages })
    // A page that names itself as the next is the last.
    expect([calls, whole]).toEqual([['c-1 p-2'], true])
    expect(found).not.toHaveProperty('reading')
    const other = { reading: { command: 'c-0', next: 'p-9' } }
    expect((await collect(open(other), { pages: { 'c-1': { invocations: [] } } })).calls).toEqual(['c-1'])
  })

  it('is left where time runs out, and the rest is for a later run', async () => {
    const pages = {
      'c-1': { invocations: [said('i-1')], next: 'p-2' },
      'c-1 p-2': { invocations: [said('i-2')] },
    }
    const enough = reserveFor(fleetOf(FLEET), 1)
    const short = await collect(open(), { pages, remaining: enough - 1 })
    expect(short).toMatchObject({ whole: false, reading: { command: 'c-1', next: 'p-2' }, calls: ['c-1'] })
    expect(short.commands).toEqual([sent('c-1', false)])
    expect(holding(short.evidence)).toEqual(['i-1'])
    expect((await collect(open(), { pages, remaining: enough })).whole).toBe(true)
    const last = { 'c-1': { invocations: [said('i-1')] } }
    expect((await collect(open(), { pages: last, remaining: 0 })).whole).toBe(true)
  })

  it('that cannot be read is read later, from the page that could not be, for an hour', async () => {
    const pages = { 'c-1': { invocations: [said('i-1')], next: 'p-2' }, 'c-1 p-2': new Error('slow down') }
    const { reading, whole, evidence, events } = await collect(open(), { pages, at: 3600 })
    expect([reading, whole]).toEqual([{ command: 'c-1', next: 'p-2' }, false])
    expect(holding(evidence)).toEqual(['i-1'])
    expect(events).toEqual([{ kind: 'trouble', during: 'reading the results of c-1', detail: 'slow down' }])
    expect((await collect(open(), { pages, at: 3601 })).whole).toBe(true)
    const first = await collect(open(), { pages: { 'c-1': new Error('no') } })
    expect(first).not.toHaveProperty('reading')
  })

  it('and cannot be read leaves the commands before it for later as well', async () => {
    const commands = [sent('c-1', false), sent('c-2', false, 9)]
    const { calls, ...found } = await collect(open({ commands }), { pages: { 'c-2': new Error('no') } })
    expect(calls).toEqual(['c-2'])
    expect(found.commands).toEqual(commands)
  })
})

describe('who was known to hold it', () => {
  it('is not asked again', async () => {
    const delivery = delivered(FLEET, [failed('i-2'), unheard('i-3')], { commands: [sent('c-1', true)] })
    const { evidence, calls, noted } = await collect(delivery, {})
    expect([calls, noted]).toEqual([[], []])
    expect(holding(evidence)).toEqual(['i-1'])
    expect(evidence.get('i-2')).toMatchObject({ code: 'reload-failed', spoke: true, ran: true })
    expect(evidence.get('i-3')).toMatchObject({ spoke: false, ran: false })
  })

  it('keeps that through the silence of a later command', async () => {
    const commands = [sent('c-1', true), sent('c-2', false, 9)]
    const delivery = delivered(FLEET, [unheard('i-3')], { commands, attempts: 2 })
    const { evidence, calls, noted } = await collect(delivery, {
      pages: { 'c-2': { invocations: [said('i-3')] } },
    })
    expect(calls).toEqual(['c-2'])
    expect(holding(evidence)).toEqual(['i-1', 'i-2', 'i-3'])
    expect(noted).toEqual([{ ids: ['i-3'], holders: new Set(['i-1', 'i-2']) }])
  })
})

describe('where it is not known who held it', () => {
  const joined = fleetOf([...FLEET, { id: 'i-4', online: true }])
  const commands = [sent('c-1', true), sent('c-2', true, 9)]
  const stale = delivered(FLEET, [], { commands, attempts: 2 })

  it('one machine that is missing is asked alone, newest command first, until it is found', async () => {
    const pages = { 'c-2': { invocations: FLEET.map(({ id }) => said(id)) } }
    const each = { 'c-1/i-4': said('i-4') }
    const found = await collect(stale, { pages, each }, joined)
    expect(found.calls).toEqual(['c-2', 'c-1/i-4'])
    expect(holding(found.evidence)).toEqual(['i-1', 'i-2', 'i-3', 'i-4'])
    expect([found.noted, found.whole, found.commands]).toEqual([[], true, commands])
  })

  it('older commands are not asked once none is missing', async () => {
    const pages = { 'c-2': { invocations: joined.members.map(({ id }) => said(id)) } }
    expect((await collect(stale, { pages }, joined)).calls).toEqual(['c-2'])
  })

  it('more machines than pages are asked for by pages', async () => {
    const pages = {
      'c-2': { invocations: [said('i-1'), said('i-2')] },
      'c-1': { invocations: [said('i-3'), said('i-4')] },
    }
    const found = await collect(stale, { pages }, joined)
    expect(found.calls).toEqual(['c-2', 'c-1'])
    expect(holding(found.evidence)).toEqual(['i-1', 'i-2', 'i-3', 'i-4'])
  })

  it('it is gone on later where time runs out before the last of them', async () => {
    // Sixty machines are two pages: so two that are missing are asked alone.
    const large = fleetOf(membersOf(60))
    const two = delivered([], [], { commands: [sent('c-1', true), sent('c-2', true)], attempts: 2 })
    const pages = { 'c-2': { invocations: large.members.slice(2).map(({ id }) => said(id)) } }
    const each = { 'c-1/i-1': said('i-1') }
    const enough = reserveFor(large, 1)
    const short = await collect(two, { pages, each, remaining: enough - 1 }, large)
    expect(short.calls).toEqual(['c-2', 'c-1/i-1'])
    expect(short).toMatchObject({ whole: false, commands: [sent('c-1', false), sent('c-2', true)] })
    const whole = await collect(two, { pages, each, remaining: enough }, large)
    expect(whole.calls).toEqual(['c-2', 'c-1/i-1', 'c-1/i-2'])
    expect(holding(whole.evidence)).toHaveLength(59)
    const last = { 'c-2': { invocations: large.members.slice(1).map(({ id }) => said(id)) } }
    expect((await collect(two, { pages: last, each, remaining: enough - 1 }, large)).whole).toBe(true)
  })

  it('of a fleet that cannot be read nothing older is asked', async () => {
    const refused = { known: false, refusal: 'x' } as never
    expect((await collect(stale, {}, refused)).calls).toEqual([])
  })
})

it('time is kept back for the record, and for each page of so many looks', () => {
  const reserve = (count: number, looks: number) => reserveFor(fleetOf(membersOf(count)), looks)
  expect([reserve(50, 1), reserve(51, 1), reserve(50, 2), reserve(0, 2)]).toEqual([
    20_200, 20_400, 20_400, 20_000,
  ])
  expect(reserveFor({ known: false, refusal: 'x' }, 2)).toBe(20_000)
})
