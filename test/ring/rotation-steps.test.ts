import { describe, expect, it } from 'vitest'
import { TicketringError } from '../../lambda/kernel/errors.ts'
import { parseRotationRequest, STEPS } from '../../lambda/ring/request.ts'
import { runStep } from '../../lambda/ring/secrets-manager-steps.ts'
import { begun, HOUR, hooked, REVOKE, SECRET_ARN, stepOf, TIMING, TOKEN, type World } from '../fakes/world.ts'

async function step(world: World, name: string, token = TOKEN): Promise<void> {
  await runStep(world.ports(), stepOf(name, token))
}

describe("Secrets Manager's rotation", () => {
  it('goes through its four steps, delivers after the commit, and the next tick confirms', async () => {
    const world = hooked()
    await world.reconcile()
    world.clock.advance(TIMING.every)
    await world.secret.start(TOKEN)
    expect(world.secret.holders.get('AWSCURRENT')).toBe(TOKEN)
    expect(world.ring().generation).toBe(2)
    expect(world.delivery()).toMatchObject({ version: TOKEN, attempts: 1 })
    expect(await world.reconcile()).toMatchObject({ generation: 2, fleet: { confirmed: 3 } })
  })

  it('makes generation 1 where it comes before the first tick', async () => {
    const world = hooked()
    await world.secret.start(TOKEN)
    expect(world.ring().generation).toBe(1)
  })

  it('is asked for by a manual rotate and by an overdue tick', async () => {
    const world = hooked()
    await world.reconcile()
    world.clock.advance(TIMING.every)
    expect((await world.rotate()).decision.reason).toContain('Secrets Manager was asked')
    expect(world.ring().generation).toBe(2)
    await world.pass(TIMING.every + TIMING.window)
    expect(world.ring().generation, 'within its window Secrets Manager may still come').toBe(2)
    await world.pass(3 * TIMING.tick)
    expect(world.ring().generation).toBe(3)
  })

  it('that a closed gate refused does not block later ones, though a machine never confirms', async () => {
    const world = hooked()
    const [lost] = world.fleet.instances
    if (lost) lost.conduct = 'lose'
    await world.reconcile()
    const rotate = world.secret.onRotate
    world.clock.advance(TIMING.every)
    world.secret.onRotate = async () => {}
    await world.secret.start(TOKEN)
    await expect(step(world, 'createSecret')).rejects.toMatchObject({ code: 'rotation-held' })
    await world.pass(31 * 60)
    expect(world.secret.holders.get('AWSPENDING')).toBeUndefined()
    world.secret.onRotate = rotate
    const sent = world.fleet.orders.length
    await world.pass(TIMING.maxKeyAge)
    expect(world.fleet.orders.length).toBeGreaterThan(sent)
    expect(world.ring().generation).toBe(2)
  })

  it('that Secrets Manager refuses to begin fails the tick that asks for it', async () => {
    const world = hooked()
    await world.reconcile()
    await world.pass(TIMING.every + TIMING.window)
    const came = 'InvalidRequestException: No Lambda rotation function ARN is associated with this secret'
    const refused = () =>
      Promise.reject(new TicketringError('rotation-in-progress', { wanted: 'a rotation', came }))
    world.clock.advance(2 * TIMING.tick)
    const ports = { ...world.ports(), rotations: { start: refused } }
    await expect(world.invoke({ action: 'reconcile' }, ports)).rejects.toMatchObject({ came })
  })

  it('that begins again under the token whose AWSPENDING was taken off has half an hour again', async () => {
    const world = await begun()
    let begins = 0
    world.secret.onRotate = async () => {
      begins += 1
    }
    await world.pass(31 * 60)
    expect(begins).toBe(1)
    await world.pass(29 * 60)
    expect(begins).toBe(1)
    await world.pass(3 * TIMING.tick)
    expect(begins).toBe(2)
  })

  it('that does not end is not waited for past maxKeyAge, and comes too late then', async () => {
    const world = hooked()
    const [lost] = world.fleet.instances
    if (lost) lost.conduct = 'lose'
    await world.reconcile()
    await world.pass(TIMING.maxKeyAge - 2 * TIMING.tick)
    world.secret.onRotate = async () => {}
    await world.secret.start(TOKEN)
    world.eventLog.entries.length = 0
    await world.pass(4 * TIMING.tick)
    expect(world.ring().generation).toBe(2)
    expect(world.eventLog.of('measured').some(({ metrics }) => metrics.RotationForced === 1)).toBe(true)
    await expect(step(world, 'createSecret')).rejects.toMatchObject({ code: 'token-unknown' })
    await expect(step(world, 'finishSecret')).rejects.toMatchObject({ code: 'token-unknown' })
    expect(world.ring().generation).toBe(2)
  })

  it.each([
    ['asked for again and again, and never begins its steps', async () => {}],
    [
      'refused each time it is asked for',
      () =>
        Promise.reject(
          new TicketringError('rotation-in-progress', { wanted: 'a rotation', came: 'no function' }),
        ),
    ],
  ])('that is %s is done without it in the end, and by it again after that', async (_, onRotate) => {
    const world = hooked()
    await world.reconcile()
    const rotate = world.secret.onRotate
    world.secret.onRotate = onRotate
    const tick = async () => {
      world.clock.advance(TIMING.tick)
      await world
        .reconcile()
        .catch((error: unknown) => expect(error).toMatchObject({ code: 'rotation-in-progress' }))
    }
    world.clock.advance(TIMING.every + TIMING.window)
    const without = () =>
      world.eventLog.of('trouble').filter(({ detail }) => detail.includes('committed without it'))
    for (let n = 0; n < 12; n++) await tick()
    expect(world.ring().generation).toBe(1)
    for (let n = 0; n < 8; n++) await tick()
    expect(world.ring().generation).toBe(2)
    expect(without()).toHaveLength(1)
    world.secret.onRotate = rotate
    await world.pass(TIMING.every + TIMING.window + 2 * TIMING.tick)
    expect(world.ring().generation).toBe(3)
    expect(without()).toHaveLength(1)
  })

  it('with a field that AWS has added since is done, and the field is named in the log, not what it holds', async () => {
    const world = await begun()
    for (const Step of STEPS) {
      const event = { Step, SecretId: SECRET_ARN, ClientRequestToken: TOKEN, RotationToken: 'opaque' }
      const request = parseRotationRequest({ ...event, NewToken: 'unknown and secret', Other: { x: 1 } })
      if (request.kind !== 'step') throw new Error('not a step')
      await runStep(world.ports(), request)
    }
    expect(world.ring().generation).toBe(2)
    const [first] = world.eventLog.of('trouble')
    expect(first).toMatchObject({ during: 'reading the event of createSecret' })
    expect(first?.detail).toContain('"NewToken", "Other"')
    expect(JSON.stringify(world.eventLog.entries)).not.toContain('unknown and secret')
  })

  it('stays one advance when every step is repeated', async () => {
    const world = await begun()
    for (const name of STEPS) for (let n = 0; n < 3; n++) await step(world, name)
    expect(world.ring().generation).toBe(2)
    expect(world.secret.history).toHaveLength(3)
    expect(world.fleet.orders).toHaveLength(2)
  })

  it('advances once when hook, overdue tick and manual rotate meet', async () => {
    const world = hooked()
    await world.reconcile()
    world.clock.advance(TIMING.every + 2 * TIMING.tick)
    await Promise.allSettled([world.secret.start(TOKEN), world.reconcile(), world.rotate(), world.rotate()])
    await world.pass(2 * TIMING.tick)
    expect(world.ring().generation).toBe(2)
    expect(world.secret.history).toHaveLength(3)
  })

  it('is refused by createSecret while the gate is closed, and nothing is staged', async () => {
    const world = hooked()
    await world.reconcile()
    world.secret.onRotate = async () => {}
    await world.secret.start(TOKEN)
    await expect(step(world, 'createSecret')).rejects.toMatchObject({ code: 'rotation-held' })
    expect(world.secret.values.has(TOKEN)).toBe(false)
  })

  it.each([
    [
      'a machine has joined and not confirmed',
      'have joined or left',
      (world: World) => world.fleet.join('i-9', false),
    ],
    [
      'the fleet is suddenly less than half',
      'only 1 of 3 machines',
      (world: World) => {
        for (const gone of world.fleet.instances.slice(1)) gone.tagged = false
      },
    ],
    [
      'the roll call is refused',
      'the roll call was refused',
      (world: World) => {
        world.fleet.rollCallDenied = true
      },
    ],
  ])('is refused by createSecret when %s, with nothing staged', async (_, came, happen) => {
    const world = hooked()
    await world.reconcile()
    world.clock.advance(TIMING.every)
    happen(world)
    world.secret.onRotate = async () => {}
    await world.secret.start(TOKEN)
    await expect(step(world, 'createSecret')).rejects.toMatchObject({
      code: 'rotation-held',
      came: expect.stringContaining(came),
    })
    expect(world.secret.values.has(TOKEN)).toBe(false)
    expect(world.ring().generation).toBe(1)
  })

  it.each([
    ['no ring', '{"schema":"1"}', 'ring-malformed'],
    ['a ring of another schema', '{"schema":"2"}', 'ring-of-another-schema'],
  ])('refuses to test or to commit a version that holds %s', async (_, value, code) => {
    const world = await begun()
    world.secret.values.set(TOKEN, value)
    for (const name of ['testSecret', 'finishSecret'])
      await expect(step(world, name)).rejects.toMatchObject({ code })
    expect(world.ring().generation).toBe(1)
  })

  it('finds a repeated createSecret dead once AWSCURRENT has moved', async () => {
    const world = await begun()
    await step(world, 'createSecret')
    await world.invoke(REVOKE)
    world.secret.holders.set('AWSPENDING', TOKEN)
    await world.pass(HOUR * 3)
    world.secret.holders.set('AWSPENDING', TOKEN)
    await expect(step(world, 'createSecret')).rejects.toMatchObject({ code: 'staged-ring-dead' })
  })

  it('passes testSecret at deploy time with no fleet and no value', async () => {
    const world = hooked([])
    world.secret.onRotate = async () => {}
    await world.secret.start(TOKEN)
    await expect(step(world, 'testSecret')).resolves.toBeUndefined()
    expect(world.secret.values.size).toBe(1)
  })

  it('refuses steps out of order, unknown tokens and another secret', async () => {
    const world = hooked()
    await world.reconcile()
    const before = world.secret.history.length
    for (const name of ['createSecret', 'testSecret', 'finishSecret']) {
      await expect(step(world, name, 'f'.repeat(36))).rejects.toMatchObject({ code: 'token-unknown' })
    }
    await expect(
      runStep(world.ports(), stepOf('createSecret', TOKEN, `${SECRET_ARN}x`)),
    ).rejects.toMatchObject({ code: 'request-invalid' })
    world.secret.rotationEnabled = false
    await expect(step(world, 'createSecret')).rejects.toMatchObject({ code: 'rotation-not-enabled' })
    expect(world.secret.history).toHaveLength(before)
  })

  it('finds a staged ring dead once AWSCURRENT has moved, and takes AWSPENDING off it', async () => {
    const world = await begun()
    await step(world, 'createSecret')
    world.secret.values.set('by-hand', world.secret.values.get(world.ring().parent) ?? '{}')
    world.secret.moveByHand('by-hand')
    await expect(step(world, 'finishSecret')).rejects.toMatchObject({ code: 'staged-ring-dead' })
    expect(world.secret.holders.get('AWSPENDING')).toBeUndefined()
  })

  it('never fails after the commit, whatever the delivery says', async () => {
    const world = await begun()
    await step(world, 'createSecret')
    const sender = { ...world.ports().sender, send: () => Promise.reject(new Error('throttled')) }
    await runStep({ ...world.ports(), sender }, stepOf('finishSecret'))
    expect(world.secret.holders.get('AWSCURRENT')).toBe(TOKEN)
    expect(world.eventLog.of('trouble')).toHaveLength(1)
    world.clock.advance(TIMING.tick)
    expect(await world.reconcile()).toMatchObject({ generation: 2, fleet: { confirmed: 3 } })
  })
})
