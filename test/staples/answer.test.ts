import { beforeEach, describe, expect, it } from 'vitest'
import { StapleWorld } from '../fakes/staple-world.ts'

const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

let world: StapleWorld
beforeEach(() => {
  world = new StapleWorld()
})

const status = (certificate?: string) =>
  world.invoke({ action: 'status', ...(certificate === undefined ? {} : { certificate }) })
const pages = () => world.eventLog.of('decided').filter(({ action }) => action === 'hold-withdrawals')

describe('the certificates of an answer', () => {
  it('are, of a refresh, those that something was done about', async () => {
    world.add('www')
    world.add('api')
    await world.hold('api', 4 * DAY, { nextTry: new Date(world.clock.now().getTime() + DAY * 1000) })
    const { certificates, did } = await world.refresh()
    expect(certificates.map(({ name }) => name)).toEqual(['www'])
    expect(did).toEqual([
      `www: good until ${world.entry('www')?.response?.end.toISOString()}`,
      expect.stringMatching(/^delivered: /),
    ])
    expect((await world.refresh()).certificates).toEqual([])
  })

  it('are, of a refresh, also those that fail, though nothing was due', async () => {
    world.add('www')
    world.authority.manner = 'down'
    await world.refresh()
    const { certificates, did } = await world.refresh()
    expect(certificates).toMatchObject([{ name: 'www', failures: 1 }])
    expect(did).toEqual([])
  })

  it('are, of a status, all, each with what would be done about it now', async () => {
    world.add('www')
    world.add('api')
    await world.hold('www', 4 * DAY, { nextTry: world.clock.now() })
    await world.hold('api', 4 * DAY, { nextTry: new Date(world.clock.now().getTime() + 1000) })
    const { certificates } = await status()
    expect(certificates.map(({ name, reason }) => [name, reason])).toEqual([
      ['www', `due since ${world.clock.now().toISOString()}`],
      ['api', expect.stringMatching(/^good until /)],
    ])
  })
})

describe('the fleet of an answer', () => {
  it('is unjudged before anything was sent to it', async () => {
    world.add('www')
    const { fleet, asOf } = await status()
    expect(fleet).toStrictEqual({ members: 2, confirmed: 0, stragglers: [], now: { members: 2, online: 2 } })
    expect(asOf).toBe(world.clock.now().toISOString())
  })

  it('is as it was judged, beside the roll call of now', async () => {
    for (const machine of world.fleet.machines) machine.release = '1.22.1'
    world.add('www')
    await world.refresh()
    const judgedAt = world.clock.now().toISOString()
    world.clock.advance(HOUR)
    world.join('i-3').online = false
    expect((await status()).fleet).toStrictEqual({
      judgedAt,
      members: 2,
      confirmed: 2,
      stragglers: [],
      releases: [{ server: 'nginx', version: '1.22.1', machines: 2 }],
      programs: [{ version: expect.stringMatching(/^[0-9a-f]{12}$/), machines: 2 }],
      now: { members: 3, online: 2 },
    })
  })

  it('is not counted where the roll call is refused', async () => {
    world.add('www')
    await world.hold('www', 3 * DAY)
    const ports = world.ports()
    const inventory = { ...ports.inventory, members: () => Promise.reject(new Error('AccessDenied')) }
    const answer = await world.invoke({ action: 'status' }, { ...ports, inventory } as never)
    expect(answer.fleet).toStrictEqual({ members: 0, confirmed: 0, stragglers: [] })
    expect(answer.delivery).toMatchObject({ action: 'hold' })
  })
})

describe('the delivery of an answer', () => {
  it('says until when it waits for the machines that lack something, and otherwise no time', async () => {
    world.add('www')
    const [machine] = world.fleet.machines
    if (machine) machine.conduct = { fail: 'reload-failed' }
    const { delivery } = await world.refresh()
    expect(delivery).toMatchObject({ action: 'hold', until: expect.stringMatching(/^2026-.*Z$/) })
    if (machine) machine.conduct = 'apply'
    expect((await world.invoke({ action: 'deliver' })).delivery).toStrictEqual({
      action: 'rest',
      reason: 'all 2 machines hold every staple',
    })
  })
})

describe('withdrawals that are held', () => {
  const atTheirEnd = async (count: number) => {
    world.authority.manner = 'down'
    for (let n = 0; n < count; n++) {
      world.add(`c${n}`)
      await world.hold(`c${n}`, 15 * MINUTE)
    }
  }

  it('are named with their reasons in the answer, and in a page', async () => {
    await atTheirEnd(2)
    const { held, did, certificates } = await world.refresh()
    expect(held).toEqual(
      ['c0', 'c1'].map((name) => expect.stringMatching(`^${name}: the response ends at 2026-`)),
    )
    expect(pages()).toMatchObject([
      { page: true, reason: expect.stringMatching(/^2 staples would go .* c0, c1$/) },
    ])
    expect(world.metrics()).toMatchObject({ WithdrawalHeld: 1, StaplesWithdrawn: 0 })
    expect(certificates).toHaveLength(2)
    expect(did.filter((what) => what.includes('withdrawn'))).toEqual([])
    expect(world.entry('c0')).toMatchObject({ state: 'staple', failures: 1 })
  })

  it('are named by twenty in a page, however many they are', async () => {
    await atTheirEnd(21)
    await world.refresh()
    const [page] = pages()
    expect(page?.reason).toMatch(/^21 staples would go/)
    expect(page?.reason.split(', ').filter((name) => /c\d+$/.test(name))).toHaveLength(20)
  })

  it('are none, and none is told of, where one goes', async () => {
    await atTheirEnd(1)
    const answer = await world.refresh()
    expect(answer).not.toHaveProperty('held')
    expect(pages()).toEqual([])
    expect(world.metrics()).toMatchObject({ WithdrawalHeld: 0, StaplesWithdrawn: 1 })
    expect(answer.did).toContainEqual(expect.stringMatching(/^c0: withdrawn: the response ends at /))
  })
})

describe('what is measured', () => {
  it('is each certificate that cannot be read, and why', async () => {
    world.add('www')
    world.add('gone')
    world.chains.delete('/tls/gone/chain')
    await world.refresh()
    expect(world.eventLog.of('trouble')).toMatchObject([
      { during: 'reading the certificate gone', detail: expect.stringMatching(/^chain-missing/) },
    ])
    expect(world.eventLog.of('failing')).toEqual([{ kind: 'failing', reason: 'unreadable', certificates: 1 }])
  })

  it('is how many certificates fail by which rule or, where none refused, with which error', async () => {
    for (const name of ['a', 'b', 'c']) world.add(name)
    world.authority.manner = 'down'
    world.authority.manners.set('c', () => Buffer.of(1))
    await world.refresh()
    expect(world.eventLog.of('failing')).toEqual([
      { kind: 'failing', reason: 'responder-unreachable', certificates: 2 },
      { kind: 'failing', reason: 'V2', certificates: 1 },
    ])
  })

  it('is no machine where there is nothing to hold', async () => {
    world.add('www')
    world.authority.manner = 'down'
    await world.refresh()
    expect(world.metrics()).toMatchObject({ StaplesUndelivered: 0, StapleFailures: 1 })
  })

  it('is every machine that lacks something', async () => {
    world.add('www')
    for (const machine of world.fleet.machines) machine.conduct = 'lose'
    await world.refresh()
    expect(world.metrics()?.StaplesUndelivered).toBe(2)
  })
})
