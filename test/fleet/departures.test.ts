import { describe, expect, it } from 'vitest'
import { withDepartures } from '../../lambda/fleet/departures.ts'
import type { Fleet } from '../../lambda/fleet/membership.ts'
import type { FleetEvent, ResultPage } from '../../lambda/fleet/ports.ts'
import { ManualClock } from '../fakes/clock.ts'
import { delivered, fleetOf, membersOf, START, TARGET } from './deliveries.ts'

const CARRIED = { baseline: { members: 6, at: START } }
const FEW = fleetOf(membersOf(2))
const answered = (from: number, to: number) =>
  membersOf(to)
    .slice(from - 1)
    .map(({ id }) => ({ id, status: 'Success', output: '' }))

/** Asks what became of a fleet of six whose machines `i-1` to `i-6` two commands named, on three pages. */
async function ask(fleet: Fleet, { target = {}, remaining = 300_000, listed = 1, isSent = true } = {}) {
  const pages: Record<string, ResultPage> = {
    'c-1': { invocations: answered(1, 3), next: 'more' },
    'c-1 more': { invocations: answered(3, 5) },
    'c-2': { invocations: answered(6, 6) },
  }
  const [asked, events]: [string[], FleetEvent[]] = [[], []]
  const clock = new ManualClock(START.toISOString())
  clock.allow(remaining)
  const results = async (command: string, page?: string) =>
    pages[page === undefined ? command : `${command} ${page}`] ?? expect.unreachable()
  const countListed = async (ids: readonly string[]) => {
    asked.push(...ids)
    if (listed < 0) throw new Error('no list')
    return listed
  }
  const ports = {
    inventory: { members: () => expect.unreachable(), countListed },
    sender: { results },
    clock,
    eventLog: { record: (event: FleetEvent) => void events.push(event) },
    configuration: { target: { ...TARGET, ...target } },
  }
  const commands = ['c-1', 'c-2'].map((id) => ({ id, sentAt: START, judged: true }))
  const delivery = delivered(membersOf(6), [], { commands })
  const after = await withDepartures(
    ports,
    fleet,
    isSent ? { delivery, carried: CARRIED } : { carried: CARRIED },
  )
  return { after, asked, events }
}

describe('where a fleet has shrunk too far', () => {
  it('those that the last commands named and the roll call does not are asked about', async () => {
    const { after, asked } = await ask(FEW)
    expect(asked).toEqual(['i-3', 'i-4', 'i-5', 'i-6'])
    expect(after).toEqual({ ...FEW, left: { untagged: 1, ended: 3 } })
  })

  it('what cannot be asked is not known, and is on the log', async () => {
    const { after, events } = await ask(FEW, { listed: -1 })
    expect(after).toBe(FEW)
    expect(events).toEqual([
      { kind: 'trouble', during: 'asking who left the fleet', detail: 'Error: no list' },
    ])
  })

  it('nothing is asked where that would leave too little time', async () => {
    // 20 s for the record, and two looks at a page of 200 ms.
    expect((await ask(FEW, { remaining: 20_400 })).after).toHaveProperty('left')
    const { after, asked, events } = await ask(FEW, { remaining: 20_399 })
    expect([after, asked]).toEqual([FEW, []])
    expect(events).toMatchObject([{ detail: 'RangeError: there is no time to ask' }])
  })
})

describe('nothing is asked', () => {
  it.each([
    ['of a fleet that is large enough', fleetOf(membersOf(3)), {}],
    ['of one that cannot be read', { known: false, refusal: 'x' }, {}],
    ['where a least number is set', FEW, { target: { minInstances: 5 } }],
    ['where nothing was ever sent', FEW, { isSent: false }],
  ] as const)('%s', async (_, fleet, options) => {
    const { after, asked, events } = await ask(fleet, options)
    expect(after).toBe(fleet)
    expect([asked, events]).toEqual([[], []])
  })
})
