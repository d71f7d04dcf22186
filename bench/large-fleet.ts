import { loseShare, throttledPorts } from '../test/fakes/throttled.ts'
import { converged, TIMING, type World } from '../test/fakes/world.ts'
import { type Bench, size } from './measurement.ts'
import { atMost, type Row } from './table.ts'

/** Percent of the machines that are not online. */
const MISSING = 3
/** Seconds of one invocation. */
const INVOCATION = 300

export async function measure(bench: Bench): Promise<readonly Row[]> {
  const machines = size(bench, 10_000, 200)
  const world = await converged(
    Array.from({ length: machines }, (_, n) => `i-${n.toString(16).padStart(17, '0')}`),
  )
  world.clock.advance(TIMING.every)
  loseShare(world, MISSING)
  const fleet = `${machines.toLocaleString('en')} machines, ${MISSING} % gone, 10 calls a second`
  return [await judged(world, fleet), await forced(world, fleet)]
}

async function judged(world: World, fleet: string): Promise<Row> {
  const took = await invoke(world, { action: 'rotate' })
  const { confirmed = 0, members = 0 } = world.delivery() ?? {}
  return {
    what: `a rotation from its commit until it is judged, ${fleet}`,
    ours: `${Math.round(took)} s; ${confirmed} of ${members} confirmed`,
    others: [],
    target: atMost(INVOCATION, 's', Math.round(took)),
  }
}

async function forced(world: World, fleet: string): Promise<Row> {
  const { rotatedAt } = world.ring()
  world.clock.advance(TIMING.maxKeyAge - (world.clock.now().getTime() - rotatedAt.getTime()) / 1000)
  world.fleet.join('i-newcomer', false)
  await invoke(world, { action: 'reconcile' })
  const late = (world.ring().rotatedAt.getTime() - rotatedAt.getTime()) / 1000 - TIMING.maxKeyAge
  return {
    what: `a forced advance after maxKeyAge, ${fleet}`,
    ours: `${Math.round(late)} s`,
    others: [],
    target: atMost(TIMING.tick, 's', Math.round(late)),
  }
}

async function invoke(world: World, event: object): Promise<number> {
  const before = world.clock.now().getTime()
  await world.invoke(event, throttledPorts(world, 10))
  return (world.clock.now().getTime() - before) / 1000
}
