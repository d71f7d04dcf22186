import { describe, expect, it } from 'vitest'
import type { DeliveryState } from '../../lambda/fleet/delivery-state.ts'
import type { Member } from '../../lambda/fleet/membership.ts'
import { addressees } from '../../lambda/fleet/rollout.ts'
import { delivered, failed, fleetOf, membersOf, TARGET, unheard } from './deliveries.ts'

const TIMING = { delivery: 100, execution: 10 }

function addressed(
  members: readonly Member[],
  delivery: DeliveryState,
  { holders = [], ramp = true }: { readonly holders?: readonly Member[]; readonly ramp?: boolean } = {},
) {
  const held = new Set(holders.map(({ id }) => id))
  const target = { ...TARGET, maxConcurrency: 25, maxFailures: 10 }
  const to = { delivery, holders: held, ramp, target, timing: TIMING }
  return addressees({ ...to, fleet: fleetOf(members) })
}

const first = (members: readonly Member[]) => delivered(members, [], { attempts: 0, confirmed: 0 })
const idsOf = (members: readonly Member[]) => members.map(({ id }) => id)
const sizesOf = (addresses: ReturnType<typeof addressees>) =>
  addresses.map(({ to }) => (to === 'all' ? to : to.length))

describe('the first command', () => {
  it('goes to all by the tag where all are online', () => {
    const to = (ramp: boolean) => addressed(membersOf(3), first(membersOf(3)), { ramp })
    expect(to(true)).toEqual([{ to: 'all', ramp: true, timeout: 120 }])
    expect(to(false)).toEqual([{ to: 'all', ramp: false, timeout: 110 }])
  })

  it('names those that are online where others are not, fifty at most', () => {
    const some = membersOf(5, 2)
    expect(addressed(some, first(some))).toEqual([{ to: ['i-1', 'i-2', 'i-3'], ramp: true, timeout: 120 }])
    const many = membersOf(60, 1)
    expect(sizesOf(addressed(many, first(many)))).toEqual([50])
  })

  it('is none where no machine is online, or none lacks it', () => {
    expect(addressed([], first([]))).toEqual([])
    expect(addressed(membersOf(2, 2), first(membersOf(2, 2)))).toEqual([])
    const some = membersOf(3, 1)
    expect(addressed(some, first(some), { holders: some.slice(0, 2) })).toEqual([])
  })
})

describe('maxConcurrency', () => {
  const time = (maxConcurrency?: number) => {
    const target = { ...TARGET, ...(maxConcurrency === undefined ? {} : { maxConcurrency }) }
    const [fleet, delivery] = [fleetOf(membersOf(20)), first(membersOf(20))]
    const asked = { fleet, delivery, holders: new Set<string>(), ramp: true, target, timing: TIMING }
    return addressees(asked).map(({ timeout }) => timeout)
  }

  it('is a tenth of the machines, unless the target says otherwise: the command has the time of all their turns', () => {
    // One machine, then two at a time: eleven turns, of which the first is the delivery's own.
    expect(time()).toEqual([200])
    expect(time(50)).toEqual([140])
  })
})

describe('what follows a first wave', () => {
  const members = membersOf(40)
  const wave = (confirmed: number, failures: number) =>
    addressed(
      members,
      delivered(
        members,
        members.slice(30).map(({ id }, at) => (at < failures ? failed(id) : unheard(id))),
        {
          confirmed,
          failed: failures,
        },
      ),
      { holders: members.slice(0, 30) },
    )

  it('goes to all that are missing at once, where no more failed than may of those that were tried', () => {
    // 2 of 20 are 10 percent, 2 of 19 are more.
    expect(sizesOf(wave(18, 2))).toEqual(Array.from({ length: 10 }, () => 1))
    expect(wave(18, 2).every(({ ramp, timeout }) => !ramp && timeout === 100)).toBe(true)
    expect(wave(17, 2)).toEqual([{ to: idsOf(members.slice(32)), ramp: true, timeout: 140 }])
  })

  it('is another one where none confirmed, and leaves out those that failed', () => {
    expect(wave(0, 2)).toMatchObject([{ to: idsOf(members.slice(32)), ramp: true }])
  })

  it('names a machine a command, ten at most, where no machine said anything', () => {
    const alone = Array.from({ length: 10 }, (_, at) => ({ to: [`i-${at + 1}`], ramp: false, timeout: 100 }))
    expect(
      addressed(
        members,
        delivered(
          members,
          members.map(({ id }) => unheard(id)),
        ),
      ),
    ).toEqual(alone)
  })

  it('goes to those that failed, without a ramp, where no other is missing', () => {
    const [one, other] = [failed('i-39'), failed('i-40')]
    const delivery = delivered(members, [one, other], { confirmed: 0 })
    expect(addressed(members, delivery, { holders: members.slice(0, 38) })).toEqual([
      { to: ['i-39'], ramp: false, timeout: 100 },
      { to: ['i-40'], ramp: false, timeout: 100 },
    ])
  })
})

describe('a large fleet without a ramp', () => {
  const lanes = (count: number, attempts: number) =>
    sizesOf(addressed(membersOf(count), delivered(membersOf(count), [], { attempts }), { ramp: false }))

  it('is named in ten commands of even size, each machine once', () => {
    expect(lanes(500, 1)).toEqual(Array.from({ length: 10 }, () => 50))
    expect(lanes(25, 1)).toEqual([3, 3, 3, 3, 3, 3, 3, 3, 1])
    const members = membersOf(25)
    const named = addressed(members, delivered(members), { ramp: false }).flatMap(({ to }) => to)
    expect(named).toEqual(idsOf(members))
  })

  it('of more than can be named gets its second command by the tag, and later ones as many as can be', () => {
    expect(addressed(membersOf(501), delivered(membersOf(501)), { ramp: false })).toEqual([
      { to: 'all', ramp: false, timeout: 180 },
    ])
    expect(lanes(501, 2)).toEqual(Array.from({ length: 10 }, () => 50))
  })
})
