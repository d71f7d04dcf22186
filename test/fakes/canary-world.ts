import type { CanaryConfiguration } from '../../lambda/ring/configuration.ts'
import { TIMING, World } from './world.ts'

export const MINUTE = 60
export const CANARY: CanaryConfiguration = {
  tag: 'canary',
  values: ['yes'],
  soak: 15 * MINUTE,
  stopOnAlarms: [],
}
export const IDS = ['i-1', 'i-2', 'i-3', 'i-4', 'i-5']

interface Setting {
  readonly machines?: number
  readonly canaries?: readonly string[]
  readonly stopOnAlarms?: readonly string[]
}

export function made({ machines = 5, canaries = ['i-1'], stopOnAlarms = [] }: Setting = {}): World {
  const ids = Array.from({ length: machines }, (_, n) => `i-${n + 1}`)
  const world = new World(ids, { canary: { ...CANARY, stopOnAlarms } })
  for (const machine of world.fleet.instances) machine.canary = canaries.includes(machine.id)
  return world
}

/** Generation 1 is everywhere. */
export async function settled(setting: Setting = {}): Promise<World> {
  const world = made(setting)
  await world.reconcile()
  await world.pass(20 * MINUTE)
  if (holding(world, 1).length < world.fleet.instances.length)
    throw new Error('generation 1 is not everywhere')
  return world
}

/** And the next one is due. */
export async function due(setting: Setting = {}): Promise<World> {
  const world = await settled(setting)
  world.clock.advance(TIMING.every)
  return world
}

export function holding(world: World, generation: number): string[] {
  return world.fleet.instances.filter(({ ring }) => ring?.generation === generation).map(({ id }) => id)
}

export function machine(world: World, id: string) {
  const found = world.fleet.instances.find((each) => each.id === id)
  if (found === undefined) throw new Error(`no machine ${id}`)
  return found
}
