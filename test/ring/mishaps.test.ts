import { describe, expect, it } from 'vitest'
import { serialiseLine } from '../../lambda/fleet/result-line.ts'
import { TicketringError } from '../../lambda/kernel/errors.ts'
import type { RotationPorts } from '../../lambda/ring/observation.ts'
import { sharesNoKey } from '../../lambda/ring/ring.ts'
import { isRevocation } from '../../lambda/ring/situation.ts'
import { SCRIPT } from '../fakes/fleet.ts'
import { converged, HOUR, methods, REVOKE, TIMING, World } from '../fakes/world.ts'

const KILLED = new Error('killed')
const killed = () => Promise.reject(KILLED)
const denied = () =>
  Promise.reject(new TicketringError('access-denied', { wanted: 'to be let in', came: 'AccessDenied' }))

const withSender = (ports: RotationPorts, changes: Partial<RotationPorts['sender']>): RotationPorts => {
  const { sender } = ports
  return {
    ...ports,
    sender: {
      send: sender.send.bind(sender),
      progress: sender.progress.bind(sender),
      results: sender.results.bind(sender),
      resultOf: sender.resultOf.bind(sender),
      ...changes,
    },
  }
}

/** The process ends while it sends: nothing that it would do after that happens. */
const withoutSending = (ports: RotationPorts): RotationPorts => ({
  ...withSender(ports, { send: killed }),
  records: { read: ports.records.read.bind(ports.records), write: killed },
})

/** A roll call that answers, or refuses, like this. */
const rollCallOf = (members: RotationPorts['inventory']['members']) => ({
  members,
  countListed: async () => 0,
})

const withoutPromotion = (ports: RotationPorts): RotationPorts => ({
  ...ports,
  commits: { ...methods(ports.commits), promote: killed },
})

const generationsSent = ({ fleet }: World) => fleet.orders.map(({ generation }) => generation)

describe('after a silence longer than maxKeyAge', () => {
  it('a generation that was committed and never sent is sent before its successor', async () => {
    const world = await converged()
    world.clock.advance(TIMING.every)
    await expect(world.invoke({ action: 'rotate' }, withoutSending(world.ports()))).rejects.toBe(KILLED)
    world.clock.advance(TIMING.maxKeyAge + HOUR)
    const { did } = await world.reconcile()
    expect(generationsSent(world)).toEqual([1, 2, 3])
    expect(did.map((what) => what.split(':')[0]).slice(0, 3)).toEqual(['deliver', 'await', 'advance'])
  })

  it('machines that joined meanwhile and hold the ring are no reason to force an advance', async () => {
    const world = await converged()
    const [gone] = world.fleet.instances
    if (gone) gone.present = false
    world.clock.advance(TIMING.maxKeyAge + HOUR)
    await world.reconcile()
    expect(world.eventLog.of('measured').at(-1)?.metrics).not.toHaveProperty('RotationForced')
    expect(world.ring().generation).toBe(2)
  })

  it('a fleet that cannot be reached does not keep the ring from being replaced', async () => {
    const world = await converged()
    world.clock.advance(TIMING.every)
    const unreachable = () => withSender(world.ports(), { send: denied })
    const refused = {
      action: 'hold',
      reason: expect.stringContaining('was not sent: access-denied: AccessDenied'),
    }
    expect((await world.invoke({ action: 'rotate' }, unreachable())).decision).toMatchObject(refused)
    expect(world.ring().generation).toBe(2)
    expect(world.eventLog.of('measured').at(-1)?.metrics.RotationHeld).toBe(1)
    world.clock.advance(TIMING.maxKeyAge)
    expect((await world.invoke({ action: 'reconcile' }, unreachable())).decision).toMatchObject(refused)
    expect(world.ring().generation).toBe(3)
    world.clock.advance(TIMING.tick)
    expect(await world.reconcile()).toMatchObject({ generation: 3, fleet: { confirmed: 3 } })
  })

  it('a generation that was staged and never committed is made anew, not promoted at that age', async () => {
    const world = await converged()
    world.clock.advance(TIMING.every)
    await expect(world.invoke({ action: 'rotate' }, withoutPromotion(world.ports()))).rejects.toBe(KILLED)
    world.clock.advance(TIMING.maxKeyAge)
    const now = world.clock.now()
    await world.reconcile()
    expect(world.ring()).toMatchObject({ generation: 2, rotatedAt: now })
    expect(generationsSent(world)).toEqual([1, 2])
  })
})

describe('a roll call that is throttled', () => {
  const throttled = () =>
    Promise.reject(new TicketringError('throttled', { wanted: 'the roll call', came: 'ThrottlingException' }))

  it('when a command is judged, forgets nothing of what the machines said', async () => {
    const world = await converged()
    world.clock.advance(TIMING.every)
    const [reset, failing] = world.fleet.instances
    if (reset) reset.ring = undefined
    if (failing) failing.conduct = 'fail'
    let calls = 0
    const members = () => (++calls === 1 ? world.fleet.members() : throttled())
    await world.invoke({ action: 'deliver' }, { ...world.ports(), inventory: rollCallOf(members) })
    expect(calls).toBe(2)
    expect((await world.rotate()).decision).toMatchObject({
      action: 'hold',
      reason: expect.stringContaining('i-2'),
    })
    if (failing) failing.conduct = 'apply'
    await world.invoke({ action: 'deliver' })
    expect((await world.rotate()).decision.reason).toContain('tickets issued before')
    expect(world.ring().generation).toBe(1)
  })

  it('after a long silence does not keep what was committed from being sent before its successor', async () => {
    const world = await converged()
    world.clock.advance(TIMING.every)
    const unsent = withoutSending(world.ports())
    await expect(world.invoke({ action: 'rotate' }, unsent)).rejects.toBe(KILLED)
    world.clock.advance(TIMING.maxKeyAge + HOUR)
    await world.invoke({ action: 'reconcile' }, { ...world.ports(), inventory: rollCallOf(throttled) })
    expect(generationsSent(world)).toEqual([1, 2, 3])
  })
})

describe('a staged ring', () => {
  it('is used by the invocation that comes soon after: one version, one ring', async () => {
    const world = await converged()
    world.clock.advance(TIMING.every)
    await expect(world.invoke({ action: 'rotate' }, withoutPromotion(world.ports()))).rejects.toBe(KILLED)
    const staged = world.secret.holders.get('AWSPENDING')
    world.clock.advance(TIMING.tick)
    await world.rotate()
    expect(world.secret.holders.get('AWSCURRENT')).toBe(staged)
  })
})

describe('a revoke', () => {
  it('makes new keys though AWSCURRENT was moved back to what was revoked before', async () => {
    const world = await converged()
    const revoked = world.ring()
    await world.invoke(REVOKE)
    const replaced = world.ring()
    world.secret.moveByHand(world.secret.history[1] ?? '')
    const { proof } = await world.invoke(REVOKE)
    expect(proof).toEqual({ refused: 3, stillAccepting: [], unproven: 0 })
    expect(world.ring().generation).toBe(3)
    expect(sharesNoKey(world.ring(), replaced)).toBe(true)
    expect(sharesNoKey(world.ring(), revoked)).toBe(true)
  })

  it('happens once for a client that retries, though what it staged was passed over and its record is lost', async () => {
    const world = await converged()
    const event = { ...REVOKE, token: 'incident-7' }
    await expect(world.invoke(event, withoutPromotion(world.ports()))).rejects.toBe(KILLED)
    world.clock.advance(31 * 60)
    await expect(world.invoke(event, withoutSending(world.ports()))).rejects.toBe(KILLED)
    expect(world.ring().generation).toBe(2)
    expect((await world.invoke(event)).decision.reason).toContain('incident-7')
    await world.reconcile()
    expect(world.ring().generation).toBe(2)
  })

  it('takes AWSPREVIOUS off what it revoked though a machine does not answer', async () => {
    const world = await converged()
    const [lost] = world.fleet.instances
    if (lost) lost.conduct = 'lose'
    expect(await world.invoke(REVOKE)).toMatchObject({ fleet: { confirmed: 2 } })
    expect(world.secret.holders.has('AWSPREVIOUS')).toBe(false)
  })

  it.each(['access-denied', 'throttled'] as const)(
    'is sent to all that have the tag although the roll call answers %s',
    async (code) => {
      const world = await converged()
      const refuse = () => Promise.reject(new TicketringError(code, { wanted: 'the roll call', came: code }))
      const ports = { ...world.ports(), inventory: rollCallOf(refuse) }
      const { decision } = await world.invoke(REVOKE, ports)
      expect(isRevocation(world.secret.holders.get('AWSCURRENT') ?? '')).toBe(true)
      expect(world.fleet.orders.at(-1)).toMatchObject({ generation: 2, to: 'all', ramp: false })
      expect(world.fleet.instances.every(({ ring }) => ring?.generation === 2)).toBe(true)
      expect(decision).toMatchObject({ action: 'hold', reason: expect.stringContaining('roll call') })
    },
  )

  it('wins although AWSCURRENT, asked for by its stage, still answers with the version before', async () => {
    const world = await converged()
    world.clock.advance(TIMING.every)
    const [before] = [await world.secret.read('AWSCURRENT')]
    await world.scheduled()
    const { secret } = world
    const lagging = {
      labels: secret.labels.bind(secret),
      read: async (which: Parameters<typeof secret.read>[0]) =>
        which === 'AWSCURRENT' ? before : secret.read(which),
    }
    await world.invoke(REVOKE, { ...world.ports(), versions: lagging })
    expect(world.ring().generation).toBe(3)
  })
})

describe('a command', () => {
  it('is waited for until it has ended, and judged then alone', async () => {
    const world = new World()
    world.fleet.pollsUntilEnd = 4
    const { did } = await world.reconcile()
    expect(world.fleet.orders).toHaveLength(1)
    expect(world.delivery()).toMatchObject({ confirmed: 3, attempts: 1, stragglers: [] })
    expect(did.filter((what) => what.startsWith('await'))).toHaveLength(1)
  })

  it('that outlasts an invocation is gone on with by the next tick, and not sent again', async () => {
    const world = new World()
    world.fleet.pollsUntilEnd = 60
    const { decision } = await world.reconcile()
    expect(decision.reason).toBe('a command is still under way: the next tick goes on')
    expect(world.delivery()).toMatchObject({ confirmed: 0, commands: [{ judged: false }] })
    world.fleet.pollsUntilEnd = 1
    await world.reconcile()
    expect(world.fleet.orders).toHaveLength(1)
    expect(world.delivery()).toMatchObject({ confirmed: 3, commands: [{ judged: true }] })
  })

  it('that the role may not look at is not waited for, and is read once it may', async () => {
    const world = new World()
    const began = world.clock.now().getTime()
    await world.invoke(
      { action: 'reconcile' },
      withSender(world.ports(), { progress: denied, results: denied }),
    )
    expect(world.clock.now().getTime() - began).toBeLessThan(10_000)
    expect(world.delivery()).toMatchObject({ confirmed: 0, commands: [{ judged: false }] })
    await world.reconcile()
    expect(world.fleet.orders).toHaveLength(1)
    expect(world.delivery()).toMatchObject({ confirmed: 3, commands: [{ judged: true }] })
  })

  it.each([
    ['Systems Manager never lists', 'unknown', 60],
    ['never ends', 'running', TIMING.delivery + TIMING.execution + 60],
  ] as const)('that %s is given up in time', async (_, state, seconds) => {
    const world = new World()
    const sentAt = world.clock.now().getTime()
    let readAfter = 0
    const ports = withSender(world.ports(), {
      progress: async () => ({ state, targets: 3, completed: 0 }),
      results: async (command) => {
        // Read before that too, to see whether it is open on machines that left.
        if (command === 'command-1') readAfter = (world.clock.now().getTime() - sentAt) / 1000
        return { invocations: [] }
      },
    })
    for (let tick = 0; world.delivery()?.commands[0]?.judged !== true && tick < 10; tick++) {
      await world.invoke({ action: 'reconcile' }, ports)
      world.clock.advance(10)
    }
    expect(world.delivery()?.commands[0]).toMatchObject({ id: 'command-1', judged: true })
    expect(readAfter).toBeGreaterThanOrEqual(seconds)
    expect(readAfter).toBeLessThan(seconds + 30)
  })
})

describe('a machine that quotes a reference to a parameter', () => {
  it('is named with what it said, and is delivered to again until it confirms', async () => {
    const world = new World()
    const [machine] = world.fleet.instances
    const say = serialiseLine({
      ring: 'edge',
      lineage: '',
      generation: 0,
      server: 'nginx',
      result: 'failed',
      encryptsWith: '',
      verified: 'none',
      ms: 4,
      script: SCRIPT,
      error: 'config-test-failed',
      detail: 'unknown {{ssm:/x}} in line 3',
    })
    if (machine) machine.conduct = { say, status: 'Failed' }
    const { fleet } = await world.reconcile()
    expect(fleet?.stragglers[0]?.reason).toContain('{{ssm:/x}}')
    expect(world.delivery()?.stragglers[0]?.detail).toContain('{{ssm:/x}}')
    if (machine) machine.conduct = 'apply'
    await world.pass(4 * TIMING.tick)
    expect(world.delivery()).toMatchObject({ confirmed: 3, stragglers: [] })
  })
})

describe('the gate', () => {
  it('waits a ticket lifetime for a machine that changed its keys while another one failed', async () => {
    const world = new World(['i-1', 'i-2', 'i-3', 'i-4', 'i-5'])
    const away = world.fleet.instances.slice(3)
    const [late, failing] = away
    await world.reconcile()
    for (const instance of away) instance.present = false
    world.clock.advance(TIMING.every)
    await world.scheduled()
    world.clock.advance(TIMING.ticketLifetime + 60)
    // One comes back with the ring it had. The other has fetched this one at its boot, but its agent fails at first.
    for (const instance of away) instance.present = true
    failing?.apply((await world.secret.read('AWSCURRENT'))?.value ?? '', 'edge', 2)
    if (failing) failing.conduct = 'fail'
    await world.pass(6 * TIMING.tick)
    expect(late?.ring?.generation).toBe(2)
    const { rotatedAt } = world.ring()
    if (failing) failing.conduct = 'apply'
    await world.invoke({ action: 'deliver' })
    const { decision } = await world.rotate()
    expect(decision).toMatchObject({
      action: 'hold',
      reason: expect.stringContaining('tickets issued before'),
    })
    expect(world.ring().rotatedAt).toEqual(rotatedAt)
  })
})
