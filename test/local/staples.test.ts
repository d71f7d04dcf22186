import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { serialiseRequest } from '../../lambda/ocsp/request.ts'
import { parseResponse } from '../../lambda/ocsp/response.ts'
import { makePki, type Pki } from '../../local/rehearsal/machines/pki.ts'
import { freePorts } from '../../local/rehearsal/machines/ports.ts'
import {
  judgeSighting,
  objectionTo,
  type StapleOutcome,
  subjectOfChain,
} from '../../local/rehearsal/staples/observed-staple.ts'
import { Responder, urlOfResponder } from '../../local/rehearsal/staples/responder.ts'

const directory = mkdtempSync(join(tmpdir(), 'ticketring-staples-'))
const MINUTES = 15
let pki: Pki
let responder: Responder

const chainOf = (name: string) => {
  const { certificate } = pki.certificates.find((each) => each.name === name) as Pki['certificates'][number]
  return readFileSync(certificate, 'utf8')
}
const subjectOf = (name: string) => subjectOfChain(chainOf(name))

/** What the staple function asks, in a POST. */
async function responseFor(name: string, { url } = responder): Promise<Buffer> {
  const body = serialiseRequest(subjectOf(name), 'sha1')
  const headers = { 'content-type': 'application/ocsp-request', connection: 'close' }
  const response = await fetch(url, { method: 'POST', headers, body: new Uint8Array(body) })
  return Buffer.from(await response.arrayBuffer())
}

async function startResponder(): Promise<Responder> {
  const [port] = (await freePorts(1)) as [number]
  const log = join(directory, 'responder.log')
  const started = new Responder({ files: pki.responder, port, minutes: MINUTES, log })
  await started.start()
  return started
}

beforeAll(async () => {
  pki = makePki(directory, urlOfResponder(9))
  responder = await startResponder()
})

afterAll(async () => {
  await responder.stop()
  rmSync(directory, { recursive: true, force: true })
})

describe('the throwaway authority', () => {
  it('issues through an intermediate certificates that name their responder, and openssl verifies them', () => {
    for (const { certificate } of pki.certificates) {
      const verify = ['verify', '-CAfile', pki.root, '-untrusted', pki.responder.issuer, certificate]
      expect(execFileSync('openssl', verify, { encoding: 'utf8' })).toContain(': OK')
      expect(subjectOfChain(readFileSync(certificate, 'utf8')).certificate.ocspUrls).toEqual([
        'http://127.0.0.1:9/',
      ])
    }
  })
})

describe('a client that is given a staple', () => {
  it('of the responder takes it for good, as openssl does', async () => {
    const began = Date.now()
    const response = await responseFor('www')
    const now = new Date()
    const sighting = judgeSighting(response, subjectOf('www'), now)
    expect(sighting).toEqual({ outcome: 'good', thisUpdate: expect.any(Number) })
    // In whole seconds (RFC 5280 §4.1.2.5.2).
    expect(sighting).toHaveProperty(
      'thisUpdate',
      expect.toSatisfy((at: number) => at > began - 1000 && at <= now.getTime()),
    )
    const files = ['-issuer', pki.responder.issuer, '-cert', join(directory, 'pki', 'www.pem')]
    const given = join(directory, 'response.der')
    writeFileSync(given, response)
    const words = ['ocsp', ...files, '-CAfile', pki.root, '-respin', given, '-no_nonce']
    const said = execFileSync('openssl', words, { encoding: 'utf8', stdio: 'pipe' })
    expect(said).toContain('www.pem: good')
  })

  it('of another certificate refuses it, and names the rule', async () => {
    const sighting = judgeSighting(await responseFor('shop'), subjectOf('www'), new Date())
    expect(sighting).toMatchObject({ outcome: 'refused', why: expect.stringContaining('V4: ') })
  })

  it('with a forged signature refuses it, and names the rule', async () => {
    const response = await responseFor('www')
    const signature = parseResponse(response).basic?.signed.signature as Uint8Array
    // A view into the response.
    signature.set([(signature.at(-1) as number) ^ 1], signature.length - 1)
    const sighting = judgeSighting(response, subjectOf('www'), new Date())
    expect(sighting).toMatchObject({ outcome: 'refused', why: expect.stringContaining('V8: ') })
  })

  it('at or after its nextUpdate takes it for expired', async () => {
    const response = await responseFor('www')
    const later = new Date(Date.now() + MINUTES * 60_000)
    expect(judgeSighting(response, subjectOf('www'), later)).toEqual({ outcome: 'expired' })
  })

  it('that is none takes it for missing', () => {
    expect(judgeSighting(undefined, subjectOf('www'), new Date())).toEqual({ outcome: 'missing' })
  })
})

describe('the responder', () => {
  it('says revoked once it was started after the revocation', async () => {
    pki.revoke('lab')
    await responder.stop()
    await responder.start()
    expect(judgeSighting(await responseFor('lab'), subjectOf('lab'), new Date()).outcome).toBe('revoked')
    expect(judgeSighting(await responseFor('shop'), subjectOf('shop'), new Date()).outcome).toBe('good')
  })

  it('does not answer while it is stopped', async () => {
    const other = await startResponder()
    expect(await responseFor('www', other)).toBeInstanceOf(Buffer)
    await other.stop()
    await expect(responseFor('www', other)).rejects.toThrow()
  })

  it('answers many at once, and what is no question', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => responseFor('www')))
    for (const each of all) expect(judgeSighting(each, subjectOf('www'), new Date()).outcome).toBe('good')
    const nonsense = await fetch(responder.url, { method: 'POST', body: 'nonsense' })
    expect(Buffer.from(await nonsense.arrayBuffer()).toString('hex')).toBe('30030a0101')
  })

  it('is on loopback alone', async () => {
    const port = Number(new URL(responder.url).port).toString(16).toUpperCase().padStart(4, '0')
    const sockets = ['tcp', 'tcp6'].flatMap((each) => readFileSync(`/proc/net/${each}`, 'utf8').split('\n'))
    const addresses = sockets.map((each) => each.trim().split(/\s+/)[1] ?? '')
    expect(addresses.filter((each) => each.endsWith(`:${port}`))).toContain(`0100007F:${port}`)
    expect(addresses.filter((each) => /^0+:/.test(each) && each.endsWith(`:${port}`))).toEqual([])
  })
})

describe('what is stapled in a part of the show', () => {
  const since = 1_000
  const fresh = { outcomes: ['good' as const], since }

  it.each<[StapleOutcome, number | undefined, boolean]>([
    ['good', 1_000, true],
    ['good', 999, false],
    ['revoked', 1_000, false],
    ['missing', undefined, false],
    ['refused', undefined, false],
  ])('%s of %s ms, where good since 1000 ms is wanted: %s', (outcome, thisUpdate, isFine) => {
    const sighting = { outcome, ...(thisUpdate === undefined ? {} : { thisUpdate }) }
    expect(objectionTo(sighting, fresh) === undefined).toBe(isFine)
  })

  it('is an objection for a certificate that nothing is expected of', () => {
    expect(objectionTo({ outcome: 'good', thisUpdate: 0 }, undefined)).toBeDefined()
  })
})
