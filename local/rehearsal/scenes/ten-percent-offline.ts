import type { Machine } from '../machines/machine.ts'
import type { FleetControl } from './fleet-control.ts'
import { lineOn, type Scene } from './scene.ts'

export const tenPercentOffline: Scene = {
  shows:
    'Systems Manager loses one machine of ten, as many as mayLag allows: it is named, and the others turn without it, until it is back',
  least: 3,
  fleet: { haproxy: 7, nginx: 3 },
  async play(fleet) {
    const { operator, ring, lifecycle, machines } = fleet
    await fleet.calm()
    const lost = machines.at(-1) as Machine
    const others = machines.filter((each) => each !== lost)
    const name = `${lost.server} on ${lost.id}`
    const had = fleet.generation
    const since = Date.now()
    const reason = `Systems Manager had lost ${name}, which served on with keys of two generations before`
    const allowEarlyLoss = fleet.forbid(() =>
      fleet.generation <= had + 1 && fleet.expected(reason).lost > 0
        ? `sessions were lost though ${lost.id} was one generation behind`
        : undefined,
    )
    const allowForce = fleet.forbid(() => {
      const forced = fleet.decided(since).find(({ reason }) => / past maxKeyAge, although /.test(reason))
      return forced && `the others waited for ${lost.id}: ${forced.reason}`
    })
    lifecycle.instanceOf(lost).lose()
    fleet.setAvailability(lost, { serves: true, reason, isBehind: true })
    fleet.say(`Systems Manager has lost ${name}, which serves on`)
    await proved(fleet, others, had + 1)
    fleet.say(`the others have generation ${had + 1}`)
    await fleet.visited(lost)
    const status = await operator.repeats(['status', ring.name], {
      code: 1,
      says: [
        /: (HELD|DEGRADED): /,
        lineOn(lost, 'connection lost'),
        /^Not waited for, as Systems Manager has lost it: .*tickets .* are lost/,
        /^next: /,
      ],
    })
    await proved(fleet, others, had + 2)
    fleet.say(`the others have generation ${had + 2}`)
    await fleet.until('clients lose a session', () => fleet.expected(reason).lost > 0)
    allowEarlyLoss()
    allowForce()
    lifecycle.instanceOf(lost).restore()
    fleet.say(`Systems Manager reaches ${lost.id} again`)
    await proved(fleet, [lost], had + 2)
    fleet.setAvailability(lost, { serves: true })
    await fleet.visited(lost)
    await fleet.generations(1)
    return [
      `${name}, one of ${machines.length}, was lost with generation ${had}: the others turned without it, and lost nothing while it was one generation behind`,
      ...status,
      `two generations later they lost ${fleet.expected(reason).lost} sessions between it and the others`,
      `back, it was brought what it lacked, and all have proved generation ${fleet.generation}`,
    ]
  },
}

async function proved(fleet: FleetControl, machines: readonly Machine[], wanted: number): Promise<void> {
  const have = () => machines.every((each) => fleet.provedAt(each, wanted) !== undefined)
  await fleet.until(`${machines.length} machines have proved generation ${wanted}`, have)
}
