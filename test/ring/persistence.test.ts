import { describe, expect, it } from 'vitest'
import type { RotationPorts } from '../../lambda/ring/observation.ts'
import { runStep } from '../../lambda/ring/secrets-manager-steps.ts'
import {
  begun,
  converged,
  HOUR,
  hooked,
  methods,
  REVOKE,
  stepOf,
  TIMING,
  TOKEN,
  World,
} from '../fakes/world.ts'

const BROKEN = new Error('the network is down')
const broken = () => Promise.reject(BROKEN)

const sentTo = ({ fleet }: World) => fleet.orders.map(({ to }) => to)

describe('finishSecret', () => {
  it('sends nothing where createSecret saw a machine that was not online: the next tick names those that are', async () => {
    const world = await begun()
    const [dead] = world.fleet.instances
    if (dead) dead.online = false
    await runStep(world.ports(), stepOf('createSecret'))
    expect(world.delivery()).toMatchObject({ offline: 1 })
    await runStep(world.ports(), stepOf('finishSecret'))
    expect(world.ring().generation).toBe(2)
    expect(sentTo(world)).toEqual(['all'])
    await world.reconcile()
    expect(sentTo(world)).toEqual(['all', ['i-2', 'i-3']])
  })

  it('sends to all again once createSecret saw all of them online', async () => {
    const world = await begun()
    const [dead] = world.fleet.instances
    if (dead) dead.online = false
    await runStep(world.ports(), stepOf('createSecret'))
    if (dead) dead.online = true
    await runStep(world.ports(), stepOf('createSecret'))
    expect(world.delivery()).toMatchObject({ offline: 0 })
    await runStep(world.ports(), stepOf('finishSecret'))
    expect(sentTo(world)).toEqual(['all', 'all'])
  })

  it('sends once, however often it is called', async () => {
    const world = await begun()
    for (const step of ['createSecret', 'finishSecret', 'finishSecret'])
      await runStep(world.ports(), stepOf(step))
    expect(sentTo(world)).toEqual(['all', 'all'])
    expect(world.eventLog.of('committed').filter(({ version }) => version === TOKEN)).toHaveLength(1)
  })

  it('asks again for a version that is not there yet, three times in all', async () => {
    const late = async (times: number) => {
      const world = await begun()
      await runStep(world.ports(), stepOf('createSecret'))
      const { secret } = world
      let missing = times
      const versions: RotationPorts['versions'] = {
        labels: secret.labels.bind(secret),
        read: async (which) => (--missing >= 0 ? undefined : secret.read(which)),
      }
      await runStep({ ...world.ports(), versions }, stepOf('finishSecret'))
      return world.ring().generation
    }
    expect(await late(2)).toBe(2)
    await expect(late(3)).rejects.toMatchObject({ code: 'token-unknown' })
  })
})

describe('finishSecret that is called late', () => {
  const committed = async () => {
    const world = await begun()
    await runStep(world.ports(), stepOf('createSecret'))
    return world
  }

  it('says what kept it from sending, and does not fail: the ring is current', async () => {
    const world = await committed()
    const records = { read: () => world.record.read(), write: broken }
    await runStep({ ...world.ports(), records }, stepOf('finishSecret'))
    expect(world.ring().generation).toBe(2)
    expect(world.eventLog.of('trouble')).toEqual([
      {
        kind: 'trouble',
        during: 'sending the delivery after finishSecret',
        detail: BROKEN.message,
      },
    ])
  })

  it('sends what is on record and was never sent, by a ramp', async () => {
    const world = await committed()
    await runStep(world.ports(), stepOf('finishSecret'))
    const record = JSON.parse(world.record.text ?? '{}')
    const unsent = { ...record.delivery, attempts: 0, commands: [] }
    world.record.text = JSON.stringify({ ...record, delivery: unsent })
    await runStep(world.ports(), stepOf('finishSecret'))
    expect(world.fleet.orders).toHaveLength(3)
    expect(world.fleet.orders.at(-1)).toMatchObject({ to: 'all', generation: 2, ramp: true })
  })

  it('reads a version that is there once', async () => {
    const world = await committed()
    const reads: unknown[] = []
    const versions: RotationPorts['versions'] = {
      labels: world.secret.labels.bind(world.secret),
      read: async (which) => {
        reads.push(which)
        return world.secret.read(which)
      },
    }
    await runStep({ ...world.ports(), versions }, stepOf('finishSecret'))
    expect(reads).toEqual([{ version: TOKEN }])
  })
})

describe('setSecret', () => {
  it('is for the rotation under way, or for the one that finished last, and names where AWSPENDING is', async () => {
    const world = await begun()
    await runStep(world.ports(), stepOf('setSecret'))
    await runStep(world.ports(), stepOf('createSecret'))
    await runStep(world.ports(), stepOf('finishSecret'))
    world.secret.holders.delete('AWSPENDING')
    await runStep(world.ports(), stepOf('setSecret'))
    const other = runStep(world.ports(), stepOf('setSecret', 'f'.repeat(64)))
    await expect(other).rejects.toMatchObject({ code: 'token-unknown', came: 'AWSPENDING on no version' })
    world.secret.holders.set('AWSPENDING', TOKEN)
    const another = runStep(world.ports(), stepOf('setSecret', 'f'.repeat(64)))
    await expect(another).rejects.toMatchObject({ came: `AWSPENDING on ${TOKEN}` })
  })
})

describe('createSecret', () => {
  it('writes no record where as many are offline as it says', async () => {
    const world = await begun()
    const records = { read: () => world.record.read(), write: broken }
    await runStep({ ...world.ports(), records }, stepOf('createSecret'))
    expect(staged(world)).toBeDefined()
  })

  it('that is called again after its commit does nothing', async () => {
    const world = await begun()
    for (const step of ['createSecret', 'finishSecret']) await runStep(world.ports(), stepOf(step))
    await runStep(world.ports(), stepOf('createSecret'))
    expect(world.ring().generation).toBe(2)
    expect(world.secret.holders.get('AWSPENDING')).toBe(TOKEN)
  })

  const staged = ({ secret }: World) => secret.values.get(TOKEN)

  it('is refused beside a revoke that is staged and not committed', async () => {
    const world = await begun()
    const ports = world.ports()
    const commits = { ...methods(ports.commits), promote: broken }
    await expect(world.invoke(REVOKE, { ...ports, commits })).rejects.toBe(BROKEN)
    await expect(runStep(world.ports(), stepOf('createSecret'))).rejects.toMatchObject({
      code: 'rotation-held',
      came: expect.stringContaining('staged and not committed'),
    })
    expect(staged(world)).toBeUndefined()
  })

  it('is refused where AWSCURRENT lost the ring that was delivered', async () => {
    const world = await begun()
    world.secret.values.set('emptied', '{}')
    world.secret.moveByHand('emptied')
    await expect(runStep(world.ports(), stepOf('createSecret'))).rejects.toMatchObject({
      code: 'rotation-held',
      came: expect.stringContaining('though generation 1 was delivered'),
    })
    expect(staged(world)).toBeUndefined()
  })

  it('says which version has AWSPENDING, or that none has, and no more of a name than its beginning', async () => {
    const world = hooked()
    await world.reconcile()
    const came = (token: string, secret?: string) =>
      runStep(world.ports(), stepOf('createSecret', token, secret)).catch((error: Error) => error.message)
    world.secret.holders.delete('AWSPENDING')
    expect(await came(TOKEN)).toContain('AWSPENDING on no version')
    world.secret.holders.set('AWSPENDING', TOKEN)
    expect(await came('f'.repeat(36))).toContain(`AWSPENDING on ${TOKEN}`)
    const long = `arn:aws:secretsmanager:eu-central-1:111122223333:secret:${'x'.repeat(2000)}`
    expect((await came(TOKEN, long))?.length).toBeLessThan(700)
  })
})

describe('what keeps a ring from being brought', () => {
  const unwritten = (world: World): RotationPorts => ({
    ...world.ports(),
    records: { read: () => world.record.read(), write: broken },
  })

  it('fails the invocation while the ring is young, and past maxKeyAge is told while the ring is replaced', async () => {
    const world = new World()
    world.fleet.pollsUntilEnd = 1000
    await world.reconcile()
    await expect(world.invoke({ action: 'reconcile' }, unwritten(world))).rejects.toBe(BROKEN)
    expect(world.ring().generation).toBe(1)
    world.clock.advance(TIMING.maxKeyAge)
    await expect(world.invoke({ action: 'reconcile' }, unwritten(world))).rejects.toBe(BROKEN)
    expect(world.ring().generation).toBe(2)
    expect(world.eventLog.of('trouble')).toMatchObject([
      { during: 'bringing a ring past maxKeyAge', detail: BROKEN.message },
    ])
  })

  it('too little time: what has been sent once waits for the next tick, and what never was is sent', async () => {
    const world = await converged()
    const [failing] = world.fleet.instances
    if (failing) failing.conduct = 'fail'
    const short = () => ({ ...world.ports(), clock: shortOfTime(world) })
    world.clock.advance(TIMING.every)
    await world.invoke({ action: 'rotate' }, short())
    expect(world.ring().generation).toBe(2)
    expect(sentTo(world)).toHaveLength(2)
    world.clock.advance(TIMING.tick)
    await world.reconcile()
    world.clock.advance(HOUR)
    const { decision } = await world.invoke({ action: 'reconcile' }, short())
    expect(decision.reason).toMatch(/; the next tick goes on$/)
    const before = sentTo(world).length
    await world.reconcile()
    expect(sentTo(world)).toHaveLength(before + 1)
  })
})

function shortOfTime({ clock }: World): RotationPorts['clock'] {
  return { now: () => clock.now(), sleep: (milliseconds) => clock.sleep(milliseconds), remaining: () => 1000 }
}

describe('a fleet that shrank', () => {
  it('is not taken as it is because a rotation or a revoke gives a reason', async () => {
    const world = await converged()
    for (const instance of world.fleet.instances.slice(1)) instance.tagged = false
    world.clock.advance(TIMING.every)
    for (const event of [{ action: 'rotate', reason: 'release' }, REVOKE]) {
      await world.invoke(event)
      expect((await world.reconcile()).decision).toMatchObject({
        action: 'hold',
        reason: expect.stringContaining('only 1 of 3 machines'),
      })
    }
  })
})

describe('a revoke', () => {
  it('that finds AWSCURRENT moved each time gives up after ten tries, each longer apart', async () => {
    const world = await converged()
    const { secret } = world
    let moves = 0
    const promote = async (version: string, parent: string) => {
      const moved = `moved-${++moves}`
      secret.values.set(moved, secret.values.get(secret.holders.get('AWSCURRENT') ?? '') ?? '{}')
      secret.moveByHand(moved)
      await secret.promote(version, parent)
    }
    const began = world.clock.now().getTime()
    const ports = { ...world.ports(), commits: { ...methods(secret), promote } }
    await expect(world.invoke(REVOKE, ports)).rejects.toMatchObject({ code: 'revoke-not-won' })
    expect(moves).toBe(10)
    expect(world.clock.now().getTime() - began).toBe(200 * 45)
  })
})

describe('the log of a decision', () => {
  it('says whether it pages', async () => {
    const pagesOf = ({ eventLog }: World) => eventLog.of('decided').at(-1)?.page
    const world = await converged()
    expect((await world.rotate()).decision.action).toBe('hold')
    expect(pagesOf(world)).toBe(false)
    for (const instance of world.fleet.instances.slice(1)) instance.tagged = false
    expect((await world.reconcile()).decision.action).toBe('hold')
    expect(pagesOf(world)).toBe(true)
  })
})
