import { describe, expect, it } from 'vitest'
import type { RotationPorts } from '../../lambda/ring/observation.ts'
import { STEPS } from '../../lambda/ring/request.ts'
import { sharesNoKey } from '../../lambda/ring/ring.ts'
import { runStep } from '../../lambda/ring/secrets-manager-steps.ts'
import { begun, REVOKE, stepOf, TIMING, TOKEN, World } from '../fakes/world.ts'

const CRASH = 'the process was killed'

/** Ports that fail at their `k`th call, before or after it took effect. */
function failingAt(ports: RotationPorts, k: number, when: 'before' | 'after') {
  let calls = 0
  const guard = <T extends object>(port: T): T =>
    new Proxy(port, {
      get(target, name) {
        const member = Reflect.get(target, name, target)
        if (typeof member !== 'function') return member
        return async (...args: unknown[]) => {
          const mine = ++calls
          if (mine > k || (mine === k && when === 'before')) throw new Error(CRASH)
          const result = await member.apply(target, args)
          if (mine === k) throw new Error(CRASH)
          return result
        }
      },
    })
  const { versions, commits, rotations, records, inventory, sender } = ports
  const failing = {
    ...ports,
    versions: guard(versions),
    commits: guard(commits),
    rotations: guard(rotations),
    records: guard(records),
    inventory: guard(inventory),
    sender: guard(sender),
  }
  return { failing, count: () => calls }
}

/** How many port calls the event takes when nothing fails. */
async function callsOf(prepare: () => Promise<World>, event: object): Promise<number> {
  const world = await prepare()
  const { failing, count } = failingAt(world.ports(), Number.POSITIVE_INFINITY, 'before')
  await world.invoke(event, failing)
  return count()
}

async function due(): Promise<World> {
  const world = new World()
  await world.reconcile()
  world.clock.advance(TIMING.every + TIMING.tick + 1)
  return world
}

describe.each([
  ['genesis', async () => new World(), { action: 'reconcile' }, 1],
  ['a rotation', due, { action: 'rotate' }, 2],
  ['a revoke', due, REVOKE, 2],
] as const)('%s that is killed at any call', (_, prepare, event, generation) => {
  it.each(['before', 'after'] as const)(
    '%s that call takes effect reaches the same end when run again',
    async (when) => {
      const calls = await callsOf(prepare, event)
      expect(calls).toBeGreaterThan(8)
      for (let k = 1; k <= calls; k++) {
        const world = await prepare()
        const before = generation === 1 ? undefined : world.ring()
        await world.invoke(event, failingAt(world.ports(), k, when).failing).catch((error: Error) => {
          if (error.message !== CRASH) throw error
        })
        // A revoke that failed before it was staged was answered by an error: its caller repeats it.
        const staged = event.action !== 'revoke' || world.secret.values.size > 2
        await (staged ? world.reconcile() : world.invoke(event))
        await world.pass(3 * TIMING.tick)
        const where = `killed ${when} call ${k} of ${calls}`
        expect(world.ring().generation, where).toBe(generation)
        expect(world.delivery(), where).toMatchObject({ confirmed: 3, members: 3, generation })
        expect([...world.secret.holders.keys()], where).toEqual(['AWSCURRENT'])
        expect(
          world.fleet.instances.map(({ ring }) => ring?.current.name),
          where,
        ).toEqual(Array(3).fill(world.ring().current.name))
        if (before && event.action === 'revoke') expect(sharesNoKey(before, world.ring()), where).toBe(true)
      }
    },
  )
})

/** Secrets Manager's four steps, each over these ports; a step that fails is repeated over whole ones. */
async function rotateBySteps(world: World, ports: RotationPorts): Promise<void> {
  for (const name of STEPS) {
    await runStep(ports, stepOf(name)).catch(async (error: Error) => {
      if (!error.message.includes(CRASH)) throw error
      await runStep(world.ports(), stepOf(name))
    })
  }
}

describe('a rotation by Secrets Manager that is killed at any call', () => {
  it.each(['before', 'after'] as const)(
    '%s that call takes effect reaches the same end when its step is repeated',
    async (when) => {
      const counted = await begun()
      const { failing, count } = failingAt(counted.ports(), Number.POSITIVE_INFINITY, 'before')
      await rotateBySteps(counted, failing)
      expect(count()).toBeGreaterThan(8)
      for (let k = 1; k <= count(); k++) {
        const world = await begun()
        const before = world.ring()
        await rotateBySteps(world, failingAt(world.ports(), k, when).failing)
        const where = `killed ${when} call ${k} of ${count()}`
        expect(world.secret.holders.get('AWSCURRENT'), where).toBe(TOKEN)
        await world.pass(3 * TIMING.tick)
        expect(world.ring(), where).toMatchObject({ generation: 2, parent: world.secret.history[1] })
        expect(world.ring().previous.name, where).toBe(before.current.name)
        expect(world.delivery(), where).toMatchObject({ confirmed: 3, members: 3, generation: 2 })
        expect(world.secret.history, where).toHaveLength(3)
      }
    },
  )

  it('between RotateSecret and its first step is asked for again once AWSPENDING was taken off', async () => {
    const world = await begun()
    world.secret.onRotate = async (token) => {
      for (const name of STEPS) await runStep(world.ports(), stepOf(name, token))
    }
    await world.pass(29 * 60)
    expect(world.ring().generation).toBe(1)
    await world.pass(2 * TIMING.tick)
    expect(world.ring().generation).toBe(2)
    expect(world.secret.holders.get('AWSCURRENT')).not.toBe(TOKEN)
  })
})
