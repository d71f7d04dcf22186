import { describe, expect, it } from 'vitest'
import { membershipOf } from '../../lambda/fleet/membership.ts'
import { serialiseLine } from '../../lambda/fleet/result-line.ts'
import { progressTowards } from '../../lambda/staples/deliver.ts'
import {
  type DeliveryProgress,
  decideStapleDelivery,
  judgeStaples,
  messageFor,
} from '../../lambda/staples/delivery-decision.ts'
import {
  changesOf,
  desiredDigest,
  desiredOf,
  type StapleDelivery,
  unsent,
} from '../../lambda/staples/delivery-record.ts'
import { digestOf, type StapleEntry } from '../../lambda/staples/entry.ts'
import { MOST_CERTIFICATES, messageOf } from '../../lambda/staples/message.ts'
import type { StapleLine } from '../../lambda/staples/result-line.ts'
import { STAPLE_TIMING, StapleWorld } from '../fakes/staple-world.ts'

const NOW = new Date('2026-11-21T00:00:00.000Z')
const MEMBERS = ['i-1', 'i-2'].map((id) => ({ id, online: true }))
const FLEET = { known: true, members: MEMBERS } as const
const BEFORE = new Map([
  ['a', '1'],
  ['b', '2'],
])
const AFTER = new Map([
  ['a', '1'],
  ['b', '3'],
])
const CHANNEL = { target: { tag: 'ticketring', values: ['edge'] }, timing: STAPLE_TIMING }

function delivered(changes: Partial<StapleDelivery> = {}): StapleDelivery {
  return {
    holding: desiredDigest(BEFORE),
    commands: [{ id: 'c-1', sentAt: NOW, judged: true }],
    attempts: 1,
    members: 2,
    confirmed: 2,
    stragglers: [],
    membership: membershipOf(['i-1', 'i-2']),
    convergedAt: NOW,
    ...changes,
  }
}

const changesAfter = (delivery: StapleDelivery | undefined) => {
  const record = { set: 'edge', carried: {}, ...(delivery === undefined ? {} : { delivery }) }
  return progressTowards({ kept: [], lost: [], fleet: FLEET, record }, BEFORE, AFTER).changed
}

describe('a command may name changes alone', () => {
  it('where every machine is known to hold everything else', () => {
    expect(changesAfter(delivered())).toEqual(['b'])
  })

  it.each([
    ['nothing is on record', undefined],
    ['another holding was delivered', delivered({ holding: desiredDigest(new Map()) })],
    ['a machine has not confirmed', delivered({ confirmed: 1 })],
    ['the fleet has not converged', (({ convergedAt: _, ...rest }) => rest)(delivered())],
    ['another machine has joined since', delivered({ membership: membershipOf(['i-1']) })],
    ['one was replaced by another', delivered({ membership: membershipOf(['i-1', 'i-3']) })],
  ] as const)('not where %s', (_, delivery) => {
    expect(changesAfter(delivery)).toBeUndefined()
  })
})

describe('an operator is paged for a delivery that stands still', () => {
  const paged = (attempts: number) => {
    const delivery = delivered({
      attempts,
      confirmed: 1,
      stragglers: [{ id: 'i-2', code: 'reload-failed', detail: '', ran: true }],
      nextAt: new Date(NOW.getTime() + 60_000),
    })
    const progress = { fleet: FLEET, carried: {}, holding: BEFORE, changed: undefined, delivery }
    return decideStapleDelivery(progress, CHANNEL, { now: NOW, forced: false })
  }

  it('after the third redelivery, not before', () => {
    expect(paged(3)).toMatchObject({ action: 'hold', page: false })
    expect(paged(4)).toMatchObject({
      action: 'hold',
      page: true,
      reason: expect.stringContaining('i-2 (reload-failed)'),
    })
  })
})

describe('what machines are to hold', () => {
  const response = {
    der: Buffer.of(1),
    thisUpdate: NOW,
    end: NOW,
    status: 'good' as const,
    haproxy: null,
    fetchedAt: NOW,
    source: 'x',
  }
  const entry = (id: string, state: StapleEntry['state']): StapleEntry => ({
    name: id,
    id,
    state,
    mustStaple: false,
    failures: 0,
    ...(state === 'none' ? {} : { response }),
  })

  it('is the response or its absence, of each certificate that ever had one', () => {
    const entries = [entry('b', 'staple'), entry('c', 'none'), entry('a', 'withdrawn')]
    expect([...desiredOf(entries)]).toEqual([
      ['a', 'withdrawn'],
      ['b', digestOf(response.der)],
    ])
  })

  it('is the same in whichever order the set names its certificates', () => {
    const ids = ['c', 'a', 'd', 'b']
    const digests = [ids, ids.toReversed(), ids.toSorted()].map((order) =>
      desiredDigest(desiredOf(order.map((id) => entry(id, 'staple')))),
    )
    expect(new Set(digests).size).toBe(1)
    expect(digests[0]).toMatch(/^[0-9a-f]{32}$/)
  })

  it('has changed where it is another response, or was not there before', () => {
    expect(changesOf(BEFORE, AFTER)).toEqual(['b'])
    expect(changesOf(new Map(), AFTER)).toEqual(['a', 'b'])
    expect(changesOf(AFTER, AFTER)).toEqual([])
  })
})

describe('a command for staples', () => {
  const progress = (changes: Partial<DeliveryProgress> = {}): DeliveryProgress => ({
    fleet: FLEET,
    carried: {},
    holding: AFTER,
    changed: ['b'],
    delivery: unsent(desiredDigest(AFTER)),
    ...changes,
  })
  const decide = (changes: Partial<DeliveryProgress> = {}, forced = false) =>
    decideStapleDelivery(progress(changes), CHANNEL, { now: NOW, forced })
  const many = Array.from({ length: MOST_CERTIFICATES + 1 }, (_, n) => `c${n}`)

  it('names what changed, and what is gone by that word', () => {
    expect(messageFor(progress(), false)).toEqual([['b', '3']])
    expect(messageFor(progress({ changed: ['b', 'z'] }), false)).toEqual([
      ['b', '3'],
      ['z', 'withdrawn'],
    ])
    expect(
      messageOf([
        ['b', '3'],
        ['z', 'withdrawn'],
      ]),
    ).toBe('b=3,z=withdrawn')
    expect(messageOf('all')).toBe('all')
    expect(messageFor(progress({ changed: many.slice(1) }), false)).toHaveLength(MOST_CERTIFICATES)
  })

  it.each<[string, Partial<DeliveryProgress>, boolean]>([
    ['what changed is not known', { changed: undefined }, false],
    ['nothing is known to have changed', { changed: [] }, false],
    ['too much has changed', { changed: many }, false],
    ['it is not the first one', { delivery: { ...unsent('x'), attempts: 1 } }, false],
    ['an operator asks for it', {}, true],
  ])('sends each machine to the store where %s', (_, changes, forced) => {
    expect(messageFor(progress(changes), forced)).toBe('all')
  })

  it('is sent with the reason: how much has changed, and why the last one was not sent', () => {
    expect(decide()).toMatchObject({ action: 'send', reason: '1 changed' })
    expect(decide({ changed: undefined }).reason).toMatch(/^unknown changes: every machine looks/)
    expect(decide({ changed: [] }).reason).toMatch(/^unknown changes/)
    expect(decide({ changed: many }).reason).toMatch(/^26 changes: every machine looks/)
    const refused = { ...unsent('x'), unsent: 'throttled' }
    expect(decide({ delivery: refused }).reason).toBe('1 changed; the last command was not sent: throttled')
  })

  it('is sent again with the reason who lacks what', () => {
    const stragglers = [{ id: 'i-2', code: 'reload-failed', detail: '', ran: true as const }]
    const delivery = delivered({ confirmed: 1, stragglers, nextAt: NOW })
    expect(decide({ delivery })).toMatchObject({
      action: 'send',
      reason: '1 of 2 machines hold what they should: i-2 (reload-failed)',
    })
  })

  it('waits for a fleet that cannot be seen', () => {
    const fleet = { known: false, refusal: 'AccessDenied' } as const
    expect(decide({ fleet })).toMatchObject({ action: 'hold', waitsFor: 'fleet', page: true })
  })

  it('is none once every machine holds all, nor where there is nothing to hold', () => {
    expect(decide({ delivery: delivered() })).toEqual({
      action: 'rest',
      reason: 'all 2 machines hold every staple',
    })
    expect(decide({ holding: new Map() })).toEqual({
      action: 'rest',
      reason: 'there is no staple to deliver',
    })
    expect(decide({ holding: new Map() }, true).action).toBe('send')
    const underWay = delivered({ commands: [{ id: 'c-1', sentAt: NOW, judged: false }] })
    expect(decide({ holding: new Map(), delivery: underWay }).action).toBe('await')
  })
})

describe("a machine's word", () => {
  const LINE: StapleLine = {
    staples: 'edge',
    server: 'nginx',
    result: 'applied',
    installed: 1,
    withdrawn: 0,
    held: 1,
    verified: 'handshake',
    ms: 1,
    script: 'ba9876543210',
  }
  const wanted = { set: 'edge', scripts: ['ba9876543210'] }
  const judge = (changes: Partial<StapleLine>) =>
    judgeStaples({ id: 'i-1', status: 'Success', output: serialiseLine({ ...LINE, ...changes }) }, wanted)

  it('confirms, and says whether anything changed there', () => {
    expect(judge({})).toMatchObject({ confirmed: true, changed: true })
    expect(judge({ result: 'unchanged' })).toMatchObject({ confirmed: true, changed: false })
  })

  it('of another set or program, or of a failure, does not confirm', () => {
    expect(judge({ staples: 'other' })).toMatchObject({ confirmed: false, detail: 'reports the set other' })
    expect(judge({ script: '000000000000' })).toMatchObject({ confirmed: false, code: 'objected' })
    expect(judge({ result: 'failed', error: 'staple-mismatch' })).toMatchObject({
      confirmed: false,
      code: 'staple-mismatch',
    })
  })
})

describe('a run that delivers', () => {
  const worldWith = async () => {
    const world = new StapleWorld()
    world.add('www')
    await world.hold('www', 86_400, { nextTry: new Date(world.clock.now().getTime() + 3_600_000) })
    return world
  }

  it('pages nobody where all goes well', async () => {
    const world = await worldWith()
    await world.refresh()
    expect(world.eventLog.of('decided').map(({ action, page }) => [action, page])).toEqual([
      ['deliver-send', false],
      ['deliver-await', false],
      ['deliver-rest', false],
    ])
  })

  it('reads what machines said once their command has ended, and not before', async () => {
    const world = await worldWith()
    const { sender, ...ports } = world.ports()
    const calls: string[] = []
    const slow = {
      send: sender.send.bind(sender),
      progress: async (id: string) => {
        const isEnded = calls.push('progress') > 3
        return isEnded ? sender.progress(id) : ({ state: 'running', targets: 2, completed: 1 } as const)
      },
      results: (id: string) => {
        calls.push('results')
        return sender.results(id)
      },
      resultOf: sender.resultOf.bind(sender),
    }
    const { fleet } = await world.invoke({ action: 'refresh' }, { ...ports, sender: slow })
    expect(calls).toEqual(['progress', 'progress', 'progress', 'progress', 'results'])
    expect(fleet).toMatchObject({ confirmed: 2 })
  })

  it('ends, whatever Run Command does: where it takes a command and names none', async () => {
    const world = await worldWith()
    const { sender, ...ports } = world.ports()
    let sent = 0
    const silent = {
      progress: sender.progress.bind(sender),
      results: sender.results.bind(sender),
      resultOf: sender.resultOf.bind(sender),
      send: async () => {
        sent += 1
        return []
      },
    }
    const run = world.invoke({ action: 'refresh' }, { ...ports, sender: silent })
    await expect(run).rejects.toThrow(/^no end after 64 steps: delivered: /)
    expect(sent).toBe(64)
  })
})
