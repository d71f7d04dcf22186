import { describe, expect, it } from 'vitest'
import { serialiseLine } from '../../lambda/fleet/result-line.ts'
import { keysOf, sharesNoKey } from '../../lambda/ring/ring.ts'
import { SCRIPT } from '../fakes/fleet.ts'
import { converged, HOUR, methods, REVOKE, TIMING, World } from '../fakes/world.ts'

describe('the first tick after a deploy', () => {
  it('makes generation 1, delivers it and records convergence', async () => {
    const world = new World()
    const answer = await world.reconcile()
    expect(answer).toMatchObject({ generation: 1, fleet: { members: 3, confirmed: 3, stragglers: [] } })
    expect(answer.did.map((line) => line.split(':')[0])).toEqual([
      'genesis',
      'deliver',
      'await',
      'unlabel',
      'unlabel',
    ])
    expect(world.fleet.instances.every(({ ring }) => ring?.generation === 1)).toBe(true)
    expect([...world.secret.holders.keys()]).toEqual(['AWSCURRENT'])
  })

  it('takes over the keys of an owner who wrote a ring first', async () => {
    const seed = await converged()
    const adopted = seed.secret.values.get(seed.secret.history.at(-1) ?? '') ?? ''
    const world = new World(['i-1'], {}, adopted)
    expect(await world.reconcile()).toMatchObject({ generation: 1, encryptsWith: seed.ring().current.name })
    expect(world.secret.history).toHaveLength(1)
  })

  it('lets a fleet that was never populated count as converged', async () => {
    const world = new World([])
    expect((await world.reconcile()).decision).toEqual({
      action: 'rest',
      reason: 'no machine has ever answered to the tag',
    })
    world.clock.advance(TIMING.every)
    expect(await world.scheduled()).toMatchObject({ generation: 2 })
  })

  it('writes nothing on a reading action, not even generation 1', async () => {
    const world = new World()
    for (const event of [
      { action: 'status' },
      { action: 'rotate', dryRun: true },
      { action: 'reconcile', dryRun: true },
    ]) {
      expect((await world.invoke(event)).decision.action).toBe('genesis')
    }
    expect(world.secret.history).toHaveLength(1)
    expect(world.secret.values.size).toBe(1)
    expect(world.record.text).toBeUndefined()
    expect(world.fleet.orders).toEqual([])
  })
})

describe('a scheduled rotation', () => {
  it('advances once every machine has confirmed, its tickets have lived and the interval has passed', async () => {
    const world = await converged()
    const before = world.ring()
    world.clock.advance(TIMING.every)
    const answer = await world.scheduled()
    expect(answer).toMatchObject({ generation: 2, fleet: { confirmed: 3 } })
    expect(keysOf(world.ring()).slice(0, 2)).toEqual([before.current, before.next])
    expect(world.secret.holders.has('AWSPREVIOUS')).toBe(false)
  })

  it('advances once for ten duplicates of the same event', async () => {
    const world = await converged()
    world.clock.advance(TIMING.every)
    const event = { action: 'rotate', scheduledTime: world.clock.now().toISOString() }
    await Promise.all(Array.from({ length: 10 }, () => world.invoke(event)))
    world.clock.advance(60)
    await world.invoke(event)
    expect(world.ring().generation).toBe(2)
    expect(world.secret.history).toHaveLength(3)
  })

  it('does nothing for an event from before the last rotation', async () => {
    const world = await converged()
    const early = new Date(world.clock.now().getTime() - 1000).toISOString()
    world.clock.advance(TIMING.every)
    expect((await world.rotate({ scheduledTime: early })).decision.action).toBe('rest')
    expect(world.ring().generation).toBe(1)
  })

  it('waits for the interval, and a manual one does not', async () => {
    const world = await converged()
    world.clock.advance(TIMING.ticketLifetime + 60)
    expect((await world.scheduled()).decision).toMatchObject({ action: 'hold' })
    expect(world.ring().generation).toBe(1)
    expect(await world.rotate({ reason: 'drill' })).toMatchObject({ generation: 2 })
  })

  it('waits for tickets to live their life, by hand too, and says so', async () => {
    const world = await converged()
    world.clock.advance(TIMING.ticketLifetime - 60)
    const { decision } = await world.rotate()
    expect(decision).toMatchObject({
      action: 'hold',
      reason: expect.stringContaining('tickets issued before'),
    })
    expect(world.ring().generation).toBe(1)
  })

  it('is taken up by a tick when its trigger never came', async () => {
    const world = await converged()
    world.clock.advance(TIMING.every + TIMING.tick + 1)
    expect(await world.reconcile()).toMatchObject({ generation: 2 })
  })
})

describe('a machine that has not confirmed', () => {
  it('holds the next rotation, by hand too, and is named with its reason', async () => {
    const world = new World()
    const lost = world.fleet.instances[1]
    if (lost) lost.conduct = 'lose'
    await world.reconcile()
    world.clock.advance(TIMING.every)
    const answer = await world.rotate()
    expect(answer.decision).toMatchObject({
      action: 'hold',
      reason: expect.stringContaining('i-2 (delivery timed out)'),
    })
    expect(world.ring().generation).toBe(1)
  })

  it('is delivered to again, alone and with back-off, until it confirms', async () => {
    const world = new World()
    const lost = world.fleet.instances[1]
    if (lost) lost.conduct = 'lose'
    await world.reconcile()
    await world.pass(4 * TIMING.tick)
    // Its place in the ramp held up another machine: that one is reached at once, and not by way of the first.
    const sent = world.fleet.orders.slice(1).map(({ to }) => (to === 'all' ? to : to.join()))
    expect(sent.slice(0, 2)).toEqual(['i-2', 'i-3'])
    expect(sent.slice(2).every((to) => to === 'i-2')).toBe(true)
    expect(sent.length).toBeGreaterThan(2)
    expect(sent.length).toBeLessThan(6)
    if (lost) lost.conduct = 'apply'
    await world.pass(8 * TIMING.tick)
    expect(world.delivery()).toMatchObject({ confirmed: 3, stragglers: [] })
  })

  it('makes the gate wait a ticket lifetime from when it confirmed', async () => {
    const world = new World()
    const lost = world.fleet.instances[1]
    if (lost) lost.conduct = 'lose'
    await world.reconcile()
    await world.pass(3 * HOUR)
    if (lost) lost.conduct = 'apply'
    await world.pass(HOUR)
    const convergedAt = world.delivery()?.convergedAt?.getTime() ?? 0
    await world.pass(2 * HOUR)
    expect(world.ring().rotatedAt.getTime()).toBeGreaterThanOrEqual(
      convergedAt + TIMING.ticketLifetime * 1000,
    )
    expect(world.ring().generation).toBe(2)
  })

  it('does not hold past maxKeyAge: forward secrecy wins, and an operator is paged', async () => {
    const world = new World()
    const lost = world.fleet.instances[1]
    if (lost) lost.conduct = 'lose'
    await world.reconcile()
    await world.pass(TIMING.maxKeyAge - TIMING.tick * 2)
    expect(world.ring().generation).toBe(1)
    expect(world.eventLog.of('measured').at(-1)?.metrics.RotationHeld).toBe(1)
    await world.pass(TIMING.tick * 3)
    expect(world.ring().generation).toBe(2)
    expect(world.eventLog.of('measured').some(({ metrics }) => metrics.RotationForced === 1)).toBe(true)
  })

  it.each([
    ['garbage', { say: 'hello' }, 'that are none'],
    ['two lines', { say: 'a\nb\n' }, '2 lines'],
    ['nothing', { say: '' }, '0 lines'],
    ['AccessDenied', 'denied' as const, 'AccessDenied'],
    ['only an error', 'fail' as const, '0 lines'],
  ])('is not confirmed by %s under an aggregate Success', async (_, conduct, reason) => {
    const world = new World()
    const odd = world.fleet.instances[2]
    if (odd) odd.conduct = conduct
    const answer = await world.reconcile()
    expect(answer.fleet).toMatchObject({
      confirmed: 2,
      stragglers: [{ id: 'i-3', reason: expect.stringContaining(reason) }],
    })
  })

  it.each([
    ['another ring', { ring: 'other' }, 'the ring other'],
    ['another key', { encryptsWith: 'f'.repeat(32) }, 'encrypts with ffff'],
    ['an older generation', { generation: 0 }, 'generation 0'],
    ['no handshake', { verified: 'none' }, 'no handshake'],
    ['another script', { script: 'ffffffffffff' }, 'ran script ffff'],
    ['another lineage', { lineage: '00000000-0000-0000-0000-000000000000' }, 'another lineage'],
  ])('is not confirmed by a line that names %s with Success', async (_, change, reason) => {
    const world = new World()
    await world.reconcile()
    world.clock.advance(TIMING.every)
    const odd = world.fleet.instances[2]
    const honest =
      odd?.apply(world.secret.values.get(world.secret.history.at(-1) ?? '') ?? '', 'edge', 1).output ?? ''
    const newcomer = world.fleet.join('i-4', false)
    newcomer.conduct = { say: JSON.stringify({ ...JSON.parse(honest), ...change }) }
    const { fleet } = await world.reconcile()
    expect(fleet?.stragglers).toEqual([{ id: 'i-4', reason: expect.stringContaining(reason) }])
  })
})

describe('the roll call', () => {
  it('forgets a machine that was terminated', async () => {
    const world = new World()
    const gone = world.fleet.instances[0]
    if (gone) gone.conduct = 'lose'
    await world.reconcile()
    if (gone) gone.present = false
    expect(await world.reconcile()).toMatchObject({ fleet: { members: 2, confirmed: 2 } })
  })

  it('counts a machine that lost its connection', async () => {
    const world = new World()
    const lost = world.fleet.instances[0]
    if (lost) lost.online = false
    expect((await world.reconcile()).fleet?.stragglers).toEqual([{ id: 'i-1', reason: 'connection lost' }])
  })

  it('takes in a machine that joined with the ring without waiting a ticket lifetime again', async () => {
    const world = await converged()
    const { convergedAt } = world.delivery() ?? {}
    world.clock.advance(HOUR)
    world.fleet.join('i-4')
    expect(await world.reconcile()).toMatchObject({ fleet: { members: 4, confirmed: 4 } })
    expect(world.delivery()?.convergedAt).toEqual(convergedAt)
    expect(world.fleet.orders.at(-1)?.to).toEqual(['i-4'])
  })

  it.each([
    ['empty', 0, 'no machine answers'],
    ['half', 1, 'only 1 of 3'],
  ])('holds and pages when it is suddenly %s', async (_, left, reason) => {
    const world = await converged()
    for (const instance of world.fleet.instances.slice(left)) instance.tagged = false
    world.clock.advance(TIMING.every + TIMING.tick)
    const { decision } = await world.scheduled()
    expect(decision).toMatchObject({ action: 'hold', reason: expect.stringContaining(reason) })
    expect(world.ring().generation).toBe(1)
    expect(world.eventLog.of('measured').at(-1)?.metrics.RotationHeld).toBe(1)
  })

  it('takes a shrunken fleet as it is once an operator delivers with a reason', async () => {
    const world = await converged()
    for (const instance of world.fleet.instances.slice(1)) instance.tagged = false
    expect((await world.reconcile()).decision.action).toBe('hold')
    await world.invoke({ action: 'deliver' })
    expect((await world.reconcile()).decision.action).toBe('hold')
    await world.invoke({ action: 'deliver', reason: 'scaled in on purpose' })
    expect((await world.reconcile()).decision.action).toBe('rest')
  })

  it('holds and pages below minInstances and when it is refused', async () => {
    const few = new World(['i-1'], { target: { tag: 'ticketring', values: ['edge'], minInstances: 2 } })
    expect((await few.reconcile()).decision.reason).toContain('fewer than minInstances (2)')
    const denied = await converged()
    denied.fleet.rollCallDenied = true
    denied.clock.advance(TIMING.every)
    expect((await denied.scheduled()).decision.reason).toContain('ssm:DescribeInstanceInformation')
    expect(denied.ring().generation).toBe(1)
  })
})

describe('a revoke', () => {
  it('replaces all three keys, skips the gate, does not ramp, and leaves no AWSPREVIOUS', async () => {
    const world = await converged()
    const before = world.ring()
    const answer = await world.invoke(REVOKE)
    expect(answer).toMatchObject({ generation: 2, proof: { refused: 3, stillAccepting: [], unproven: 0 } })
    expect(sharesNoKey(world.ring(), before)).toBe(true)
    expect(world.fleet.orders.at(-1)).toMatchObject({ ramp: false, to: 'all' })
    expect(world.secret.holders.has('AWSPREVIOUS')).toBe(false)
  })

  it('that names another ring is refused, and told what to write', async () => {
    const world = await converged()
    for (const dryRun of [false, true]) {
      await expect(world.invoke({ ...REVOKE, ring: 'web', dryRun })).rejects.toMatchObject({
        code: 'request-invalid',
        came: '"ring":"web"',
        fix: expect.stringContaining('{"action":"revoke","ring":"edge","reason":"<why>"}'),
      })
    }
    expect(world.secret.history).toHaveLength(2)
  })

  it('that is only tried says what it would replace and on how many machines, and proves nothing', async () => {
    const world = await converged()
    const { encryptsWith } = world.delivery() ?? {}
    const answer = await world.invoke({ ...REVOKE, dryRun: true })
    expect(answer).toMatchObject({ decision: { action: 'revoke' }, did: [], generation: 1 })
    expect(answer.decision.reason).toContain(
      `all three keys of generation 1, which encrypts with ${encryptsWith}`,
    )
    expect(answer.decision.reason).toMatch(/on 3 machines$/)
    expect(answer).not.toHaveProperty('proof')
    expect(world.secret.history).toHaveLength(2)
  })

  it('without a token goes on with one that is younger than ten minutes, and is another one after that', async () => {
    const world = await converged()
    const [odd] = world.fleet.instances
    if (odd) odd.conduct = 'lose'
    await world.invoke(REVOKE)
    world.clock.advance(9 * 60)
    const dry = await world.invoke({ ...REVOKE, dryRun: true })
    expect(dry.decision.reason).toMatch(/^a revoke made generation 2 5\d\d s ago, and this goes on with it/)
    if (odd) odd.conduct = 'apply'
    const again = await world.invoke(REVOKE)
    expect(again).toMatchObject({ generation: 2, proof: { refused: 3, unproven: 0 } })
    expect(again.decision.reason).toMatch(/^a revoke made generation 2 .* for another one give a "token"; /)
    await world.invoke({ ...REVOKE, token: 'another' })
    expect(world.ring().generation).toBe(3)
    world.clock.advance(10 * 60 + 1)
    await world.invoke(REVOKE)
    expect(world.ring().generation).toBe(4)
  })

  it('names the machines that still accept an old ticket', async () => {
    const world = await converged()
    const odd = world.fleet.instances[1]
    if (odd) {
      const line = { v: 1, ring: 'edge', lineage: '', generation: 0, server: 'nginx', result: 'failed' }
      const rest = {
        encryptsWith: '',
        verified: 'none',
        ms: 9,
        script: '0123456789ab',
        error: 'old-ticket-accepted',
      }
      odd.conduct = { say: JSON.stringify({ ...line, ...rest }), status: 'Failed' }
    }
    expect(await world.invoke(REVOKE)).toMatchObject({
      proof: { refused: 2, stillAccepting: ['i-2'] },
    })
  })

  it('does not confirm a machine where a ticket opens a guarded listener, counts it and names it', async () => {
    const world = await converged()
    const odd = world.fleet.instances[2]
    if (odd) {
      const line = { v: 1, ring: 'edge', lineage: '', generation: 0, server: 'haproxy', result: 'failed' }
      const rest = { encryptsWith: '', verified: 'none', ms: 9, script: '0123456789ab', error: 'auth-bypass' }
      odd.conduct = { say: JSON.stringify({ ...line, ...rest, detail: 'by the way' }), status: 'Failed' }
    }
    expect(world.eventLog.of('measured').at(-1)?.metrics).not.toHaveProperty('AuthBypass')
    await world.invoke(REVOKE)
    expect(world.eventLog.of('measured').at(-1)?.metrics).toMatchObject({ Stragglers: 1, AuthBypass: 1 })
    const { fleet } = await world.invoke({ action: 'status' })
    expect(fleet).toMatchObject({ confirmed: 2, authBypass: ['i-3'] })
    expect(fleet?.stragglers).toMatchObject([{ id: 'i-3', reason: 'auth-bypass: by the way' }])
  })

  it('happens once for a client that retries with its token', async () => {
    const world = await converged()
    const event = { ...REVOKE, token: 'incident-7' }
    await world.invoke(event)
    expect((await world.invoke(event)).decision.reason).toContain('incident-7')
    expect(world.ring().generation).toBe(2)
    await world.invoke({ ...REVOKE, token: 'incident-8' })
    expect((await world.invoke(event)).did).toEqual([])
    expect(world.ring().generation).toBe(3)
  })

  it('is finished by a tick when it was killed between staging and commit', async () => {
    const world = await converged()
    const before = world.ring()
    const ports = world.ports()
    const killed = {
      ...ports,
      commits: { ...methods(ports.commits), promote: () => Promise.reject(new Error('killed')) },
    }
    await expect(world.invoke(REVOKE, killed)).rejects.toThrow('killed')
    expect(await world.reconcile()).toMatchObject({ generation: 2 })
    expect(sharesNoKey(world.ring(), before)).toBe(true)
  })

  it('wins against a rotation that commits first', async () => {
    const world = await converged()
    world.clock.advance(TIMING.every)
    const before = world.ring()
    const ports = world.ports()
    const rotated = signal()
    const staged = signal()
    const rotator = {
      ...ports,
      commits: {
        ...methods(ports.commits),
        promote: async (version: string, parent: string) => {
          await staged.promise
          await ports.commits.promote(version, parent)
          rotated.resolve()
        },
      },
    }
    const revoker = {
      ...ports,
      commits: {
        ...methods(ports.commits),
        promote: async (version: string, parent: string) => {
          staged.resolve()
          await rotated.promise
          return ports.commits.promote(version, parent)
        },
      },
    }
    await Promise.all([world.invoke({ action: 'rotate' }, rotator), world.invoke(REVOKE, revoker)])
    expect(world.ring().generation).toBe(3)
    expect(sharesNoKey(world.ring(), before)).toBe(true)
  })
})

function signal() {
  let resolve = () => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}

describe('what other hands did to the labels', () => {
  it('holds and pages when AWSCURRENT was moved back, and a revoke goes forward from there', async () => {
    const world = await converged()
    world.clock.advance(TIMING.every)
    await world.scheduled()
    world.secret.moveByHand(world.secret.history[1] ?? '')
    const { decision } = await world.reconcile()
    expect(decision).toMatchObject({ action: 'hold', reason: expect.stringContaining('moved back by hand') })
    await world.invoke(REVOKE)
    expect(world.ring().generation).toBe(3)
    expect(world.fleet.instances.every(({ ring }) => ring?.generation === 3)).toBe(true)
  })

  it('takes an abandoned AWSPENDING off after 30 minutes, and does not rotate before', async () => {
    const world = await converged()
    await world.secret.stage('another-users-version-0123456789abcd', '{"x":"y"}')
    world.clock.advance(TIMING.every)
    expect((await world.scheduled()).decision).toMatchObject({
      action: 'hold',
      reason: expect.stringContaining('another rotation left'),
    })
    expect(world.ring().generation).toBe(1)
    await world.pass(31 * 60)
    expect(world.secret.holders.get('AWSPENDING')).toBeUndefined()
    expect(world.ring().generation).toBe(2)
  })

  it('answers a rotation that lost the compare-and-set with an error, and nothing has changed', async () => {
    const world = await converged()
    world.clock.advance(TIMING.every)
    const ports = world.ports()
    const stolen = {
      ...ports,
      commits: {
        ...methods(ports.commits),
        promote: async (version: string, parent: string) => {
          world.secret.values.set('by-hand', world.secret.values.get(parent) ?? '')
          world.secret.moveByHand('by-hand')
          return ports.commits.promote(version, parent)
        },
      },
    }
    await expect(world.invoke({ action: 'rotate' }, stolen)).rejects.toMatchObject({
      code: 'staged-ring-dead',
    })
    expect(world.secret.holders.get('AWSCURRENT')).toBe('by-hand')
    expect(world.secret.holders.get('AWSPENDING')).toBeUndefined()
  })
})

describe('the audit', () => {
  it('says once per instance and generation who held which key, and from when', async () => {
    const world = await converged()
    world.clock.advance(TIMING.every)
    await world.scheduled()
    await world.invoke({ action: 'deliver' })
    const lines = world.eventLog.of('held-by').map(({ instance, generation }) => `${instance}/${generation}`)
    expect(lines.sort()).toEqual(['i-1/1', 'i-1/2', 'i-2/1', 'i-2/2', 'i-3/1', 'i-3/2'])
  })

  it('says which version of its server a machine runs, where its line does', async () => {
    const world = await converged()
    const { ring, lineage, generation, current } = world.ring()
    const line = serialiseLine({
      ...{ ring, lineage, generation, encryptsWith: current.name, server: 'haproxy', result: 'applied' },
      ...{ verified: 'handshake', ms: 40, script: SCRIPT, serverVersion: '2.6.12-1+deb12u1' },
    })
    const [machine] = world.fleet.instances
    if (machine) machine.conduct = { say: `${line}\n` }
    await world.invoke({ action: 'deliver' })
    const told = world.eventLog.of('held-by').slice(-1)
    expect(told).toMatchObject([{ instance: 'i-1', generation: 1, serverVersion: '2.6.12-1+deb12u1' }])
    expect(world.eventLog.of('held-by')[0]).not.toHaveProperty('serverVersion')
  })
})
