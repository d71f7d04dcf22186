import { beforeEach, describe, expect, it } from 'vitest'
import { TicketringError } from '../../lambda/kernel/errors.ts'
import { parseEntry } from '../../lambda/staples/entry.ts'
import type { StaplePorts, StapleStore } from '../../lambda/staples/ports.ts'
import { ago } from '../fakes/staple-authority.ts'
import { StapleWorld } from '../fakes/staple-world.ts'
import { revoked } from '../ocsp/forge.ts'

const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

let world: StapleWorld
beforeEach(() => {
  world = new StapleWorld()
})

const asked = () => world.authority.questions.length
const fetched = () => world.eventLog.of('fetched')
const withdrawals = () => world.eventLog.of('withdrawn')
const denied = new TicketringError('access-denied', { wanted: 'to write', came: 'AccessDenied' })

/** The ports over a store that refuses to write what this says yes to. */
function refusing(refuses: (text: string) => boolean): StaplePorts {
  const { store, ...ports } = world.ports()
  const choosy: StapleStore = {
    read: (ids) => store.read(ids),
    earlier: (id, version) => store.earlier(id, version),
    write: (id, text, after) => (refuses(text) ? Promise.reject(denied) : store.write(id, text, after)),
  }
  return { ...ports, store: choosy }
}

describe('a response that came', () => {
  it('is told with what it changes: at first everything', async () => {
    world.add('www', {}, { mustStaple: true })
    await world.refresh()
    const { end, status } = world.entry('www')?.response ?? {}
    expect(fetched()).toEqual([
      {
        kind: 'fetched',
        certificate: 'www',
        status,
        end: end?.toISOString(),
        source: 'http://ocsp.example/',
        changed: true,
        mustStaple: true,
      },
    ])
  })

  it('that is newer changes the staple, and that is said', async () => {
    world.add('www')
    await world.hold('www', 3 * DAY)
    const { did } = await world.refresh()
    expect(fetched()).toMatchObject([{ changed: true }])
    expect(did[0]).toBe(`www: good until ${world.entry('www')?.response?.end.toISOString()}`)
  })

  it('that is no news changes nothing, and is not said to be done', async () => {
    world.add('www')
    const { response } = await world.hold('www', 3 * DAY)
    world.authority.manner = () => response?.der ?? Buffer.of()
    const { did } = await world.refresh()
    expect(fetched()).toMatchObject([{ changed: false }])
    expect(did.filter((what) => what.startsWith('www'))).toEqual([])
  })

  it('that is no news changes a staple which an operator took away and wants back', async () => {
    world.add('www')
    const { response } = await world.hold('www', 3 * DAY, { state: 'withdrawn', byHand: true })
    world.authority.manner = () => response?.der ?? Buffer.of()
    const { did } = await world.refresh({ certificate: 'www', force: true })
    expect(fetched()).toMatchObject([{ changed: true }])
    expect(did[0]).toMatch(/^www: good until /)
    expect(world.entry('www')).toMatchObject({ state: 'staple' })
  })
})

describe('a revoked certificate that the owner withholds', () => {
  it('and that has no staple yet is stored so, and nothing is said to be withdrawn', async () => {
    world.add('www', { revoked: 'withhold' })
    world.authority.manner = 'revoked'
    await world.refresh()
    expect(world.entry('www')).toMatchObject({ state: 'withdrawn', response: { status: 'revoked' } })
    expect(withdrawals()).toEqual([])
  })

  it('and that has a staple loses it, for that reason', async () => {
    world.add('www', { revoked: 'withhold' })
    await world.hold('www', 3 * DAY)
    world.authority.manner = 'revoked'
    await world.refresh()
    expect(withdrawals()).toMatchObject([{ certificate: 'www', reason: expect.stringContaining('revoked') }])
    expect(world.entry('www')?.state).toBe('withdrawn')
  })

  it('is not withdrawn by hand: it comes back by itself once it is good again', async () => {
    world.add('www')
    const status = revoked(ago(world.clock.now(), 60))
    // Too little is left to reach the machines.
    world.authority.manner = (now) =>
      world.authority.say('www', { singles: [{ status, nextUpdate: ago(now, -600) }] })
    await world.refresh()
    expect(world.entry('www')).toMatchObject({ state: 'withdrawn', response: { status: 'revoked' } })
    expect(world.entry('www')).not.toHaveProperty('byHand')
  })
})

describe('a try that failed', () => {
  it('is told by its code, and by the rule where one refused', async () => {
    world.add('www', {}, { mustStaple: true })
    world.add('api')
    world.authority.manners.set('www', 'down').set('api', () => Buffer.of(1))
    const { did } = await world.refresh()
    const [down, garbled] = world.eventLog.of('refused')
    expect(down).toStrictEqual({
      kind: 'refused',
      certificate: 'www',
      code: 'responder-unreachable',
      detail: expect.any(String),
      failures: 1,
      mustStaple: true,
    })
    expect(garbled).toMatchObject({ certificate: 'api', code: 'response-malformed', rule: 'V2' })
    expect(did[0]).toBe(`www: responder-unreachable: ${down?.detail}`)
  })

  it('withdraws a staple at its end in the same run, with the failure', async () => {
    world.add('www')
    await world.hold('www', 15 * MINUTE)
    world.authority.manner = 'down'
    await world.refresh()
    expect(world.entry('www')).toMatchObject({ state: 'withdrawn', failures: 1 })
    expect(withdrawals()).toMatchObject([{ reason: expect.stringContaining(': responder-unreachable') }])
  })

  it('leaves a staple that has time', async () => {
    world.add('www')
    await world.hold('www', 3 * HOUR)
    world.authority.manner = 'down'
    await world.refresh()
    expect(world.entry('www')).toMatchObject({ state: 'staple', failures: 1 })
    expect(withdrawals()).toEqual([])
  })
})

it('a staple at its end goes also where the run has no time left to ask', async () => {
  const url = 'http://ca.example/ca.cer'
  world.add('www', {}, { bare: true, caIssuers: [url] })
  await world.hold('www', 15 * MINUTE)
  world.responders = {
    ask: async (question) => {
      if (question.url !== url) return world.authority.ask(question)
      await world.clock.sleep(250_000)
      return { status: 200, body: world.authority.issuer.certificate.der }
    },
  }
  await world.refresh()
  expect(asked()).toBe(0)
  expect(world.entry('www')).toMatchObject({ state: 'withdrawn', failures: 0 })
})

it('a run without time left to ask asks nothing, not even for an issuer', async () => {
  world.add('www', {}, { bare: true, caIssuers: ['http://ca.example/ca.cer'] })
  const { clock, ...ports } = world.ports()
  const short = { now: () => clock.now(), sleep: clock.sleep.bind(clock), remaining: () => 1000 }
  let questions = 0
  const ask = async () => {
    questions += 1
    return { status: 404, body: Buffer.of() }
  }
  await world.invoke({ action: 'refresh' }, { ...ports, clock: short, responders: { ask } })
  expect(questions).toBe(0)
})

describe('where the store refuses', () => {
  it('a response for a staple at its end, the staple goes all the same', async () => {
    world.add('www')
    await world.hold('www', 15 * MINUTE)
    const ports = refusing((text) => parseEntry(text).state === 'staple')
    await expect(world.invoke({ action: 'refresh' }, ports)).rejects.toBe(denied)
    expect(fetched()).toHaveLength(1)
    expect(world.entry('www')).toMatchObject({ state: 'withdrawn' })
    expect(withdrawals()).toHaveLength(1)
  })

  it('a response for a staple that has time, nothing is withdrawn', async () => {
    world.add('www')
    await world.hold('www', 3 * HOUR)
    const ports = refusing((text) => parseEntry(text).state === 'staple')
    await expect(world.invoke({ action: 'refresh' }, ports)).rejects.toBe(denied)
    expect(world.entry('www')?.state).toBe('staple')
    expect(withdrawals()).toEqual([])
  })

  it('a withdrawal, nothing is said to be withdrawn', async () => {
    world.add('www')
    await world.hold('www', 15 * MINUTE)
    world.authority.manner = 'down'
    const ports = refusing((text) => parseEntry(text).state === 'withdrawn')
    await expect(world.invoke({ action: 'refresh' }, ports)).rejects.toBe(denied)
    expect(withdrawals()).toEqual([])
    expect(world.entry('www')?.state).toBe('staple')
    expect(world.metrics()).toMatchObject({ StaplesWithdrawn: 0, StapleFailures: 1 })
  })
})

describe('so many withdrawals that they are held', () => {
  /** `leaving` staples at their end, beside others that are not due, and certificates without any. */
  const set = async (leaving: number, staying: number, without = 0) => {
    const later = { nextTry: new Date(world.clock.now().getTime() + DAY * 1000) }
    for (let n = 0; n < leaving + staying; n++) {
      world.add(`c${n}`)
      await world.hold(`c${n}`, n < leaving ? 15 * MINUTE : 3 * DAY, n < leaving ? {} : later)
    }
    for (let n = 0; n < without; n++) world.add(`new${n}`)
    world.authority.manner = 'down'
  }

  it('are more than a fifth of the staples in place: what has none counts for nothing', async () => {
    await set(2, 7, 5)
    const { held, did } = await world.refresh()
    expect(held).toHaveLength(2)
    expect(withdrawals()).toEqual([])
    expect(did.filter((what) => !/^(c\d|new\d|delivered): /.test(what))).toEqual([])
  })

  it('are held in a refresh by force, too: only a withdrawal by force lets them go', async () => {
    await set(2, 0)
    expect((await world.refresh({ force: true })).held).toHaveLength(2)
    expect(withdrawals()).toEqual([])
  })

  it('are not a fifth of them', async () => {
    await set(2, 8)
    const { held, did } = await world.refresh()
    expect(held).toBeUndefined()
    expect(withdrawals().map(({ certificate }) => certificate)).toEqual(['c0', 'c1'])
    expect(did.filter((what) => /: withdrawn: /.test(what))).toHaveLength(2)
    expect(did.filter((what) => !/^(c\d|new\d|delivered): /.test(what))).toEqual([])
  })

  it('go by force, which asks about nothing that is not due', async () => {
    await set(2, 1)
    const later = new Date(world.clock.now().getTime() + DAY * 1000)
    world.add('resting')
    await world.hold('resting', 3 * DAY, { nextTry: later })
    const { held } = await world.invoke({ action: 'withdraw', force: true })
    expect(held).toBeUndefined()
    expect(withdrawals()).toHaveLength(2)
    expect(world.entry('resting')).toMatchObject({ failures: 0, nextTry: later })
  })
})

describe('an invocation', () => {
  beforeEach(async () => {
    world.add('www')
    world.add('api')
    for (const name of ['www', 'api']) await world.hold(name, 3 * DAY)
  })

  it('to deliver asks about nothing, though it is due', async () => {
    const { did } = await world.invoke({ action: 'deliver' })
    expect(asked()).toBe(0)
    expect(did).toEqual(['delivered: asked for by hand'])
  })

  it('to withdraw one by its name takes that one, says so, and asks about none', async () => {
    const { did, certificates } = await world.invoke({ action: 'withdraw', certificate: 'api' })
    expect(did[0]).toBe('api: withdrawn by hand')
    expect(world.entry('api')).toMatchObject({ state: 'withdrawn', byHand: true })
    expect(world.entry('www')?.state).toBe('staple')
    expect(certificates.map(({ name }) => name)).toEqual(['api'])
    expect(withdrawals()).toEqual([
      { kind: 'withdrawn', certificate: 'api', reason: 'withdrawn by hand', mustStaple: false },
    ])
    expect(asked()).toBe(0)
  })

  it('to refresh all by force leaves alone what was withdrawn by hand', async () => {
    await world.invoke({ action: 'withdraw', certificate: 'www' })
    await world.refresh({ force: true })
    expect(asked()).toBe(1)
    expect(world.entry('www')).toMatchObject({ state: 'withdrawn', byHand: true })
  })

  it('to refresh one asks about that one alone, due or not by force', async () => {
    await world.refresh({ certificate: 'api' })
    await world.refresh({ certificate: 'api' })
    expect(asked()).toBe(1)
    await world.refresh({ certificate: 'api', force: true })
    expect(asked()).toBe(2)
  })

  it('about one certificate is not kept from it by another one that cannot be read', async () => {
    world.add('gone')
    world.chains.delete('/tls/gone/chain')
    const { certificates } = await world.invoke({ action: 'status', certificate: 'www' })
    expect(certificates.map(({ name }) => name)).toEqual(['www', 'gone'])
    await expect(world.refresh({ certificate: 'api' })).resolves.toMatchObject({ action: 'refresh' })
    const gone = world.invoke({ action: 'status', certificate: 'gone' })
    await expect(gone).rejects.toMatchObject({ code: 'chain-missing' })
  })

  it('about an unknown certificate names those there are, twenty at most', async () => {
    await expect(world.refresh({ certificate: 'x'.repeat(99) })).rejects.toMatchObject({
      code: 'certificate-unknown',
      wanted: 'one of www, api',
      came: JSON.stringify('x'.repeat(64)),
    })
    for (let n = 0; n < 18; n++) world.add(`c${n}`)
    await expect(world.refresh({ certificate: 'x' })).rejects.toMatchObject({
      wanted: expect.stringMatching(/, c17$/),
    })
    world.add('one-more')
    await expect(world.refresh({ certificate: 'x' })).rejects.toMatchObject({
      wanted: expect.stringMatching(/, c17, …$/),
    })
  })

  it('to explain a response that is given holds it against the stored one, and the stored one not against itself', async () => {
    const older = world.authority.say('www', { singles: [{ thisUpdate: ago(world.clock.now(), 2 * DAY) }] })
    const ruleOf = async (response?: Uint8Array) =>
      (await world.explain('www', response)).rules.find(({ rule }) => rule === 'V14')?.ok
    expect(await ruleOf(older)).toBe(false)
    expect(await ruleOf()).toBeNull()
  })
})

describe('what is on record', () => {
  it('of another set is no record of this one', async () => {
    world.add('www')
    await world.refresh()
    world.record.text = JSON.stringify({ ...JSON.parse(world.record.text ?? '{}'), set: 'other' })
    const { did } = await world.refresh()
    expect(did).toEqual([expect.stringMatching(/^delivered: unknown changes/)])
  })

  it('under the id of a certificate, but of another one, is as good as nothing', async () => {
    world.add('www')
    world.add('api')
    await world.hold('api', 3 * DAY, { nextTry: new Date(world.clock.now().getTime() + DAY * 1000) })
    world.store.versions.set(world.id('www'), [...(world.store.versions.get(world.id('api')) ?? [])])
    await world.refresh()
    expect(asked()).toBe(1)
    expect(world.entry('www')).toMatchObject({ id: world.id('www'), name: 'www', state: 'staple' })
  })

  it('once an operator says why a fleet shrank, is that fleet', async () => {
    for (const id of ['i-3', 'i-4', 'i-5']) world.join(id)
    world.add('www')
    await world.refresh()
    for (const machine of world.fleet.machines.slice(2)) machine.tagged = false
    const [failing] = world.fleet.machines
    if (failing) failing.conduct = 'lose'
    await world.invoke({ action: 'deliver', reason: 'scaled in' })
    expect(JSON.parse(world.record.text ?? '{}').baseline).toMatchObject({ members: 2 })
  })
})
