/** The way back of the program: what was deployed last is brought to no machine, and those that have it go back. */
import { describe, expect, it } from 'vitest'
import { due, holding, IDS, MINUTE, machine, settled } from '../fakes/canary-world.ts'
import { hooked, REVOKE, TIMING, World } from '../fakes/world.ts'

const ROLLBACK = { action: 'rollback', reason: 'answers late', by: 'ada' }
const DELIVER = { action: 'deliver' }
const NEW = { name: 'ticketring-edge-ba9876543210', version: '1', script: 'ba9876543210' }
const NEXT = { name: 'ticketring-edge-0011223344aa', version: '1', script: '0011223344aa' }

function deploy(world: World, document: typeof NEW): void {
  world.configuration = { ...world.configuration, document }
  world.fleet.script = document.script
}

const running = (world: World, { script }: typeof NEW) =>
  world.fleet.instances.filter((each) => each.script === script).map(({ id }) => id)

/** Every machine runs what was deployed last. */
async function brought(): Promise<World> {
  const world = new World(IDS)
  await world.reconcile()
  deploy(world, NEW)
  world.clock.advance(TIMING.every)
  await world.rotate()
  await world.pass(10 * MINUTE)
  expect(running(world, NEW)).toEqual(IDS)
  return world
}

describe('a fleet that was brought a program which is no good', () => {
  it('goes back by the next delivery, and what it proves by the one before counts', async () => {
    const world = await brought()
    const { did, rolledBack } = await world.invoke(ROLLBACK)
    expect(did).toEqual([`${NEW.name} is rolled back by ada: answers late`])
    expect(rolledBack).toEqual({ document: NEW.name, reason: 'answers late', by: 'ada' })
    await world.invoke(DELIVER)
    expect(running(world, NEW)).toEqual([])
    expect(world.delivery()).toMatchObject({ confirmed: 5, members: 5 })
    expect(world.fleet.orders.at(-1)).toMatchObject({ to: 'all', program: 'back' })
  })

  it('turns on by the one before, for as long as nothing else is deployed', async () => {
    const world = await brought()
    await world.invoke(ROLLBACK)
    for (const generation of [3, 4]) {
      world.clock.advance(TIMING.every)
      await world.rotate()
      await world.pass(10 * MINUTE)
      expect(holding(world, generation)).toEqual(IDS)
      expect(running(world, NEW)).toEqual([])
    }
    const { rolledBack } = await world.invoke({ action: 'status' })
    expect(rolledBack).toMatchObject({ document: NEW.name })
  })

  it('is told to go back by a revoke too, which waits for nothing', async () => {
    const world = await brought()
    await world.invoke(ROLLBACK)
    const { proof } = await world.invoke(REVOKE)
    expect(proof).toMatchObject({ stillAccepting: [] })
    expect(running(world, NEW)).toEqual([])
  })

  it('is told by the four steps of Secrets Manager as by a schedule', async () => {
    const world = hooked(IDS)
    await world.reconcile()
    deploy(world, NEW)
    await world.invoke(DELIVER)
    await world.invoke(ROLLBACK)
    world.clock.advance(TIMING.every)
    world.fleet.orders.length = 0
    await world.rotate()
    expect(world.fleet.orders.map(({ program }) => program)).toContain('back')
    expect(world.fleet.orders.every(({ program }) => program === 'back')).toBe(true)
  })

  it('gets what is deployed next, and the way back is over', async () => {
    const world = await brought()
    await world.invoke(ROLLBACK)
    await world.invoke(DELIVER)
    deploy(world, NEXT)
    await world.invoke(DELIVER)
    expect(running(world, NEXT)).toEqual(IDS)
    expect(await world.invoke({ action: 'status' })).not.toHaveProperty('rolledBack')
  })

  it('gets the same document again where the way back is taken back', async () => {
    const world = await brought()
    await world.invoke(ROLLBACK)
    await world.invoke(DELIVER)
    const { did } = await world.invoke({ ...ROLLBACK, reason: 'it was the disk', undo: true })
    expect(did).toEqual([`no longer: ${NEW.name} is rolled back by ada: answers late`])
    await world.invoke(DELIVER)
    expect(running(world, NEW)).toEqual(IDS)
  })

  it('keeps its way back beside a pause that comes and ends', async () => {
    const world = await brought()
    await world.invoke(ROLLBACK)
    await world.invoke({ action: 'pause', for: '2h', reason: 'sale' })
    expect(await world.invoke({ action: 'resume' })).toMatchObject({ rolledBack: { document: NEW.name } })
  })
})

describe('a canary that was brought it', () => {
  async function withCanary(): Promise<World> {
    const world = await due()
    deploy(world, NEW)
    await world.rotate()
    expect(running(world, NEW)).toEqual(['i-1'])
    return world
  }

  it('goes back, and its generation passes by the program before', async () => {
    const world = await withCanary()
    await world.invoke(ROLLBACK)
    await world.invoke(DELIVER)
    expect(running(world, NEW)).toEqual([])
    expect(holding(world, 1)).toEqual(['i-2', 'i-3', 'i-4', 'i-5'])
    await world.pass(20 * MINUTE)
    expect(holding(world, 2)).toEqual(IDS)
    expect(running(world, NEW)).toEqual([])
  })

  it('lets no document pass that is rolled back, by its soak or by promote', async () => {
    for (const pass of ['soak', 'promote']) {
      const world = await withCanary()
      await world.invoke(ROLLBACK)
      if (pass === 'soak') await world.pass(30 * MINUTE)
      else await world.invoke({ action: 'promote', reason: 'now' })
      await world.invoke({ ...ROLLBACK, undo: true })
      expect(await world.invoke({ action: 'status' })).toMatchObject({ canary: { documentPassed: false } })
      await world.invoke(DELIVER)
      expect(running(world, NEW)).toEqual(['i-1'])
    }
  })

  it('proves nothing of the document by the program of before, also where the way back is taken back in the soak', async () => {
    const world = await withCanary()
    await world.invoke(ROLLBACK)
    await world.invoke(DELIVER)
    await world.invoke({ ...ROLLBACK, undo: true })
    await world.pass(30 * MINUTE)
    expect(holding(world, 2)).toEqual(IDS)
    expect(await world.invoke({ action: 'status' })).toMatchObject({ canary: { documentPassed: false } })
  })

  it('alone has the generation, also where nothing could be heard of what was sent', async () => {
    const world = await due()
    deploy(world, NEW)
    await world.invoke(ROLLBACK)
    const ports = world.ports()
    const { sender } = ports
    const progress = () => Promise.reject(new Error('no answer'))
    const dying = { ...ports, sender: { ...sender, send: sender.send.bind(sender), progress } }
    await world.invoke({ action: 'rotate' }, dying)
    await world.reconcile()
    expect(holding(world, 1)).toEqual(['i-2', 'i-3', 'i-4', 'i-5'])
  })

  it('has nothing to promote where it only waits for the document', async () => {
    const world = await settled()
    deploy(world, NEW)
    await world.invoke(ROLLBACK)
    const { decision } = await world.invoke({ action: 'promote', dryRun: true })
    expect(decision).toMatchObject({ action: 'rest' })
  })
})

describe('what is asked for', () => {
  it('needs a reason, and takes no duration: it ends with the next deploy', async () => {
    const world = await brought()
    for (const event of [
      { ...ROLLBACK, reason: undefined },
      { ...ROLLBACK, for: '2h' },
    ])
      await expect(world.invoke(JSON.parse(JSON.stringify(event)))).rejects.toMatchObject({
        code: 'request-invalid',
      })
    await expect(world.invoke({ action: 'pause', for: '2h', reason: 'x', undo: true })).rejects.toMatchObject(
      {
        message: expect.stringContaining('only rollback takes it'),
      },
    )
  })

  it('changes nothing where it is only rehearsed', async () => {
    const world = await brought()
    const { decision } = await world.invoke({ ...ROLLBACK, dryRun: true })
    expect(decision.reason).toContain(`would be ${NEW.name} is rolled back by ada: answers late`)
    expect(await world.invoke({ action: 'status' })).not.toHaveProperty('rolledBack')
    await world.invoke(DELIVER)
    expect(running(world, NEW)).toEqual(IDS)
  })

  it('waits for no machine that cannot go back: what it proves by the program that it has counts', async () => {
    const world = await brought()
    machine(world, 'i-3').scriptBefore = NEW.script
    await world.invoke(ROLLBACK)
    await world.invoke(DELIVER)
    expect(running(world, NEW)).toEqual(['i-3'])
    expect(world.delivery()).toMatchObject({ confirmed: 5 })
    const [before, left] = [{ machines: 4 }, { version: NEW.script, machines: 1 }]
    expect((await world.invoke({ action: 'status' })).fleet).toMatchObject({ programs: [before, left] })
  })
})
