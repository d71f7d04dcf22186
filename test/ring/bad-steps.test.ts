import { describe, expect, it } from 'vitest'
import { STEPS, type Step } from '../../lambda/ring/request.ts'
import { runStep } from '../../lambda/ring/secrets-manager-steps.ts'
import { hooked, SECRET_ARN, stepOf, TIMING, TOKEN, type World } from '../fakes/world.ts'

const UNKNOWN = 'f'.repeat(36)

/** A world with a rotation due that Secrets Manager has begun: AWSPENDING is on the token, without a value. */
async function begun(): Promise<World> {
  const world = hooked()
  await world.reconcile()
  world.secret.onRotate = async () => {}
  world.clock.advance(TIMING.every)
  await world.secret.start(TOKEN)
  return world
}

async function step(world: World, Step: Step, token = TOKEN, secret = SECRET_ARN): Promise<void> {
  await runStep(world.ports(), stepOf(Step, token, secret))
}

async function expectRefusal(world: World, code: string, call: () => Promise<void>): Promise<void> {
  const before = world.traces()
  await expect(call()).rejects.toMatchObject({ code })
  expect(world.traces()).toEqual(before)
}

describe('a step that is refused changes nothing', () => {
  it.each(STEPS)('%s with a token that no rotation began with', async (name) => {
    const world = await begun()
    await expectRefusal(world, 'token-unknown', () => step(world, name, UNKNOWN))
    await step(world, 'createSecret')
    await expectRefusal(world, 'token-unknown', () => step(world, name, UNKNOWN))
  })

  it.each(STEPS)('%s for the secret of another ring', async (name) => {
    const world = await begun()
    await expectRefusal(world, 'request-invalid', () => step(world, name, TOKEN, `${SECRET_ARN}x`))
  })

  it('finishSecret before createSecret, with the right token', async () => {
    const world = await begun()
    await expectRefusal(world, 'token-unknown', () => step(world, 'finishSecret'))
  })

  it.each([
    ['createSecret', 'token-unknown'],
    ['setSecret', 'token-unknown'],
    ['finishSecret', 'staged-ring-dead'],
  ] as const)('%s with the token of a rotation that another has followed', async (name, code) => {
    const world = await begun()
    for (const each of STEPS) await step(world, each)
    await world.reconcile()
    world.clock.advance(TIMING.every)
    await world.secret.start(UNKNOWN)
    for (const each of STEPS) await step(world, each, UNKNOWN)
    expect(world.ring().generation).toBe(3)
    await expectRefusal(world, code, () => step(world, name))
  })
})

describe('a step that is repeated or early', () => {
  it.each(['setSecret', 'testSecret'] as const)('%s changes nothing', async (name) => {
    const world = await begun()
    for (const earlier of ['createSecret', 'finishSecret'] as const) {
      const before = world.traces()
      for (let n = 0; n < 2; n++) await step(world, name)
      expect(world.traces()).toEqual(before)
      await step(world, earlier)
    }
    const after = world.traces()
    for (const again of STEPS) await step(world, again)
    expect(world.traces()).toEqual(after)
  })
})
