import { createServer } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { HttpResponders } from '../../lambda/aws/http/responder.ts'
import type { ErrorCode } from '../../lambda/kernel/errors.ts'
import { TAG } from '../../lambda/ocsp/der-element.ts'
import { encode, encodeSequence } from '../../lambda/ocsp/der-writer.ts'
import type { Rule } from '../../lambda/ocsp/verdict.ts'
import { digestOf } from '../../lambda/staples/entry.ts'
import type { HttpAnswer } from '../../lambda/staples/ports.ts'
import { ago } from '../fakes/staple-authority.ts'
import { type Manners, TestServer } from '../fakes/staple-server.ts'
import { StapleWorld } from '../fakes/staple-world.ts'
import {
  certify,
  DIGITAL_SIGNATURE,
  extension,
  integer,
  NO_CHECK,
  NULL,
  OCSP_SIGNING,
  type Party,
  purposes,
  type ResponseSpec,
  respond,
  revoked,
  rsaPair,
  SCHEMES,
  type SingleSpec,
  UNKNOWN,
} from '../ocsp/forge.ts'

// Made ahead: it takes longer than an exchange may.
const pair = rsaPair(2048)

/** A fleet with a good staple, its responder a real server on loopback that turns bad a day later. */
let world: StapleWorld
let server: TestServer
let way: HttpResponders
let good: string

beforeEach(async () => {
  world = new StapleWorld()
  server = await TestServer.start((request, response, body) => listener(request, response, body))
  let listener = world.authority.listener()
  world.configure({ allow: ['127.0.0.0/8'] })
  way = new HttpResponders({ allow: ['127.0.0.0/8'], deadline: 1500, resolve: resolveInside })
  world.responders = way
  world.add('www', {}, { ocsp: [server.url('/ocsp')] })
  await world.refresh()
  good = digestOf(world.entry('www')?.response?.der ?? new Uint8Array())
  world.clock.advance(1.1 * 86_400)
  turn = (next) => {
    listener = next
  }
})
let turn: (next: Manners) => void
afterEach(async () => {
  way.close()
  await server.close()
})

const resolveInside = async () => [{ address: '10.0.0.1', family: 4 as const }]

/** The refresh failed for this reason, and nothing that the machines hold has changed. */
async function expectRefusal(code: ErrorCode, rule?: Rule): Promise<void> {
  const orders = world.fleet.orders.length
  await world.refresh()
  const entry = world.entry('www')
  expect(entry?.lastFailure).toMatchObject({ code, ...(rule === undefined ? {} : { rule }) })
  expect(entry?.lastFailure?.rule).toBe(rule)
  expect(entry).toMatchObject({ state: 'staple', failures: 1 })
  expect(digestOf(entry?.response?.der ?? new Uint8Array())).toBe(good)
  for (const { held } of world.fleet.machines) expect(held.get(world.id('www'))).toBe(good)
  expect(world.fleet.orders).toHaveLength(orders)
  expect(world.eventLog.of('refused').at(-1)).toMatchObject({ certificate: 'www', code })
  expect(world.metrics()?.StapleFailures).toBe(1)
  expect(world.eventLog.of('failing')).toEqual([{ kind: 'failing', reason: rule ?? code, certificates: 1 }])
}

describe('on the way', () => {
  it('an HTTP error', async () => {
    turn((_, response) => response.writeHead(404).end('gone'))
    await expectRefusal('responder-http-error', 'V1')
  })

  it('a wrong content type', async () => {
    turn((_, response) =>
      response.writeHead(200, { 'Content-Type': 'text/html' }).end('<p>Welcome to the hotel'),
    )
    await expectRefusal('responder-content-type', 'V1')
  })

  it('an oversized body', async () => {
    turn((_, response) => response.writeHead(200).end(Buffer.alloc(70_000)))
    await expectRefusal('response-oversize')
  })

  it('a slow drip', async () => {
    turn((_, response) => {
      response.writeHead(200, { 'Content-Type': 'application/ocsp-response' })
      const drip = setInterval(() => response.write('0'), 20)
      response.on('close', () => clearInterval(drip))
    })
    await expectRefusal('responder-timeout')
  })

  it('a connection reset', async () => {
    turn((request) => request.socket.destroy())
    await expectRefusal('responder-reset')
  })

  it('a redirect loop', async () => {
    turn((request, response) => response.writeHead(302, { Location: request.url ?? '/' }).end())
    await expectRefusal('redirect-loop')
  })

  it('a redirect to a forbidden address', async () => {
    turn((_, response) => response.writeHead(302, { Location: 'http://169.254.169.254/latest/' }).end())
    await expectRefusal('redirect-forbidden')
  })

  it('a name that resolves to a forbidden address', async () => {
    world.add('inside', {}, { ocsp: ['http://intranet.example/ocsp'] })
    await world.refresh()
    expect(world.entry('inside')).toMatchObject({ state: 'none', lastFailure: { code: 'address-forbidden' } })
  })

  it('a URL of another kind, of which a certificate may hold any', async () => {
    world.add('odd', {}, { ocsp: ['http://user:password@ocsp.example/'] })
    world.add('ldap', {}, { ocsp: ['ldap://directory.example/'] })
    await world.refresh()
    expect(world.entry('odd')?.lastFailure?.code).toBe('url-forbidden')
    expect(world.entry('ldap')).toBeUndefined()
  })

  it('a TLS failure, and a server that speaks no HTTP', async () => {
    const other = createServer((socket) =>
      socket
        .on('error', () => {})
        .end('220 mail\r\n')
        .resume(),
    )
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const { port } = other.address() as { port: number }
    world.add('tls', {}, { ocsp: [`https://127.0.0.1:${port}/`] })
    world.add('mail', {}, { ocsp: [`http://127.0.0.1:${port}/`] })
    await world.refresh()
    expect(world.entry('tls')?.lastFailure?.code).toBe('responder-tls')
    expect(world.entry('mail')?.lastFailure?.code).toBe('responder-not-http')
    await new Promise((resolve) => other.close(resolve))
  })
})

const status = (number: number) => encodeSequence(encode(TAG.enumerated, Buffer.of(number)))

describe("the responder's own errors", () => {
  it.each([
    [1, 'responder-malformed-request'],
    [2, 'responder-internal-error'],
    [3, 'responder-try-later'],
    [5, 'responder-sig-required'],
    [6, 'responder-unauthorized'],
  ] as const)('status %i is %s', async (number, code) => {
    world.authority.manner = () => status(number)
    turn(world.authority.listener())
    await expectRefusal(code)
  })
})

const now = () => world.clock.now()
const hours = (count: number) => ago(now(), -count * 3600)
const single = (spec: SingleSpec): ResponseSpec => ({ singles: [spec] })
const say = (spec: ResponseSpec) => () => world.authority.say('www', spec)
const bent = (bend: (der: Buffer) => Uint8Array) => () => bend(world.authority.say('www'))
const issued = (spec: Parameters<typeof certify>[1], issuer: Party = world.authority.issuer) =>
  certify(now(), { subject: 'delegate', serial: Buffer.of(9), ...spec }, issuer)
const delegated = [purposes(OCSP_SIGNING), NO_CHECK, DIGITAL_SIGNATURE]
const by =
  (make: () => Party, spec: ResponseSpec = {}) =>
  () => {
    const { leaves, issuer } = world.authority
    const leaf = leaves.get('www') ?? issuer.certificate
    return respond(now(), leaf, issuer.certificate, make(), spec)
  }

type Case = readonly [what: string, manner: () => Uint8Array | HttpAnswer, code: ErrorCode, rule: Rule]

const CASES: readonly Case[] = [
  ['truncated', bent((der) => der.subarray(0, -7)), 'response-malformed', 'V2'],
  ['with trailing bytes', bent((der) => Buffer.concat([der, Buffer.of(0)])), 'response-malformed', 'V2'],
  ['empty', () => Buffer.alloc(0), 'response-malformed', 'V2'],
  ['of indefinite length', () => Buffer.from('30800a01000000', 'hex'), 'response-malformed', 'V2'],
  ['nested deeply', () => nested(40), 'response-malformed', 'V2'],
  [
    'with a huge integer',
    () => encodeSequence(encode(TAG.enumerated, Buffer.alloc(5000, 0x11))),
    'response-malformed',
    'V2',
  ],
  ['of another type', say1({ type: '1.3.6.1.5.5.7.48.1.99' }), 'response-not-basic', 'V3'],
  [
    'with another issuerNameHash',
    one({ issuerNameHash: Buffer.alloc(20) }),
    'response-of-another-certificate',
    'V4',
  ],
  [
    'with another issuerKeyHash',
    one({ issuerKeyHash: Buffer.alloc(20) }),
    'response-of-another-certificate',
    'V4',
  ],
  ['with another serial', one({ serial: Buffer.of(0x77) }), 'response-of-another-certificate', 'V4'],
  ['with another hash', one({ hash: '1.2.3.4' }), 'response-of-another-certificate', 'V4'],
  ['signed by a sibling', later(() => by(() => issued({ extensions: [] }))()), 'response-signer', 'V6'],
  [
    'signed by a leaf without OCSPSigning',
    later(() => by(() => issued({ extensions: [purposes('1.3.6.1.5.5.7.3.1')] }))()),
    'response-signer',
    'V6',
  ],
  [
    'signed by a delegate of another CA',
    later(() => by(() => issued({ extensions: delegated }, new StapleWorld().authority.issuer))()),
    'response-signer',
    'V6',
  ],
  [
    'signed by an expired delegate',
    later(() => by(() => issued({ extensions: delegated, to: hours(-1) }))()),
    'response-signer',
    'V6',
  ],
  [
    'with a signature that does not verify',
    say1({ signatureOver: () => Buffer.alloc(70, 1) }),
    'response-signature',
    'V8',
  ],
  [
    'signed with SHA-1',
    later(() => {
      return by(() => issued({ extensions: delegated, pair, scheme: SCHEMES.rsaSha1 }))()
    }),
    'response-signature',
    'V8',
  ],
  [
    'with an unknown critical extension',
    say1({ extensions: [extension('1.3.6.1.4.1.99999.1', NULL, true)] }),
    'response-critical-extension',
    'V9',
  ],
  ['without nextUpdate', one({ nextUpdate: 'none' }), 'response-without-end', 'V11'],
  ['stale', at(() => ({ thisUpdate: hours(-50), nextUpdate: hours(-1) })), 'response-out-of-time', 'V12'],
  [
    'of the future',
    at(() => ({ thisUpdate: hours(1), nextUpdate: hours(50) })),
    'response-out-of-time',
    'V12',
  ],
  ['produced in the future', later(() => say({ producedAt: hours(1) })()), 'response-out-of-time', 'V12'],
  [
    'produced before its signer was',
    later(() => say({ producedAt: hours(-24 * 40) })()),
    'response-out-of-time',
    'V12',
  ],
  ['about to end', at(() => ({ thisUpdate: hours(-96), nextUpdate: hours(0.2) })), 'response-older', 'V14'],
  ['about to end, though newer', at(() => ({ nextUpdate: hours(0.2) })), 'response-short', 'V12'],
  ['older than the stored one', at(() => ({ thisUpdate: hours(-30) })), 'response-older', 'V14'],
  ['unknown', one({ status: UNKNOWN }), 'response-unknown', 'V15'],
  [
    'of several statuses that disagree, one of them unknown',
    later(() => say({ singles: [{}, { status: UNKNOWN }] })()),
    'response-unknown',
    'V15',
  ],
]

/** Bytes are made once the clock of the test stands. */
function later(make: () => Uint8Array): () => Uint8Array {
  return make
}
function say1(spec: ResponseSpec): () => Uint8Array {
  return () => say(spec)()
}
function one(spec: SingleSpec): () => Uint8Array {
  return () => say(single(spec))()
}
function at(spec: () => SingleSpec): () => Uint8Array {
  return () => say(single(spec()))()
}
function nested(depth: number): Buffer {
  return depth === 0 ? integer(1) : encodeSequence(nested(depth - 1))
}

describe('a response', () => {
  it.each(CASES)('%s', async (_, manner, code, rule) => {
    world.authority.manner = manner
    turn(world.authority.listener())
    await expectRefusal(code, rule)
  })

  it('of several statuses that disagree counts as the worst: revoked', async () => {
    const singles = [{}, { status: revoked(hours(-1)) }]
    world.authority.manner = () => world.authority.say('www', { singles })
    turn(world.authority.listener())
    await world.refresh()
    expect(world.entry('www')?.response).toMatchObject({
      status: 'revoked',
      haproxy: expect.stringMatching(/2 statuses/),
    })
  })

  it('too large for any parameter', async () => {
    const certificates = Array.from({ length: 24 }, () => world.authority.issuer.certificate.der)
    world.authority.manner = () => world.authority.say('www', { certificates })
    turn(world.authority.listener())
    await expectRefusal('staple-too-large')
  })

  it('larger than 4 kB that still fits is stored', async () => {
    const certificates = Array.from({ length: 11 }, () => world.authority.issuer.certificate.der)
    world.authority.manner = () => world.authority.say('www', { certificates })
    turn(world.authority.listener())
    await world.refresh()
    expect(world.store.versions.get(world.id('www'))?.at(-1)?.length).toBeGreaterThan(4096)
    expect(world.entry('www')?.failures).toBe(0)
  })
})

describe('what the owner may allow', () => {
  it('a response without nextUpdate, for as long as is said', async () => {
    world.add('dev', { maxAge: 86_400 }, { ocsp: [server.url('/ocsp')] })
    world.authority.manner = () => world.authority.say('dev', single({ nextUpdate: 'none' }))
    turn(world.authority.listener())
    await world.refresh({ certificate: 'dev' })
    const { response } = world.entry('dev') ?? {}
    expect(response?.end).toEqual(hours(24 - 1 / 60))
    expect(response?.haproxy).toMatch(/nextUpdate/)
  })
})
