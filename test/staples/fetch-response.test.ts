import { beforeEach, describe, expect, it } from 'vitest'
import { TicketringError } from '../../lambda/kernel/errors.ts'
import { askAbout, optionsOf } from '../../lambda/staples/fetch-response.ts'
import { observeStaples } from '../../lambda/staples/observation.ts'
import type { HttpAnswer, HttpQuestion } from '../../lambda/staples/ports.ts'
import { RunMemory } from '../../lambda/staples/run-memory.ts'
import { ago } from '../fakes/staple-authority.ts'
import { StapleWorld } from '../fakes/staple-world.ts'

const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const TWO = { ocsp: ['http://one.example/', 'http://two.example/'] }

let world: StapleWorld
let questions: HttpQuestion[]
beforeEach(() => {
  world = new StapleWorld()
  questions = []
})

/** Answers each question by what comes next; the last one again and again. */
function answering(...answers: readonly (() => Uint8Array | HttpAnswer)[]): void {
  world.responders = {
    ask: async (question) => {
      questions.push(question)
      const said = (answers[questions.length - 1] ?? answers.at(-1) ?? nothing)()
      return said instanceof Uint8Array
        ? { status: 200, contentType: 'application/ocsp-response', body: said }
        : said
    },
  }
}
const nothing = (): never => {
  throw new TicketringError('responder-unreachable', { wanted: 'an answer', came: 'ECONNREFUSED' })
}
/** A sound response of a day ago that ends in so many seconds. */
const endingIn = (seconds: number) => () => {
  const [thisUpdate, nextUpdate] = [DAY, -seconds].map((each) => ago(world.clock.now(), each)) as [Date, Date]
  return world.authority.say('www', { singles: [{ thisUpdate, nextUpdate }] })
}
const secondsOf = (end: Date | undefined) => ((end?.getTime() ?? 0) - world.clock.now().getTime()) / 1000
async function ask(memory = new RunMemory()) {
  world.clock.allow(300_000)
  const { kept } = await observeStaples(world.ports())
  const [state] = kept
  if (state === undefined) throw new RangeError('no certificate')
  return askAbout(world.ports(), state, memory)
}
const endOf = async () => {
  const asked = await ask()
  return asked.kind === 'response' ? secondsOf(asked.response.end) : asked
}

describe('a response that would soon end', () => {
  it('is of the first responder where several end at the same time', async () => {
    world.add('www', {}, TWO)
    answering(endingIn(30 * MINUTE))
    expect(await ask()).toMatchObject({ response: { source: 'http://one.example/' } })
    expect(questions).toHaveLength(6)
  })

  it.each([
    ['of one responder by its approaches', {}, [30, 40, 35]],
    ['of one responder, the longest first', {}, [40, 35, 30]],
    ['of several responders', TWO, [30, 30, 30, 40, 40, 40]],
    ['of several responders, the longest first', TWO, [40, 40, 40, 30, 30, 30]],
  ])('counts where nothing better comes, and the longest %s counts', async (_, leaf, minutes) => {
    world.add('www', {}, leaf)
    answering(...minutes.map((each) => endingIn(each * MINUTE)))
    expect(await endOf()).toBe(40 * MINUTE)
    expect(questions).toHaveLength(minutes.length)
  })

  it('counts for nothing where a later one comes, or where it would not reach the machines', async () => {
    world.add('www')
    answering(endingIn(30 * MINUTE), endingIn(2 * DAY))
    expect(await endOf()).toBe(2 * DAY)
    answering(endingIn(10 * MINUTE))
    expect(await endOf()).toMatchObject({ kind: 'failure', failure: { code: 'response-short' } })
  })

  it('of one responder counts though the other one fails', async () => {
    for (const answers of [
      [endingIn(30 * MINUTE), endingIn(30 * MINUTE), endingIn(30 * MINUTE), nothing],
      [nothing, endingIn(30 * MINUTE)],
    ]) {
      world = new StapleWorld()
      questions = []
      world.add('www', {}, TWO)
      answering(...answers)
      expect(await endOf()).toBe(30 * MINUTE)
    }
  })
})

describe('a question', () => {
  it("goes through the proxy of the owner, and is trusted where the URL is the owner's word", async () => {
    world.add('www')
    answering(endingIn(DAY))
    await ask()
    const [plain] = questions
    expect(plain).toMatchObject({ method: 'GET', trusted: false })
    expect(plain).not.toHaveProperty('proxy')
    expect(plain).not.toHaveProperty('body')
    world = new StapleWorld()
    questions = []
    world.add('www', { proxy: 'http://proxy.example:3128', url: 'http://inside.example/' })
    answering(() => ({ status: 405, body: Buffer.of() }), endingIn(DAY))
    await ask()
    expect(questions.map(({ method, trusted, proxy }) => [method, trusted, proxy])).toEqual([
      ['GET', true, 'http://proxy.example:3128'],
      ['POST', true, 'http://proxy.example:3128'],
    ])
    expect(questions[1]?.body?.length).toBeGreaterThan(0)
  })

  it('is not asked of responders that are known to be down: the certificate waits for the next run', async () => {
    world.add('www', {}, TWO)
    answering(endingIn(DAY))
    const memory = new RunMemory()
    const outage = { code: 'responder-timeout', detail: 'x', kind: 'transient', remedy: 'none' } as const
    const fail = (url: string) => {
      for (let n = 0; n < 16; n++) memory.note(url, outage)
    }
    fail('http://one.example/')
    await ask(memory)
    expect(questions.map(({ url }) => new URL(url).host)).toEqual(['two.example'])
    fail('http://two.example/')
    expect(await ask(memory)).toEqual({ kind: 'deferred' })
    expect(questions).toHaveLength(1)
    // Nor is the issuer fetched for nothing.
    world = new StapleWorld()
    world.add('www', {}, { ...TWO, bare: true, caIssuers: ['http://ca.example/ca.cer'] })
    answering(endingIn(DAY))
    expect(await ask(memory)).toEqual({ kind: 'deferred' })
    expect(questions).toHaveLength(1)
  })
})

describe('what is known of a response', () => {
  it('is its own words, where it came from and when', async () => {
    world.add('www')
    answering(endingIn(DAY))
    const now = world.clock.now()
    expect(await ask()).toMatchObject({
      kind: 'response',
      response: {
        thisUpdate: ago(now, DAY),
        nextUpdate: ago(now, -DAY),
        end: ago(now, -DAY),
        fetchedAt: now,
        source: 'http://ocsp.example/',
        status: 'good',
        haproxy: null,
      },
    })
  })

  it('is how long HTTP calls it fresh, where that is said', async () => {
    world.add('www')
    const fresh = (cacheControl: string) => () => ({
      status: 200,
      contentType: 'application/ocsp-response',
      body: endingIn(2 * DAY)(),
      cacheControl,
    })
    answering(fresh('max-age=7200'))
    const asked = await ask()
    expect(asked).toMatchObject({ freshUntil: ago(world.clock.now(), -7200) })
    answering(fresh('no-cache'))
    expect(await ask()).not.toHaveProperty('freshUntil')
    answering(fresh('max-age=7200'))
    await world.refresh()
    const wait = secondsOf(world.entry('www')?.nextTry)
    expect(wait).toBeGreaterThanOrEqual(7200)
    expect(wait).toBeLessThanOrEqual(7920)
  })

  it('has no nextUpdate where the owner allows that', async () => {
    world.add('www', { maxAge: DAY })
    answering(() => world.authority.say('www', { singles: [{ nextUpdate: 'none' }] }))
    const asked = await ask()
    expect(asked).toMatchObject({ response: { end: ago(world.clock.now(), 60 - DAY) } })
    expect(asked.kind === 'response' && 'nextUpdate' in asked.response).toBe(false)
  })
})

it('a response is judged by what the owner allows, and against the one that is stored', async () => {
  world.add('strict')
  world.add('lax', { allowSha1: true, maxAge: 60 })
  const { response } = await world.hold('lax', DAY)
  const now = world.clock.now()
  const { kept } = await observeStaples(world.ports())
  expect(kept.map((each) => optionsOf(each, now))).toStrictEqual([
    { now },
    { now, allowSha1: true, maxAge: 60, stored: response?.thisUpdate },
  ])
})
