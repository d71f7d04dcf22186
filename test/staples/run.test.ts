import { beforeEach, describe, expect, it } from 'vitest'
import { TicketringError } from '../../lambda/kernel/errors.ts'
import { TAG } from '../../lambda/ocsp/der-element.ts'
import { encode, encodeSequence } from '../../lambda/ocsp/der-writer.ts'
import { digestOf } from '../../lambda/staples/entry.ts'
import type { HttpAnswer } from '../../lambda/staples/ports.ts'
import { ago, RESPONDER } from '../fakes/staple-authority.ts'
import { STAPLE_TIMING, StapleWorld } from '../fakes/staple-world.ts'
import { revoked, UNKNOWN } from '../ocsp/forge.ts'

const HOUR = 3600
const DAY = 24 * HOUR

let world: StapleWorld
beforeEach(() => {
  world = new StapleWorld()
})

const heldBy = (machine: number, name: string) => world.fleet.machines[machine]?.held.get(world.id(name))
const digest = (name: string) => digestOf(world.entry(name)?.response?.der ?? new Uint8Array())
const asked = () => world.authority.questions.length
/** Where days pass for many certificates: each tick reads all of them. */
const tickHourly = () => world.configure({ timing: { ...STAPLE_TIMING, tick: HOUR } })

describe('a certificate with a responder', () => {
  it('is asked about once, and every machine holds the response that was stored', async () => {
    world.add('www')
    const answer = await world.refresh()
    expect(world.entry('www')).toMatchObject({
      state: 'staple',
      failures: 0,
      response: { status: 'good', haproxy: null },
    })
    expect(world.entry('www')?.response?.source).toBe(RESPONDER)
    expect([heldBy(0, 'www'), heldBy(1, 'www')]).toEqual([digest('www'), digest('www')])
    expect(answer.fleet).toMatchObject({ members: 2, confirmed: 2, stragglers: [] })
    expect(asked()).toBe(1)
  })

  it('is left alone until it is due, and costs no command then', async () => {
    world.add('www')
    await world.refresh()
    const [orders, writes] = [world.fleet.orders.length, world.store.writes]
    await world.pass(6 * HOUR)
    expect(asked()).toBe(1)
    expect(world.fleet.orders).toHaveLength(orders)
    expect(world.store.writes).toBe(writes)
  })

  it('is asked again within a day, and what is newer reaches the machines by its digest', async () => {
    world.add('www')
    world.add('api')
    await world.refresh()
    const first = digest('www')
    await world.pass(1.1 * DAY)
    expect(digest('www')).not.toBe(first)
    expect(heldBy(1, 'www')).toBe(digest('www'))
    const named = world.fleet.orders.flatMap(({ message }) => (message === 'all' ? [] : message))
    expect(named).toContainEqual([world.id('www'), digest('www')])
  })

  it('is not delivered again where the responder has nothing newer', async () => {
    world.add('www')
    await world.refresh()
    const { thisUpdate, nextUpdate } = world.entry('www')?.response ?? {}
    const first = digest('www')
    // Signed anew, so of other bytes, but no later: no news (V14).
    const dates = { ...(thisUpdate ? { thisUpdate } : {}), ...(nextUpdate ? { nextUpdate } : {}) }
    world.authority.manner = () => world.authority.say('www', { singles: [dates] })
    const orders = world.fleet.orders.length
    world.clock.advance(1.1 * DAY)
    await world.refresh()
    expect(asked()).toBe(2)
    expect(digest('www')).toBe(first)
    expect(world.fleet.orders).toHaveLength(orders)
    expect(world.entry('www')).toMatchObject({ failures: 0, state: 'staple' })
  })

  it('is asked at once by force, and only the one that is named', async () => {
    world.add('www')
    world.add('api')
    await world.refresh()
    world.clock.advance(60)
    const answer = await world.refresh({ certificate: 'www', force: true })
    expect(asked()).toBe(3)
    expect(answer.certificates.map(({ name }) => name)).toEqual(['www'])
  })

  it('is asked where the owner says instead, who need not be reachable for certificates', async () => {
    world.add('www', { url: 'http://10.0.0.9:8080/ocsp', proxy: 'http://proxy.internal:3128' })
    await world.refresh()
    expect(world.authority.questions).toMatchObject([{ trusted: true, proxy: 'http://proxy.internal:3128' }])
    expect(world.authority.questions[0]?.url).toMatch(/^http:\/\/10\.0\.0\.9:8080\/ocsp/)
  })

  it('is asked about with SHA-256 where the owner says so, which HAProxy would not take', async () => {
    world.add('www', { hash: 'sha256' })
    await world.refresh()
    expect(world.entry('www')).toMatchObject({
      state: 'staple',
      response: { haproxy: expect.stringContaining('sha256') },
    })
  })
})

describe('a certificate without an OCSP URL', () => {
  it('is a quiet state: no responder is asked, nothing is stored, nothing is measured against it', async () => {
    world.add('www', {}, { ocsp: [] })
    await world.refresh()
    expect(asked()).toBe(0)
    expect(world.store.writes).toBe(0)
    expect(world.fleet.orders).toHaveLength(0)
    expect(world.metrics()).toMatchObject({ StapleFailures: 0, StapleLifeLeft: 100, StaplesUndelivered: 0 })
    const { certificates } = await world.invoke({ action: 'status' })
    expect(certificates).toMatchObject([{ name: 'www', state: 'no-responder' }])
  })
})

describe('several responders', () => {
  it('are asked in turn, the next one first after a failure', async () => {
    world.add('www', {}, { ocsp: ['http://one.example/', 'http://two.example/'] })
    const ask = world.authority.ask.bind(world.authority)
    const down = { wanted: 'an answer', came: 'HTTP status 500' }
    const hosts: string[] = []
    world.responders = {
      ask: async (question) => {
        hosts.push(new URL(question.url).host)
        return question.url.includes('one.') ? { status: 500, body: Buffer.from(down.came) } : ask(question)
      },
    }
    await world.refresh()
    expect(hosts).toEqual(['one.example', 'one.example', 'two.example'])
    expect(world.entry('www')).toMatchObject({ state: 'staple', response: { source: 'http://two.example/' } })
  })

  it('each get the request past their cache, then by POST, where the answer was old', async () => {
    world.add('www')
    const ancient = world.authority.say('www', {
      singles: [
        { thisUpdate: new Date('2026-11-01T00:00:00Z'), nextUpdate: new Date('2026-11-02T00:00:00Z') },
      ],
    })
    let turn = 0
    world.authority.manner = () => (turn++ < 2 ? ancient : world.authority.say('www'))
    await world.refresh()
    const ways = world.authority.questions.map(({ method, fresh }) => `${method}${fresh ? ' fresh' : ''}`)
    expect(ways).toEqual(['GET', 'GET fresh', 'POST'])
    expect(world.entry('www')?.state).toBe('staple')
  })

  it('get a POST at once where they do not know GET', async () => {
    world.add('www')
    const ask = world.authority.ask.bind(world.authority)
    world.responders = {
      ask: (question) =>
        question.method === 'GET' ? Promise.resolve({ status: 405, body: new Uint8Array() }) : ask(question),
    }
    await world.refresh()
    expect(world.authority.questions.map(({ method }) => method)).toEqual(['POST'])
    expect(world.entry('www')?.state).toBe('staple')
  })
})

describe('sixty URLs in one certificate', () => {
  const sixty = Array.from({ length: 60 }, (_, n) => `http://r${n}.example/`)
  const slow = (seconds: number) => {
    const hosts: string[] = []
    world.responders = {
      ask: async ({ url }) => {
        hosts.push(new URL(url).host)
        await world.clock.sleep(seconds * 1000)
        throw new TicketringError('responder-timeout', { wanted: 'an answer', came: 'none' })
      },
    }
    return hosts
  }

  it('cost a run no more than four do, and the next run goes on with others', async () => {
    world.add('www', {}, { ocsp: sixty })
    const hosts = slow(10)
    await world.refresh()
    expect(hosts).toEqual(['r0.example', 'r1.example', 'r2.example', 'r3.example'])
    await world.pass(900)
    expect(hosts.slice(4)).toEqual(['r1.example', 'r2.example', 'r3.example', 'r4.example'])
  })

  it('for its issuer cost no more either', async () => {
    world.add('www', {}, { bare: true, caIssuers: sixty })
    const hosts = slow(10)
    await world.refresh()
    expect(hosts).toHaveLength(4)
  })

  it.each([
    ['responders', { ocsp: sixty }],
    ['issuers', { bare: true, caIssuers: sixty }],
  ])('of %s are asked no longer once the rest of the run belongs to the delivery', async (_, leaf) => {
    world.add('www', {}, leaf)
    const hosts = slow(125)
    await world.refresh()
    expect(hosts).toHaveLength(2)
  })
})

describe('a responder that is down', () => {
  it('leaves the good response in place, is asked again with back-off, and is heard once it is back', async () => {
    world.add('www')
    await world.refresh()
    const first = digest('www')
    world.authority.manner = 'down'
    await world.pass(1.5 * DAY)
    expect(heldBy(0, 'www')).toBe(first)
    expect(world.entry('www')).toMatchObject({
      state: 'staple',
      lastFailure: { code: 'responder-unreachable' },
    })
    expect(world.entry('www')?.failures).toBeGreaterThan(3)
    expect(world.metrics()?.StapleFailures).toBe(1)
    world.authority.manner = 'good'
    await world.pass(2 * HOUR)
    expect(world.entry('www')?.failures).toBe(0)
    expect(heldBy(0, 'www')).toBe(digest('www'))
    expect(digest('www')).not.toBe(first)
  })

  it('is asked less than once in a minute, and more often as the end nears', async () => {
    world.add('www')
    await world.refresh()
    world.authority.manner = 'down'
    const times: number[] = []
    const ask = world.authority.ask.bind(world.authority)
    world.responders = {
      ask: (question) => {
        times.push(world.clock.now().getTime())
        return ask(question)
      },
    }
    await world.pass(3.9 * DAY)
    const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0))
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(60_000)
    expect(times.length).toBeGreaterThan(40)
  })

  it('leads to a withdrawal before the response ends, after one last try, on every machine', async () => {
    world.add('www')
    await world.refresh()
    const end = world.entry('www')?.response?.end.getTime() ?? 0
    world.authority.manner = 'down'
    while (world.entry('www')?.state === 'staple') await world.pass(900)
    const gone = world.clock.now().getTime()
    expect(gone).toBeLessThan(end)
    expect(gone).toBeGreaterThan(end - 2 * HOUR * 1000)
    expect([heldBy(0, 'www'), heldBy(1, 'www')]).toEqual([undefined, undefined])
    expect(world.eventLog.of('withdrawn')).toMatchObject([{ certificate: 'www', mustStaple: false }])
    expect(world.metrics()).toMatchObject({ StaplesWithdrawn: 1, StapleLifeLeft: 0 })
    const lastTry = world.entry('www')?.lastFailure?.at.getTime() ?? 0
    expect(gone - lastTry).toBeLessThan(900_000)
  })

  it('does not hold up the rest of a run once it is known', async () => {
    for (let n = 0; n < 200; n++) world.add(`c${n}`)
    world.authority.manner = 'down'
    await world.refresh()
    expect(asked()).toBeLessThan(200)
    expect(asked()).toBeGreaterThan(0)
  })

  const tryLater = encodeSequence(encode(TAG.enumerated, Buffer.of(3)))
  it.each<[string, HttpAnswer]>([
    ['503', { status: 503, body: new Uint8Array() }],
    ['408', { status: 408, body: new Uint8Array() }],
    ['425', { status: 425, body: new Uint8Array() }],
    ['429', { status: 429, body: new Uint8Array() }],
    ['tryLater', { status: 200, contentType: 'application/ocsp-response', body: tryLater }],
  ])('says by %s when it may be asked again, and is not asked before, by any method', async (_, answer) => {
    world.add('www')
    world.authority.manner = () => ({ ...answer, retryAfter: '7200' })
    await world.refresh()
    expect(asked()).toBe(1)
    await world.pass(1.5 * HOUR)
    expect(asked()).toBe(1)
    await world.pass(HOUR)
    expect(asked()).toBe(2)
  })
})

describe('a must-staple certificate', () => {
  it('is named as such, and keeps its staple until the last run before its end where the owner wants that', async () => {
    world.configure({ timing: { ...STAPLE_TIMING, delivery: 1800 } })
    world.add('early', {}, { mustStaple: true })
    world.add('late', { mustStaple: 'keep-until-end' }, { mustStaple: true })
    for (let n = 0; n < 12; n++) world.add(`other${n}`)
    await world.refresh()
    world.authority.manners.set('early', 'down').set('late', 'down')
    const end = world.entry('late')?.response?.end.getTime() ?? 0
    while (world.entry('early')?.state === 'staple') await world.pass(900)
    expect(world.entry('late')?.state).toBe('staple')
    expect(world.eventLog.of('withdrawn')[0]?.mustStaple).toBe(true)
    expect(world.eventLog.of('withdrawn')[0]?.reason).toContain('must-staple')
    const longer = world.clock.now().getTime()
    while (world.entry('late')?.state === 'staple') await world.pass(900)
    const gone = world.clock.now().getTime()
    expect(gone).toBeGreaterThan(longer)
    expect(gone).toBeLessThan(end)
    expect(gone).toBeGreaterThanOrEqual(end - 900_000)
    expect(heldBy(0, 'late')).toBeUndefined()
    const { certificates } = await world.invoke({ action: 'status' })
    expect(certificates.find(({ name }) => name === 'late')?.mustStaple).toBe(true)
  })
})

describe('a revoked certificate', () => {
  it('raises the metric, and its response is stapled where the owner says so', async () => {
    world.add('www')
    await world.refresh()
    world.authority.manner = 'revoked'
    await world.pass(1.1 * DAY)
    expect(world.entry('www')).toMatchObject({ state: 'staple', response: { status: 'revoked' } })
    expect(heldBy(0, 'www')).toBe(digest('www'))
    expect(world.metrics()?.StaplesRevoked).toBe(1)
  })

  it('has nothing stapled where the owner withholds it, and is still reported', async () => {
    world.add('www', { revoked: 'withhold' })
    await world.refresh()
    world.authority.manner = 'revoked'
    await world.pass(1.1 * DAY)
    expect(world.entry('www')).toMatchObject({ state: 'withdrawn', response: { status: 'revoked' } })
    expect(heldBy(0, 'www')).toBeUndefined()
    expect(world.metrics()).toMatchObject({ StaplesRevoked: 1, StaplesWithdrawn: 0 })
  })

  it.each(['staple', 'withhold'] as const)(
    'is known at once though the response that says so ends in twenty minutes: %s',
    async (choice) => {
      world.add('www', { revoked: choice })
      await world.refresh()
      const status = revoked(ago(world.clock.now(), 60))
      world.clock.advance(1.1 * DAY)
      world.authority.manner = (now) =>
        world.authority.say('www', { singles: [{ status, nextUpdate: ago(now, -1200) }] })
      await world.refresh()
      const state = choice === 'staple' ? 'staple' : 'withdrawn'
      expect(world.entry('www')).toMatchObject({ state, failures: 0, response: { status: 'revoked' } })
      expect(world.metrics()?.StaplesRevoked).toBe(1)
      expect(heldBy(0, 'www')).toBe(choice === 'staple' ? digest('www') : undefined)
      await world.pass(900)
      expect(world.entry('www')?.response?.status).toBe('revoked')
    },
  )

  it('is known, and has nothing stapled, where the response would end before the machines could drop it', async () => {
    world.add('www')
    await world.refresh()
    world.clock.advance(1.1 * DAY)
    const status = revoked(ago(world.clock.now(), 60))
    world.authority.manner = (now) =>
      world.authority.say('www', { singles: [{ status, nextUpdate: ago(now, -600) }] })
    await world.refresh()
    expect(world.entry('www')).toMatchObject({ state: 'withdrawn', response: { status: 'revoked' } })
    expect(world.metrics()).toMatchObject({ StaplesRevoked: 1, StaplesWithdrawn: 0 })
    expect(heldBy(0, 'www')).toBeUndefined()
  })

  it('is put back once it is good again, as after a certificate hold', async () => {
    world.add('www', { revoked: 'withhold' })
    world.authority.manner = 'revoked'
    await world.refresh()
    expect(world.entry('www')?.state).toBe('withdrawn')
    world.authority.manner = 'good'
    await world.pass(1.1 * DAY)
    expect(world.entry('www')?.state).toBe('staple')
    expect(heldBy(1, 'www')).toBe(digest('www'))
  })
})

describe('unknown', () => {
  it('is never delivered, and never takes the place of a good one', async () => {
    world.add('www')
    world.add('new')
    world.authority.manners.set('new', () => world.authority.say('new', { singles: [{ status: UNKNOWN }] }))
    await world.refresh()
    expect(world.entry('new')).toMatchObject({
      state: 'none',
      lastFailure: { code: 'response-unknown', rule: 'V15' },
    })
    expect(heldBy(0, 'new')).toBeUndefined()
    const first = digest('www')
    world.authority.manner = () => world.authority.say('www', { singles: [{ status: UNKNOWN }] })
    await world.pass(1.1 * DAY)
    expect(heldBy(0, 'www')).toBe(first)
  })
})

describe('many withdrawals at once', () => {
  it('are held, and an operator is paged: the staples stay', async () => {
    tickHourly()
    for (let n = 0; n < 5; n++) world.add(`c${n}`)
    await world.refresh()
    world.authority.manner = 'down'
    await world.pass(3.999 * DAY)
    expect(world.eventLog.of('withdrawn')).toEqual([])
    expect(world.metrics()?.WithdrawalHeld).toBe(1)
    expect(world.eventLog.of('decided').find(({ action }) => action === 'hold-withdrawals')?.page).toBe(true)
    expect(heldBy(0, 'c0')).toBe(digest('c0'))
    const released = await world.invoke({ action: 'withdraw', force: true })
    expect(released.held).toBeUndefined()
    expect(world.eventLog.of('withdrawn')).toHaveLength(5)
    expect(heldBy(0, 'c0')).toBeUndefined()
  })

  it('by revocation are held as well, and the revocations still reported', async () => {
    for (let n = 0; n < 5; n++) world.add(`c${n}`, { revoked: 'withhold' })
    await world.refresh()
    world.authority.manner = 'revoked'
    world.clock.advance(1.1 * DAY)
    const answer = await world.refresh()
    expect(answer.held).toHaveLength(5)
    expect(world.metrics()).toMatchObject({ WithdrawalHeld: 1, StaplesRevoked: 5 })
    expect(heldBy(0, 'c0')).toBe(digest('c0'))
  })

  it('are not many where it is one, or a fifth', async () => {
    tickHourly()
    for (let n = 0; n < 10; n++) world.add(`c${n}`)
    await world.refresh()
    for (const name of ['c0', 'c1']) world.authority.manners.set(name, 'down')
    await world.pass(4 * DAY)
    expect(
      world.eventLog
        .of('withdrawn')
        .map(({ certificate }) => certificate)
        .sort(),
    ).toEqual(['c0', 'c1'])
    expect(world.metrics()?.WithdrawalHeld).toBe(0)
  })
})

describe('withdrawing by hand', () => {
  it('stays until a refresh by its name, by force, puts it back', async () => {
    world.add('www')
    await world.refresh()
    await world.invoke({ action: 'withdraw', certificate: 'www' })
    expect(heldBy(0, 'www')).toBeUndefined()
    await world.pass(2 * DAY)
    await world.refresh({ force: true })
    expect(world.entry('www')).toMatchObject({ state: 'withdrawn', byHand: true })
    expect(world.metrics()?.StaplesWithdrawn).toBe(0)
    await world.refresh({ certificate: 'www', force: true })
    expect(heldBy(0, 'www')).toBe(digest('www'))
    expect(world.entry('www')?.byHand).toBeUndefined()
  })
})

describe('delivery', () => {
  it('is judged by what each machine says, and repeated with back-off to who is missing, with everything', async () => {
    world.add('www')
    const [, lost] = world.fleet.machines
    if (lost) lost.conduct = { fail: 'reload-failed' }
    const answer = await world.refresh()
    expect(answer.fleet).toMatchObject({
      members: 2,
      confirmed: 1,
      stragglers: [{ id: 'i-2', reason: 'reload-failed', fix: 'Try the reload command by hand there' }],
    })
    expect(answer.delivery.action).toBe('hold')
    expect(world.metrics()?.StaplesUndelivered).toBe(1)
    await world.pass(1800)
    expect(world.fleet.orders.at(-1)).toMatchObject({ to: ['i-2'], message: 'all' })
    expect(world.fleet.orders.length).toBeLessThan(4)
    if (lost) lost.conduct = 'apply'
    await world.pass(4 * HOUR)
    expect(heldBy(1, 'www')).toBe(digest('www'))
    expect(world.metrics()?.StaplesUndelivered).toBe(0)
  })

  it('by hand brings a certificate that is named, and the others with it', async () => {
    world.add('www')
    world.add('shop')
    await world.refresh()
    const { did } = await world.invoke({ action: 'deliver', certificate: 'www' })
    expect(did).toEqual(['delivered: asked for by hand'])
    expect(world.fleet.orders.at(-1)).toMatchObject({ to: 'all', message: 'all' })
  })

  it('is not repeated within one run, however long its commands take', async () => {
    world.add('www')
    const [machine] = world.fleet.machines
    if (machine) machine.conduct = { fail: 'reload-failed' }
    const { sender, ...ports } = world.ports()
    const slow = {
      send: sender.send.bind(sender),
      results: sender.results.bind(sender),
      resultOf: sender.resultOf.bind(sender),
      async progress(id: string) {
        // Past every back-off: by then the next delivery is due.
        world.clock.advance(HOUR * 3)
        return sender.progress(id)
      },
    }
    const { delivery, did } = await world.invoke({ action: 'refresh' }, { ...ports, sender: slow })
    // The second goes to the machine that the first had not reached when the other one failed.
    expect(world.fleet.orders.map(({ to }) => to)).toEqual(['all', ['i-2']])
    expect(did.filter((what) => what.startsWith('delivered'))).toHaveLength(2)
    expect(delivery).toMatchObject({ action: 'hold', reason: expect.stringContaining('reload-failed') })
    await world.pass(900)
    expect(world.fleet.orders.slice(2).map(({ to }) => to)).toEqual([['i-1']])
  })

  it.each([
    ['another set', { staples: 'other' }],
    ['another script', { script: '000000000000' }],
    ['no line', undefined],
  ])('does not count a machine that reports %s', async (_, change) => {
    world.add('www')
    const line = {
      v: 1,
      staples: 'edge',
      server: 'nginx',
      result: 'applied',
      installed: 1,
      withdrawn: 0,
      held: 1,
      verified: 'handshake',
      ms: 1,
      script: 'ba9876543210',
    }
    const [machine] = world.fleet.machines
    if (machine)
      machine.conduct = { say: change === undefined ? 'hello' : JSON.stringify({ ...line, ...change }) }
    expect((await world.refresh()).fleet.confirmed).toBe(1)
  })

  it('tells all machines to look at the store where one had missed the last change', async () => {
    world.add('www')
    world.add('api')
    const [, lost] = world.fleet.machines
    if (lost) lost.conduct = 'lose'
    await world.refresh()
    await world.refresh({ certificate: 'www', force: true })
    world.clock.advance(7 * 60)
    if (lost) lost.conduct = 'apply'
    await world.refresh({ certificate: 'api', force: true })
    expect(world.fleet.orders.at(-1)?.message).toBe('all')
    expect(heldBy(1, 'www')).toBe(digest('www'))
  })

  it('of more than 25 changes names none', async () => {
    tickHourly()
    for (let n = 0; n < 30; n++) world.add(`c${n}`)
    await world.refresh()
    await world.pass(1.2 * DAY)
    for (const { message } of world.fleet.orders) expect(message === 'all' || message.length <= 25).toBe(true)
    expect(heldBy(0, 'c29')).toBe(digest('c29'))
  })

  it('finds out who joins, and brings them everything', async () => {
    world.add('www')
    await world.refresh()
    const machine = world.join('i-3')
    await world.pass(1800)
    expect(machine.held.get(world.id('www'))).toBe(digest('www'))
  })

  it('by hand goes to everybody', async () => {
    world.add('www')
    await world.refresh()
    world.fleet.machines[0]?.held.clear()
    const answer = await world.invoke({ action: 'deliver' })
    expect(heldBy(0, 'www')).toBe(digest('www'))
    expect(answer.did).toEqual(['delivered: asked for by hand'])
  })

  it('holds and pages where the fleet is gone', async () => {
    world.add('www')
    await world.refresh()
    for (const machine of world.fleet.machines) machine.tagged = false
    const answer = await world.refresh()
    expect(answer.delivery).toMatchObject({ action: 'hold' })
    expect(world.eventLog.of('decided').at(-1)).toMatchObject({ page: true })
  })

  it('takes a fleet that has shrunk as it is where an operator says why, and not without a reason', async () => {
    for (const id of ['i-3', 'i-4', 'i-5']) world.join(id)
    world.add('www')
    await world.refresh()
    for (const machine of world.fleet.machines.slice(2)) machine.tagged = false
    const shrunk = { action: 'hold', reason: expect.stringContaining('only 2 of 5') }
    expect((await world.refresh()).delivery).toMatchObject(shrunk)
    expect((await world.invoke({ action: 'deliver' })).delivery).toMatchObject(shrunk)
    const taken = await world.invoke({ action: 'deliver', reason: 'scaled in' })
    const asked = { kind: 'asked', action: 'deliver', reason: 'scaled in' }
    expect(world.eventLog.entries.filter(({ kind }) => kind === 'asked')).toEqual([asked])
    expect(taken.did).toEqual(['delivered: asked for by hand'])
    expect(taken.delivery.action).toBe('rest')
    expect((await world.refresh()).delivery.action).toBe('rest')
  })

  it('that was killed after the store, or after the sending, is finished by the next run', async () => {
    for (const victim of ['send', 'results', 'progress'] as const) {
      world = new StapleWorld()
      world.add('www')
      const ports = world.ports()
      const dies = async () => Promise.reject(new Error('killed'))
      const broken = {
        send: ports.sender.send,
        progress: ports.sender.progress,
        results: ports.sender.results,
      }
      const sender = Object.fromEntries(
        Object.entries(broken).map(([name, call]) => [name, name === victim ? dies : call.bind(world.fleet)]),
      ) as unknown as typeof ports.sender
      const records = { read: ports.records.read.bind(ports.records), write: dies }
      const dying = { ...ports, sender, records }
      await expect(world.invoke({ action: 'refresh' }, dying)).rejects.toThrow('killed')
      await world.refresh()
      expect(heldBy(0, 'www')).toBe(digest('www'))
      expect(world.metrics()?.StaplesUndelivered).toBe(0)
      expect(asked()).toBe(1)
    }
  })
})

describe('status', () => {
  it('names state, end, life left, next try and the last failure with its rule, and writes nothing', async () => {
    world.add('www')
    await world.refresh()
    const [writes, text] = [world.store.writes, world.record.text]
    world.clock.advance(2 * DAY)
    const { certificates, did } = await world.invoke({ action: 'status' })
    expect(certificates).toMatchObject([
      {
        name: 'www',
        state: 'staple',
        status: 'good',
        failures: 0,
        mustStaple: false,
        lifeLeft: 2 * DAY - 60,
      },
    ])
    expect(certificates[0]?.lifeLeftPercent).toBeCloseTo(50, 0)
    expect(certificates[0]?.nextTry).toMatch(/^2026-/)
    expect(did).toEqual([])
    expect([world.store.writes, world.record.text]).toEqual([writes, text])
    expect(asked()).toBe(1)
  })

  it('shows the one certificate that it is asked about', async () => {
    world.add('www')
    world.add('shop')
    await world.refresh()
    world.authority.manners.set('shop', 'down')
    await world.refresh({ force: true })
    const { certificates } = await world.invoke({ action: 'status', certificate: 'www' })
    expect(certificates.map(({ name }) => name)).toEqual(['www'])
    const unknown = world.invoke({ action: 'status', certificate: 'absent' })
    await expect(unknown).rejects.toMatchObject({ code: 'certificate-unknown' })
  })

  it('counts the machines of the roll call while nothing was sent to them', async () => {
    world.add('www')
    const { sender, ...ports } = world.ports()
    const cut = { ...sender, send: () => Promise.reject(new Error('refused')) }
    const refreshed = await world.invoke({ action: 'refresh' }, { ...ports, sender: cut })
    const { fleet, delivery } = await world.invoke({ action: 'status' })
    expect(delivery).toEqual(refreshed.delivery)
    expect(delivery).toMatchObject({
      action: 'hold',
      reason: expect.stringContaining('not sent: Error: refused'),
    })
    expect(fleet).toMatchObject({ members: world.fleet.machines.length, confirmed: 0, stragglers: [] })
    expect(fleet).not.toHaveProperty('judgedAt')
    expect(fleet.members).toBeGreaterThan(0)
  })

  it('counts the staples that had drifted and were put right, once, and measures them once', async () => {
    world.add('www')
    await world.refresh()
    expect(world.metrics()).not.toHaveProperty('DriftRepaired')
    const [first, second] = world.fleet.machines
    if (first) first.drifted = 2
    if (second) second.drifted = 1
    await world.invoke({ action: 'deliver' })
    expect(world.metrics()).toMatchObject({ DriftRepaired: 3 })
    expect(world.eventLog.of('drift-repaired')).toEqual([
      { kind: 'drift-repaired', instance: first?.id, staples: 2 },
      { kind: 'drift-repaired', instance: second?.id, staples: 1 },
    ])
    expect((await world.invoke({ action: 'status' })).fleet.drifted).toBe(3)
    if (first) first.drifted = 1
    await world.invoke({ action: 'deliver' })
    expect(world.metrics()).toMatchObject({ DriftRepaired: 1 })
    expect((await world.invoke({ action: 'status' })).fleet.drifted).toBe(4)
    await world.refresh()
    expect(world.metrics()).not.toHaveProperty('DriftRepaired')
    // Of another holding nothing is known yet.
    await world.pass(1.1 * DAY)
    expect((await world.invoke({ action: 'status' })).fleet).not.toHaveProperty('drifted')
  })

  it('names a certificate that cannot be read, without keeping the others from being looked after', async () => {
    world.add('www')
    world.add('gone')
    world.chains.delete('/tls/gone/chain')
    world.add('garbled')
    world.chains.set('/tls/garbled/chain', 'no certificate')
    world.add('twin')
    world.chains.set('/tls/twin/chain', world.chains.get('/tls/www/chain') ?? '')
    await world.refresh()
    expect(heldBy(0, 'www')).toBe(digest('www'))
    const { certificates } = await world.invoke({ action: 'status' })
    const reasons = Object.fromEntries(certificates.map(({ name, reason }) => [name, reason]))
    expect(reasons.gone).toMatch(/^chain-missing/)
    expect(reasons.garbled).toMatch(/^certificate-malformed/)
    expect(reasons.twin).toMatch(/^configuration-invalid/)
    expect(world.metrics()?.StapleFailures).toBe(3)
    await expect(world.refresh({ certificate: 'gone' })).rejects.toMatchObject({ code: 'chain-missing' })
    await expect(world.refresh({ certificate: 'absent' })).rejects.toMatchObject({
      code: 'certificate-unknown',
    })
  })
})

describe('explain', () => {
  it('prints each rule of the stored response, in the shape of the command line', async () => {
    world.add('www')
    await world.refresh()
    const answer = JSON.parse(JSON.stringify(await world.explain('www')))
    expect(answer).toMatchObject({ certificate: 'www', state: 'staple', verdict: 'good' })
    expect(answer.rules).toHaveLength(17)
    expect(answer.rules[3]).toEqual({ rule: 'V4', ok: true, detail: expect.any(String) })
    expect(answer.effectiveEnd).toBe(world.entry('www')?.response?.end.toISOString())
    expect(answer).not.toHaveProperty('outcomes')
  })

  it('judges a response that is given, and names the rule it breaks', async () => {
    world.add('www')
    world.add('api')
    const answer = await world.explain('www', world.authority.say('api'))
    expect(answer.verdict).toBe('refused')
    expect(answer.rules.find(({ ok }) => ok === false)?.rule).toBe('V4')
  })

  it('says why there is nothing to explain', async () => {
    world.add('www')
    world.authority.manner = 'down'
    await world.refresh()
    await expect(world.explain('www')).rejects.toMatchObject({
      code: 'staple-missing',
      came: expect.stringContaining('responder-unreachable'),
    })
  })
})

describe('the issuer', () => {
  it('is fetched through caIssuers where the chain lacks it, once for all, and verified', async () => {
    const issuers = 'http://ca.example/ca.cer'
    for (const name of ['www', 'api']) world.add(name, {}, { bare: true, caIssuers: [issuers] })
    let fetched = 0
    world.responders = {
      ask: async (question) => {
        if (question.url !== issuers) return world.authority.ask(question)
        fetched += 1
        return { status: 200, body: world.authority.issuer.certificate.der }
      },
    }
    await world.refresh()
    expect(fetched).toBe(1)
    expect([world.entry('www')?.state, world.entry('api')?.state]).toEqual(['staple', 'staple'])
  })

  it('that another CA poses as is not taken, and none at all is an error of its own', async () => {
    const stranger = new StapleWorld().authority.issuer.certificate.der
    world.add('www', {}, { bare: true, caIssuers: ['http://ca.example/ca.cer'] })
    world.add('api', {}, { bare: true })
    world.responders = { ask: async () => ({ status: 200, body: stranger }) }
    await world.refresh()
    for (const name of ['www', 'api'])
      expect(world.entry(name)).toMatchObject({ state: 'none', lastFailure: { code: 'issuer-missing' } })
    expect(asked()).toBe(0)
  })
})

describe('the issuer that cannot be fetched', () => {
  const issuers = ['http://ca.example/ca.cer', 'http://ca2.example/ca.cer']
  const answering = (by: (url: string) => HttpAnswer) => {
    world.add('www', {}, { bare: true, caIssuers: issuers })
    world.responders = {
      ask: async (question) =>
        issuers.includes(question.url) ? by(question.url) : world.authority.ask(question),
    }
  }
  const down = (): never => {
    throw new TicketringError('responder-unreachable', { wanted: 'an answer', came: 'ECONNREFUSED' })
  }

  it.each([
    ['its servers are down', 'responder-unreachable', down],
    ['they are busy', 'responder-http-error', () => ({ status: 503, body: new Uint8Array() })],
  ])('because %s is fetched again soon', async (_, code, by) => {
    answering(by)
    await world.refresh()
    const { lastFailure, nextTry } = world.entry('www') ?? {}
    expect(lastFailure).toMatchObject({ code, detail: expect.stringContaining('the issuer') })
    expect(lastFailure).not.toHaveProperty('rule')
    expect((nextTry?.getTime() ?? 0) - world.clock.now().getTime()).toBeLessThanOrEqual(120_000)
    world.responders = {
      ask: async (question) =>
        issuers.includes(question.url)
          ? { status: 200, body: world.authority.issuer.certificate.der }
          : world.authority.ask(question),
    }
    await world.pass(900)
    expect(world.entry('www')?.state).toBe('staple')
  })

  it('is missing for longer where one of them says that it is not there', async () => {
    answering((url) => (url === issuers[0] ? down() : { status: 404, body: new Uint8Array() }))
    await world.refresh()
    const { lastFailure, nextTry } = world.entry('www') ?? {}
    expect(lastFailure?.code).toBe('issuer-missing')
    expect((nextTry?.getTime() ?? 0) - world.clock.now().getTime()).toBeGreaterThanOrEqual(3_600_000)
  })
})

describe('the certificate itself', () => {
  it('is not asked about once it has expired, and has no staple then', async () => {
    world.add('www', {}, { to: new Date(world.clock.now().getTime() + 2 * DAY * 1000) })
    await world.refresh()
    // Clamped to the certificate's own end (V13).
    expect(world.entry('www')?.response?.end).toEqual(world.authority.leaves.get('www')?.notAfter)
    await world.pass(3 * DAY)
    expect(world.entry('www')?.state).toBe('withdrawn')
    const before = asked()
    await world.pass(DAY)
    expect(asked()).toBe(before)
  })

  it('that is renewed has a staple of its own at once', async () => {
    world.add('www')
    await world.refresh()
    world.chains.set('/tls/www/chain', world.authority.issue('www'))
    await world.refresh()
    expect(heldBy(0, 'www')).toBe(digest('www'))
    expect(world.store.versions.size).toBe(2)
  })
})
