import { describe, expect, it } from 'vitest'
import { holdersOf, weigh } from '../../lambda/fleet/convergence.ts'
import type { DeliveryState } from '../../lambda/fleet/delivery-state.ts'
import type { Evidence, Heard } from '../../lambda/fleet/evidence.ts'
import { packHolders, unpackHolders } from '../../lambda/fleet/holder-bits.ts'
import type { Fleet } from '../../lambda/fleet/membership.ts'
import { delivered, FAILED, fleetOf, instant, membersOf, START, TARGET, TICK, unheard } from './deliveries.ts'

const SCALES = { target: TARGET, tick: TICK, what: 'x', lanes: 1 }
const NOW = instant(500)
const HELD: Heard = { confirmed: true }
const FLEET = membersOf(3, 1)
const ALL: Evidence<Heard> = new Map(FLEET.map(({ id }) => [id, HELD]))
const CARRIED = { baseline: { members: 3, at: START } }

function weighed(
  evidence: Evidence<Heard>,
  changes: Partial<DeliveryState> = {},
  { fleet = fleetOf(FLEET), changed = false }: { readonly fleet?: Fleet; readonly changed?: boolean } = {},
) {
  const delivery = { ...delivered(FLEET, [unheard('i-3')]), ...changes }
  return weigh({ delivery, carried: CARRIED }, { fleet, evidence, changed }, SCALES, NOW)
}

describe('a fleet is weighed', () => {
  it('by who confirmed, who failed and who was not reached', () => {
    const { delivery, carried } = weighed(
      new Map([
        ['i-1', FAILED],
        ['i-2', HELD],
      ]),
    )
    expect(delivery).toMatchObject({ members: 3, confirmed: 1, offline: 1, failed: 1, judgedAt: NOW })
    expect(delivery.stragglers).toEqual([
      { id: 'i-1', code: 'reload-failed', detail: '', ran: true },
      { id: 'i-3', code: 'unreached', detail: 'connection lost' },
    ])
    expect(delivery.failures).toEqual([
      { code: 'reload-failed', machines: 1 },
      { code: 'unreached', machines: 1 },
    ])
    expect(carried.baseline).toEqual({ members: 3, at: NOW })
    expect(holdersOf(delivery, fleetOf(FLEET))).toEqual(new Set(['i-2']))
  })

  it('as converged from now on where all have confirmed, and as before where none had to change', () => {
    expect(weighed(ALL).delivery).toMatchObject({ confirmed: 3, convergedAt: NOW })
    const convergedAt = instant(60)
    expect(weighed(ALL, { convergedAt }).delivery).toMatchObject({ convergedAt })
    expect(weighed(ALL, { convergedAt }, { changed: true }).delivery).toMatchObject({ convergedAt: NOW })
  })

  it('as no longer converged where a machine changed and another is missing', () => {
    const [one, convergedAt] = [new Map([['i-1', HELD]]), instant(60)]
    expect(weighed(one, { convergedAt }).delivery).toMatchObject({ convergedAt })
    expect(weighed(one, { convergedAt }, { changed: true }).delivery).not.toHaveProperty('convergedAt')
  })

  it('as not converged where too few answer to the tag, though each of them confirmed', () => {
    const few = fleetOf(membersOf(1))
    expect(weighed(ALL, {}, { fleet: few }).delivery).toMatchObject({ members: 1, confirmed: 1 })
    expect(weighed(ALL, {}, { fleet: few }).delivery).not.toHaveProperty('convergedAt')
    const terminated = { ...few, left: { ended: 2, untagged: 0 } }
    const { delivery, carried } = weighed(ALL, {}, { fleet: terminated })
    expect(delivery).toMatchObject({ convergedAt: NOW })
    expect(carried.baseline).toEqual({ members: 1, at: NOW })
    const untagged = { ...few, left: { ended: 1, untagged: 1 } }
    expect(weighed(ALL, {}, { fleet: untagged }).carried.baseline).toMatchObject({
      members: 3,
      fewerSince: NOW,
    })
  })

  it('by no roll call that cannot be read: what was said counts once there is one', () => {
    const refused = { known: false, refusal: 'AccessDenied' } as const
    const { delivery, carried } = weighed(ALL, { convergedAt: START }, { fleet: refused })
    expect(delivery).not.toHaveProperty('membership')
    expect(delivery).not.toHaveProperty('convergedAt')
    expect(delivery).toMatchObject({ confirmed: 2, attempts: 1 })
    expect(carried).toBe(CARRIED)
  })

  it('with why nothing was sent for as long as a machine is missing', () => {
    const unsent = 'Throttled'
    expect(weighed(new Map(), { unsent }).delivery).toMatchObject({ unsent })
    expect(weighed(ALL, { unsent }).delivery).not.toHaveProperty('unsent')
    expect(weighed(new Map()).delivery).not.toHaveProperty('unsent')
  })

  it('with who holds it where neither all nor none do, and with a next time where one is missing', () => {
    const keptOf = (evidence: Evidence<Heard>) => Object.keys(weighed(evidence, { nextAt: START }).delivery)
    expect(keptOf(ALL)).not.toContain('holders')
    expect(keptOf(ALL)).not.toContain('nextAt')
    expect(keptOf(new Map())).not.toContain('holders')
    expect(keptOf(new Map([['i-1', HELD]]))).toEqual(expect.arrayContaining(['holders', 'nextAt']))
  })
})

describe('who holds what was delivered', () => {
  const some = delivered(FLEET, [unheard('i-3')])

  it('is known of the roll call that was judged last', () => {
    expect(holdersOf(some, fleetOf(FLEET))).toEqual(new Set(['i-1', 'i-2']))
    expect(holdersOf(some, fleetOf(membersOf(2)))).toBeUndefined()
    expect(holdersOf(some, { known: false, refusal: 'x' })).toBeUndefined()
    expect(holdersOf({ ...some, attempts: 0 }, fleetOf(FLEET))).toBeUndefined()
  })

  it('needs no room where all do or none does', () => {
    const { holders: _, ...rest } = some
    expect(holdersOf(rest, fleetOf(FLEET))).toBeUndefined()
    expect(holdersOf({ ...rest, confirmed: 3 }, fleetOf(FLEET))).toEqual(new Set(['i-1', 'i-2', 'i-3']))
    expect(holdersOf({ ...rest, confirmed: 0 }, fleetOf(FLEET))).toEqual(new Set())
  })

  it('is packed a bit a machine, in whatever order they are listed', () => {
    const ids = membersOf(19).map(({ id }) => id)
    const held = new Set(['i-2', 'i-8', 'i-9', 'i-19'])
    const text = packHolders(ids, (id) => held.has(id))
    expect(Buffer.from(text, 'base64')).toHaveLength(3)
    expect(packHolders(ids.toReversed(), (id) => held.has(id))).toBe(text)
    expect(unpackHolders(ids.toReversed(), text)).toEqual(held)
  })

  it('is unknown where the bits are of more or fewer machines', () => {
    const text = packHolders(['a', 'b'], () => true)
    expect(unpackHolders(['a', 'b', 'c'], text)?.size).toBe(2)
    expect(unpackHolders(Array.from('abcdefghi'), text)).toBeUndefined()
    expect(unpackHolders([], text)).toBeUndefined()
  })
})
