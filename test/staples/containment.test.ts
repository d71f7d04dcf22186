import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { TicketringError } from '../../lambda/kernel/errors.ts'
import { parseCertificate } from '../../lambda/ocsp/certificate.ts'
import { TAG } from '../../lambda/ocsp/der-element.ts'
import { encode, encodeExplicit, encodeSequence } from '../../lambda/ocsp/der-writer.ts'
import { decodePem } from '../../lambda/ocsp/pem.ts'
import { digestOf } from '../../lambda/staples/entry.ts'
import type { HttpAnswer, StaplePorts, StapleStore } from '../../lambda/staples/ports.ts'
import { ago } from '../fakes/staple-authority.ts'
import { StapleWorld } from '../fakes/staple-world.ts'
import { certify } from '../ocsp/forge.ts'
import { pem } from '../ocsp/openssl.ts'

const DAY = 86_400
const OTHERS = ['api', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j']

/** Ten certificates with a staple each, a day later, when all are due; `api` is revoked meanwhile, and withheld. */
let world: StapleWorld
beforeEach(async () => {
  world = new StapleWorld()
  world.add('www')
  for (const name of OTHERS) world.add(name, name === 'api' ? { revoked: 'withhold' } : {})
  await world.refresh()
  world.authority.manners.set('api', 'revoked')
  world.clock.advance(1.1 * DAY)
})

const heldBy = (machine: number, name: string) => world.fleet.machines[machine]?.held.get(world.id(name))
const digest = (name: string) => digestOf(world.entry(name)?.response?.der ?? new Uint8Array())

/** Runs, and finds the others refreshed, delivered and withdrawn, and `www` counted under this reason. */
async function expectContained(reason: string, ports: StaplePorts = world.ports()): Promise<void> {
  const before = new Map(OTHERS.map((name) => [name, digest(name)]))
  await world.invoke({ action: 'refresh' }, ports)
  for (const name of OTHERS.slice(1)) {
    expect(digest(name), name).not.toBe(before.get(name))
    for (const machine of [0, 1]) expect(heldBy(machine, name), name).toBe(digest(name))
  }
  expect(world.eventLog.of('withdrawn')).toMatchObject([{ certificate: 'api' }])
  expect(heldBy(0, 'api')).toBeUndefined()
  expect(heldBy(0, 'www')).toBeDefined()
  expect(world.metrics()).toMatchObject({ StapleFailures: 1, StaplesUndelivered: 0 })
  expect(world.eventLog.of('failing')).toEqual([{ kind: 'failing', reason, certificates: 1 }])
}

function emptySubject(): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'ticketring-empty-'))
  try {
    const file = (name: string) => join(folder, name)
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', file('key')]
    execFileSync('openssl', ['req', '-x509', ...key, '-subj', '/', '-out', file('pem')], { stdio: 'ignore' })
    return decodePem(readFileSync(file('pem'), 'latin1'), ['CERTIFICATE'])[0] as Buffer
  } finally {
    rmSync(folder, { recursive: true })
  }
}

describe('one certificate whose responder', () => {
  it('sends along a certificate with an empty subject, as the signer', async () => {
    const { der, subject } = parseCertificate(emptySubject())
    const spec = { certificates: [der], responder: encodeExplicit(1, subject.der) }
    world.authority.manners.set('www', () => world.authority.say('www', spec))
    await expectContained('V6')
    expect(world.entry('www')?.lastFailure?.detail).toMatch(/^an empty name: its extended key usage lacks/)
  })

  it.each<[string, unknown]>([
    ['a TypeError', new TypeError("Cannot read properties of undefined (reading 'replaceAll')")],
    ['a RangeError', new RangeError('Maximum call stack size exceeded')],
    ['no error at all', undefined],
    ['a text', 'gone'],
    [
      'a refusal that no responder is known for',
      new TicketringError('ring-malformed', { wanted: 'a', came: 'b' }),
    ],
  ])('makes the asking fail with %s', async (_, thrown) => {
    world.authority.manners.set('www', () => {
      throw thrown
    })
    await expectContained(thrown instanceof TicketringError ? thrown.code : 'internal-error')
    expect(world.entry('www')).toMatchObject({ state: 'staple', failures: 1 })
  })

  it('gives an answer that is none', async () => {
    world.authority.manners.set('www', () => ({}) as HttpAnswer)
    await expectContained('internal-error')
  })
})

it('one certificate that fails after its response was judged is contained as well', async () => {
  const { eventLog, ...ports } = world.ports()
  const failing = {
    record: (entry: Parameters<typeof eventLog.record>[0]) => {
      if (entry.kind === 'fetched' && entry.certificate === 'www') throw new TypeError('no such field')
      eventLog.record(entry)
    },
  }
  await expectContained('internal-error', { ...ports, eventLog: failing })
})

describe('one certificate of which the store', () => {
  const storing = (changes: (store: StapleStore) => Partial<StapleStore>): StaplePorts => {
    const ports = world.ports()
    const { store } = ports
    const same: StapleStore = {
      read: (ids) => store.read(ids),
      earlier: (id, version) => store.earlier(id, version),
      write: (id, text, after) => store.write(id, text, after),
    }
    return { ...ports, store: { ...same, ...changes(store) } }
  }

  it('cannot say what it holds', async () => {
    const trouble = new TicketringError('access-denied', { wanted: 'the parameter', came: 'AccessDenied' })
    const ports = storing((store) => ({
      read: async (ids) => new Map([...(await store.read(ids)), [world.id('www'), trouble]]),
    }))
    await expectContained('unreadable', ports)
    const { certificates } = await world.invoke({ action: 'status' }, ports)
    expect(certificates.at(-1)).toMatchObject({ name: 'www', state: 'unreadable' })
    expect(certificates.at(-1)?.reason).toMatch(/access-denied/)
  })

  it.each(['', '{', 'null', '[]', '7', '{"v":2}', '\u0000', '{"v":1,"id":"%"}'])(
    'holds what no function wrote (%j): it is asked about as if there were none',
    async (pattern) => {
      const text = pattern.replace('%', 'x'.repeat(5000))
      world.store.versions.get(world.id('www'))?.push(text)
      const before = digest('c')
      await world.refresh()
      expect(digest('c')).not.toBe(before)
      expect(world.entry('www')).toMatchObject({ state: 'staple', failures: 0 })
      for (const { detail } of world.eventLog.of('trouble')) expect(detail.length).toBeLessThan(500)
    },
  )

  it('holds an entry whose dates make no life: its share is a number all the same', async () => {
    const texts = world.store.versions.get(world.id('www')) ?? []
    const entry = JSON.parse(texts.at(-1) ?? '{}')
    texts.push(JSON.stringify({ ...entry, thisUpdate: entry.end, nextTry: '2999-01-01T00:00:00.000Z' }))
    const { certificates } = await world.invoke({ action: 'status', certificate: 'www' })
    expect(certificates[0]?.lifeLeftPercent).toBe(0)
    await world.refresh()
    expect(world.metrics()?.StapleLifeLeft).toBe(0)
  })
})

describe('one certificate whose chain', () => {
  const chainOf = (name: string) => `/tls/${name}/chain`
  const blocksOf = (name: string) => decodePem(world.chains.get(chainOf(name)) ?? '', ['CERTIFICATE'])

  it('is upside down says so', async () => {
    const [leaf, issuer] = blocksOf('www') as [Buffer, Buffer]
    world.chains.set(chainOf('www'), pem(issuer) + pem(leaf))
    await expectContained('unreadable')
    const { certificates } = await world.invoke({ action: 'status' })
    expect(certificates.at(-1)?.reason).toMatch(
      /^chain-upside-down: .* got CN=Throwaway CA first, which issued CN=www after it/,
    )
  })

  it('holds something else that cannot be read: it is left out', async () => {
    const [leaf, issuer] = blocksOf('www') as [Buffer, Buffer]
    world.chains.set(chainOf('www'), pem(leaf) + pem(Buffer.from('3003020105', 'hex')) + pem(issuer))
    const before = digest('www')
    await world.refresh()
    expect(digest('www')).not.toBe(before)
    expect(world.entry('www')?.failures).toBe(0)
  })

  it('holds nothing else that can be read says so', async () => {
    const [leaf] = blocksOf('www') as [Buffer]
    world.chains.set(chainOf('www'), pem(leaf) + pem(Buffer.from('3003020105', 'hex')))
    await expectContained('issuer-missing')
    expect(world.entry('www')?.lastFailure?.detail).toContain(
      'a chain of which 1 certificates cannot be read',
    )
  })

  it.each(['first', 'last'])('holds its CA certificate of before the renewal as well, %s', async (place) => {
    const { issuer } = world.authority
    const dates = { from: ago(world.clock.now(), 900 * DAY), to: ago(world.clock.now(), DAY) }
    const spec = { subject: 'Throwaway CA', serial: Buffer.of(7), pair: issuer.pair, ...dates }
    const old = pem(certify(world.clock.now(), spec).certificate.der)
    const [leaf, current] = blocksOf('www').map((der) => pem(der)) as [string, string]
    world.chains.set(chainOf('www'), place === 'first' ? leaf + old + current : leaf + current + old)
    await world.refresh()
    expect(world.entry('www')).toMatchObject({ state: 'staple', failures: 0 })
  })

  it('holds only that one: the renewed one is fetched, and counts', async () => {
    const { issuer } = world.authority
    const dates = { from: ago(world.clock.now(), 900 * DAY), to: ago(world.clock.now(), DAY) }
    const spec = { subject: 'Throwaway CA', serial: Buffer.of(7), pair: issuer.pair, ...dates }
    const old = pem(certify(world.clock.now(), spec).certificate.der)
    const url = 'http://ca.example/ca.cer'
    world.add('late', {}, { bare: true, caIssuers: [url] })
    world.chains.set(chainOf('late'), (world.chains.get(chainOf('late')) ?? '') + old)
    const ask = world.authority.ask.bind(world.authority)
    world.responders = {
      ask: (question) =>
        question.url === url ? Promise.resolve({ status: 200, body: issuer.certificate.der }) : ask(question),
    }
    await world.refresh()
    expect(world.entry('late')).toMatchObject({ state: 'staple', failures: 0 })
  })
})

it('a line of the log stays short, whatever text comes with a response', async () => {
  const oid = encode(TAG.oid, Buffer.concat([Buffer.of(0x2b), Buffer.alloc(60_000, 1)]))
  const critical = encodeSequence(oid, encode(TAG.boolean, Buffer.of(0xff)), encode(TAG.octetString))
  world.authority.manners.set('www', () => world.authority.say('www', { extensions: [critical] }))
  world.authority.manners.set('c', () => ({ status: 200, contentType: 'x'.repeat(9000), body: Buffer.of(1) }))
  const answer = await world.refresh()
  expect(world.entry('www')?.lastFailure?.code).toBe('response-critical-extension')
  for (const entry of world.eventLog.entries) expect(JSON.stringify(entry).length).toBeLessThan(1000)
  expect(JSON.stringify(answer).length).toBeLessThan(20_000)
})
