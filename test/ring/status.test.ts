import { describe, expect, it } from 'vitest'
import { parseRecord, serialiseRecord } from '../../lambda/ring/delivery-record-text.ts'
import { SCRIPT } from '../fakes/fleet.ts'
import { StapleWorld } from '../fakes/staple-world.ts'
import { converged, HOUR, TIMING, World } from '../fakes/world.ts'

const later = (time: Date, seconds: number) => new Date(time.getTime() + seconds * 1000).toISOString()

describe('status of a ring', () => {
  it('names when it looked, when the next rotation is due, and when it comes in any case', async () => {
    const world = await converged()
    const { rotatedAt } = world.ring()
    world.clock.advance(HOUR)
    const answer = await world.invoke({ action: 'status' })
    expect(answer).toMatchObject({
      asOf: world.clock.now().toISOString(),
      dueAt: later(rotatedAt, TIMING.every),
      forcedAt: later(rotatedAt, TIMING.maxKeyAge),
    })
  })

  it('tells what is on record of the fleet from what the roll call says now', async () => {
    const world = await converged()
    const judgedAt = world.clock.now().toISOString()
    world.clock.advance(HOUR)
    world.fleet.join('i-4')
    const { fleet } = await world.invoke({ action: 'status' })
    expect(fleet).toMatchObject({ judgedAt, members: 3, confirmed: 3, now: { members: 4, online: 4 } })
  })

  it('computes what a ring stolen now can read, from the rotations that really were', async () => {
    const world = await converged()
    const first = world.ring().rotatedAt
    world.clock.advance(TIMING.every + HOUR)
    await world.rotate()
    const second = world.ring().rotatedAt
    const { exposure } = await world.invoke({ action: 'status' })
    expect(exposure).toEqual({
      sessionSeconds: 2 * TIMING.every + TIMING.ticketLifetime,
      sessionSecondsAtMost: 2 * TIMING.maxKeyAge + TIMING.ticketLifetime,
      readsFrom: later(first, -TIMING.ticketLifetime),
      readsFromIsKnown: true,
      readsTo: later(second, 2 * TIMING.every),
      readsToAtMost: later(second, 2 * TIMING.maxKeyAge),
      keyLeftSeconds: 2 * TIMING.ticketLifetime,
    })
    expect(await world.reconcile()).not.toHaveProperty('exposure')
  })

  it('compares the longest lifetime that machines announce with what is left of the key that encrypts', async () => {
    const world = new World()
    const [first, second] = world.fleet.instances
    if (first) first.lifetime = 300
    if (second) second.lifetime = TIMING.ticketLifetime
    await world.reconcile()
    world.clock.advance(HOUR)
    const { exposure } = await world.invoke({ action: 'status' })
    const { ticketLifetime } = TIMING
    expect(exposure).toMatchObject({
      announcedSeconds: ticketLifetime,
      keyLeftSeconds: 2 * ticketLifetime - HOUR,
    })
    expect(parseRecord(world.record.text ?? '').delivery?.announced).toBe(ticketLifetime)
  })

  it('counts the machines that had drifted and were put right, once, and measures it once', async () => {
    const world = await converged()
    const [first, second] = world.fleet.instances
    if (first) first.drifted = 2
    if (second) second.drifted = 1
    world.clock.advance(TIMING.every)
    await world.rotate()
    const measured = () => world.eventLog.of('measured').at(-1)?.metrics
    expect(measured()).toMatchObject({ DriftRepaired: 3 })
    expect((await world.invoke({ action: 'status' })).fleet?.drifted).toBe(3)
    expect(world.eventLog.of('held-by')).toContainEqual(
      expect.objectContaining({ instance: 'i-1', drifted: 2 }),
    )
    await world.reconcile()
    expect(measured()).not.toHaveProperty('DriftRepaired')
    world.clock.advance(TIMING.every)
    await world.rotate()
    expect((await world.invoke({ action: 'status' })).fleet).not.toHaveProperty('drifted')
  })

  it('names a machine whose server announces more than the gate waits for', async () => {
    const world = new World()
    const [first] = world.fleet.instances
    if (first) first.lifetime = TIMING.ticketLifetime + 1
    await world.reconcile()
    const { fleet, exposure } = await world.invoke({ action: 'status' })
    expect(fleet?.stragglers).toMatchObject([
      { id: 'i-1', reason: expect.stringContaining('lifetime-exceeded') },
    ])
    expect(exposure).not.toHaveProperty('announcedSeconds')
  })

  it('names the oldest process that holds keys which the ring no longer has, since when it runs, through the record', async () => {
    const world = new World()
    const [first, second] = world.fleet.instances
    if (first) first.oldestSeconds = 300
    if (second) second.oldestSeconds = 7200
    await world.reconcile()
    const oldProcess = { instance: 'i-2', processes: 2 }
    const { fleet } = await world.invoke({ action: 'status' })
    expect(fleet?.oldProcess).toMatchObject(oldProcess)
    const began = new Date(fleet?.oldProcess?.began ?? '').getTime()
    expect((world.clock.now().getTime() - began) / 1000 - 7200).toBeLessThan(TIMING.tick)
    expect(parseRecord(world.record.text ?? '').delivery?.oldProcess).toMatchObject(oldProcess)
  })

  it('keeps what is known of the generation before through the record', async () => {
    const world = await converged()
    world.clock.advance(TIMING.every)
    await world.rotate()
    const record = parseRecord(world.record.text ?? '')
    expect(record.carried.before?.generation).toBe(1)
    expect(parseRecord(serialiseRecord(record))).toEqual(record)
  })

  it('counts which release of its server each machine that confirmed runs', async () => {
    const world = await converged(['i-1', 'i-2', 'i-3', 'i-4'])
    const [first, second, third, fourth] = world.fleet.instances
    for (const each of [first, second, third]) if (each) each.release = '2.6.12-1+deb12u1'
    if (second) Object.assign(second, { release: '3.2.4', conduct: 'fail' })
    if (fourth) fourth.release = '3.2.4'
    world.clock.advance(TIMING.every)
    await world.rotate()
    const bad = { server: 'haproxy', version: '2.6.12-1+deb12u1', machines: 2 }
    const status = async () => (await world.invoke({ action: 'status' })).fleet?.releases
    expect(await status()).toEqual([bad, { server: 'haproxy', version: '3.2.4', machines: 1 }])
    if (second) second.conduct = 'apply'
    await world.pass(2 * TIMING.tick)
    expect(await status()).toEqual([bad, { ...bad, version: '3.2.4', machines: 2 }])
    if (first) first.release = '3.2.4'
    await world.invoke({ action: 'deliver' })
    expect(await status()).toEqual([
      { ...bad, version: '3.2.4', machines: 3 },
      { ...bad, machines: 1 },
    ])
    expect(parseRecord(world.record.text ?? '').delivery?.releases).toHaveLength(2)
  })

  it('says what to do about a machine whose reason has a code', async () => {
    const world = await converged()
    world.clock.advance(TIMING.every)
    const [machine] = world.fleet.instances
    const line = { v: 1, ring: 'edge', lineage: '', generation: 0, server: 'nginx', result: 'failed' }
    const rest = { encryptsWith: '', verified: 'none', ms: 9, script: SCRIPT, error: 'tickets-off' }
    if (machine) machine.conduct = { say: JSON.stringify({ ...line, ...rest }), status: 'Failed' }
    const { fleet } = await world.rotate()
    expect(fleet?.stragglers).toEqual([
      { id: 'i-1', reason: expect.stringContaining('tickets-off'), fix: 'Turn stateless tickets on' },
    ])
  })
})

describe('status of staples', () => {
  it('names a failure with its remedy until what failed has succeeded', async () => {
    const world = new StapleWorld()
    world.add('www')
    await world.refresh()
    world.authority.manners.set('www', 'down')
    await world.refresh({ certificate: 'www', force: true })
    const failed = await world.invoke({ action: 'status' })
    expect(failed.certificates[0]).toMatchObject({
      failures: 1,
      lastFailure: { code: 'responder-unreachable', fix: expect.stringContaining('VPC') },
    })
    world.authority.manners.delete('www')
    await world.refresh({ certificate: 'www', force: true })
    const mended = await world.invoke({ action: 'status' })
    expect(mended.certificates[0]).toMatchObject({ failures: 0, state: 'staple' })
    expect(mended.certificates[0]).not.toHaveProperty('lastFailure')
  })

  it('counts which release of its server each machine runs', async () => {
    const world = new StapleWorld()
    world.add('www')
    for (const machine of world.fleet.machines) machine.release = '1.22.1'
    await world.refresh()
    const { fleet } = await world.invoke({ action: 'status' })
    expect(fleet.releases).toEqual([{ server: 'nginx', version: '1.22.1', machines: fleet.members }])
  })

  it('names when it looked, its units, and of when the fleet is', async () => {
    const world = new StapleWorld()
    world.add('www')
    await world.refresh()
    const judgedAt = world.clock.now().toISOString()
    world.clock.advance(HOUR)
    const { asOf, fleet, certificates } = await world.invoke({ action: 'status' })
    expect(asOf).toBe(world.clock.now().toISOString())
    expect(fleet).toMatchObject({ judgedAt, now: { members: fleet.members, online: fleet.members } })
    expect(certificates[0]?.lifeLeftSeconds).toBe(certificates[0]?.lifeLeft)
  })
})
