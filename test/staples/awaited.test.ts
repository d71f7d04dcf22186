import { beforeEach, describe, expect, it } from 'vitest'
import { TicketringError } from '../../lambda/kernel/errors.ts'
import { TAG } from '../../lambda/ocsp/der-element.ts'
import { encode, encodeSequence } from '../../lambda/ocsp/der-writer.ts'
import type { HttpAnswer } from '../../lambda/staples/ports.ts'
import { type Manner, RESPONDER } from '../fakes/staple-authority.ts'
import { StapleWorld } from '../fakes/staple-world.ts'
import { UNKNOWN } from '../ocsp/forge.ts'

const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

let world: StapleWorld
beforeEach(() => {
  world = new StapleWorld()
})

const OCSP = 'application/ocsp-response'
const status = (number: number) => encodeSequence(encode(TAG.enumerated, Buffer.of(number)))
const saying =
  (number: number): Manner =>
  () => ({ status: 200, contentType: OCSP, body: status(number) })
const unauthorized = saying(6)
const unknown: Manner = () => world.authority.say('www', { singles: [{ status: UNKNOWN }] })
const http = (code: number, retryAfter?: string): HttpAnswer => ({
  status: code,
  body: new Uint8Array(),
  ...(retryAfter === undefined ? {} : { retryAfter }),
})
const ways = () => world.authority.questions.map(({ method, fresh }) => `${method}${fresh ? ' fresh' : ''}`)
const heldBy = (machine: number, name: string) => world.fleet.machines[machine]?.held.get(world.id(name))

describe.each([
  ['unauthorized', unauthorized, 'responder-unauthorized'],
  ['unknown', unknown, 'response-unknown'],
] as const)('%s', (_, manner, code) => {
  it('for a certificate that never had a response passes: asked past caches, by POST, and again within 15 minutes', async () => {
    world.add('www', {}, { mustStaple: true })
    world.authority.manner = manner
    await world.refresh()
    expect(ways()).toEqual(['GET', 'GET fresh', 'POST'])
    expect(world.entry('www')).toMatchObject({ state: 'none', failures: 1, lastFailure: { code } })
    // However long it takes: the responder may hear of it at any time.
    for (let run = 2; run < 40; run++) {
      await world.pass(15 * MINUTE)
      expect(world.authority.questions, `run ${run}`).toHaveLength(3 * run)
    }
    world.authority.manner = 'good'
    await world.pass(15 * MINUTE)
    expect(world.entry('www')).toMatchObject({ state: 'staple', failures: 0 })
    expect(heldBy(1, 'www')).toBeDefined()
  })

  it('for a young certificate passes, though it had a response before', async () => {
    world.add('www', {}, { from: world.clock.now() })
    await world.refresh()
    world.authority.manner = manner
    world.clock.advance(12 * HOUR)
    await world.refresh({ certificate: 'www', force: true })
    const asked = world.authority.questions.length
    await world.pass(15 * MINUTE)
    expect(world.authority.questions.length).toBe(asked + 3)
    expect(world.entry('www')).toMatchObject({ state: 'staple', failures: 2, lastFailure: { code } })
  })
})

it('unauthorized is put off until the responder wants to be asked, where it says so', async () => {
  world.add('www')
  world.authority.manner = () => ({ status: 200, contentType: OCSP, body: status(6), retryAfter: '7200' })
  await world.refresh()
  await world.pass(1.5 * HOUR)
  expect(ways()).toEqual(['GET'])
  await world.pass(HOUR)
  expect(ways()).toEqual(['GET', 'GET'])
})

it('unauthorized for a certificate of some age, with a response, lasts: one POST, and an hour', async () => {
  world.add('www')
  await world.refresh()
  world.clock.advance(1.1 * DAY)
  world.authority.manner = unauthorized
  await world.refresh()
  expect(ways().slice(1)).toEqual(['GET', 'POST'])
  await world.pass(45 * MINUTE)
  expect(ways()).toHaveLength(3)
})

describe('a GET that failed', () => {
  const reset = new TicketringError('responder-reset', { wanted: 'an answer', came: 'ECONNRESET' })
  const failing: readonly (readonly [what: string, fails: () => HttpAnswer])[] = [
    ['with 500', () => http(500)],
    ['with 503', () => http(503)],
    ['with 502', () => http(502)],
    ['with tryLater', () => ({ status: 200, contentType: OCSP, body: status(3) })],
    ['with internalError', () => ({ status: 200, contentType: OCSP, body: status(2) })],
    ['with unauthorized', () => ({ status: 200, contentType: OCSP, body: status(6) })],
    [
      'by a reset',
      () => {
        throw reset
      },
    ],
  ]
  /** The responder answers POST alone, for a certificate that is no longer young. */
  function answeringPost(fails: () => HttpAnswer) {
    const ask = world.authority.ask.bind(world.authority)
    const methods: string[] = []
    world.responders = {
      ask: async (question) => {
        methods.push(question.method)
        return question.method === 'GET' ? fails() : ask(question)
      },
    }
    return methods
  }
  beforeEach(async () => {
    world.add('www')
    await world.refresh()
    world.clock.advance(1.1 * DAY)
  })

  it.each(failing)('%s is followed by one POST, whose answer counts', async (_, fails) => {
    const methods = answeringPost(fails)
    await world.refresh()
    expect(methods).toEqual(['GET', 'POST'])
    expect(world.entry('www')).toMatchObject({ failures: 0, response: { source: RESPONDER } })
  })

  it.each(failing.slice(0, 6))('%s is not, where the responder said when to come back', async (_, fails) => {
    const methods = answeringPost(() => ({ ...fails(), retryAfter: '7200' }))
    await world.refresh()
    expect(methods).toEqual(['GET'])
    await world.pass(1.5 * HOUR)
    expect(methods).toEqual(['GET'])
  })

  it.each([408, 425, 429])('with %i is not: the responder is busy', async (code) => {
    const methods = answeringPost(() => http(code))
    await world.refresh()
    expect(methods).toEqual(['GET'])
  })

  it('by a time-out is not: it has cost enough', async () => {
    const methods = answeringPost(() => {
      throw new TicketringError('responder-timeout', { wanted: 'an answer', came: 'none' })
    })
    await world.refresh()
    expect(methods).toEqual(['GET'])
  })

  it('counts by what was said of the certificate where the POST then says that it is no method', async () => {
    for (const [fails, code] of [
      [() => http(503), 'responder-http-error'],
      [() => ({ status: 200, contentType: OCSP, body: status(3) }), 'responder-try-later'],
      [() => ({ status: 200, contentType: OCSP, body: status(6) }), 'responder-unauthorized'],
    ] as const) {
      world.responders = { ask: async ({ method }) => (method === 'GET' ? fails() : http(405)) }
      await world.refresh({ certificate: 'www', force: true })
      expect(world.entry('www')?.lastFailure).toMatchObject({ code })
      expect(world.entry('www')?.lastFailure?.detail).not.toContain('405')
    }
  })

  it('by a busy front, whose POST says when to come back, waits for that', async () => {
    world.responders = { ask: async ({ method }) => (method === 'GET' ? http(503) : http(503, '7200')) }
    await world.refresh()
    const { nextTry } = world.entry('www') ?? {}
    expect(nextTry).toEqual(new Date(world.clock.now().getTime() + 7_200_000))
  })
})
