/** The parsers of the machine's program in process: `*_test.py`, fed with what the workshop of `test/ocsp` makes. */
import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Certificate } from '../../lambda/ocsp/certificate.ts'
import {
  certificateIdOf,
  digestOf,
  parseEntry,
  type StapleEntry,
  serialiseEntry,
} from '../../lambda/staples/entry.ts'
import { type Party, type ResponseSpec, respond, SHA256, type SingleSpec, UNKNOWN } from '../ocsp/forge.ts'
import { at, GROUPS, NOW, P256 } from '../ocsp/groups.ts'
import { makeOddCertificates } from '../ocsp/odd-certificates.ts'
import { Bench, pem } from '../ocsp/openssl.ts'

const PYTHON = process.env.TICKETRING_PYTHON ?? '/usr/bin/python3'
const inHome = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const RUN = `import sys, unittest
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
unittest.main(module=None, argv=["", "discover", "--start-directory", sys.argv[2], "--pattern", "*_test.py"])`

let directory: string
let bench: Bench
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'ticketring-agent-'))
  bench = new Bench()
  const odd = [...(await makeOddCertificates(bench))].filter(([what]) => what !== 'a negative serial')
  const certificates = [
    ...Object.entries(GROUPS).map(([what, { leaf }]) => [what, Buffer.from(leaf.der)] as const),
    ...odd,
  ]
  const cases = {
    now: NOW.getTime() / 1000,
    certificates: certificates.map(([what, der]) => ({
      what,
      der: der.toString('base64'),
      id: idByOpenssl(der),
    })),
    responses: Object.entries(GROUPS).flatMap(([what, { leaf, issuer }]) => responsesOf(what, leaf, issuer)),
    entries: entriesOf(P256.leaf, P256.issuer),
  }
  writeFileSync(join(directory, 'cases.json'), JSON.stringify(cases))
})
afterAll(() => {
  bench.remove()
  rmSync(directory, { recursive: true, force: true })
})

function idByOpenssl(der: Buffer): string {
  const { publicKey, serialNumber } = new X509Certificate(der)
  return certificateIdOf({ publicKey: () => publicKey, serial: Buffer.from(serialNumber, 'hex') })
}

const OTHER = Buffer.alloc(20, 7)
const SINGLES: readonly (readonly [string, boolean, SingleSpec])[] = [
  ['sound', true, {}],
  ['under SHA-256', true, { hash: SHA256 }],
  ['without NULL', true, { nullParameters: false }],
  ['unknown', true, { status: UNKNOWN }],
  ['without an end', true, { nextUpdate: 'none' }],
  ['of another name', false, { issuerNameHash: OTHER }],
  ['of another key', false, { issuerKeyHash: OTHER }],
  ['of another serial', false, { serial: OTHER }],
]

function responsesOf(what: string, leaf: Certificate, issuer: Party): readonly Record<string, unknown>[] {
  return SINGLES.map(([bent, names, single]) => ({
    what: `${what}, ${bent}`,
    names,
    leaf: pem(leaf.der),
    issuer: pem(issuer.certificate.der),
    der: responseOf(leaf, issuer, {
      singles: [{ thisUpdate: at(-1), nextUpdate: at(24), ...single }],
    }).toString('base64'),
    until: single.nextUpdate === 'none' ? null : at(24).getTime() / 1000,
  }))
}

function responseOf(leaf: Certificate, issuer: Party, spec: ResponseSpec): Buffer {
  return respond(NOW, leaf, issuer.certificate, issuer, spec)
}

/** Entries as the function writes them, and what the machine must read in them. */
function entriesOf(leaf: Certificate, issuer: Party): readonly Record<string, unknown>[] {
  const der = responseOf(leaf, issuer, {})
  const response = {
    der,
    thisUpdate: at(-1),
    end: at(24),
    status: 'good',
    fetchedAt: NOW,
    source: 'http://ocsp.test/',
  } as const
  const entry: StapleEntry = {
    name: 'www',
    id: certificateIdOf(leaf),
    state: 'staple',
    mustStaple: true,
    response: { ...response, haproxy: null },
    failures: 2,
    lastFailure: {
      at: NOW,
      code: 'staple-malformed',
      detail: 'said "no", \\ and ü, {{ssm:/x}} \u2028 {"a":[1]}',
    },
  }
  const { response: _, ...bare } = entry
  const written: StapleEntry[] = [
    entry,
    { ...entry, response: { ...response, haproxy: 'its CertID is of sha256' } },
    { ...entry, state: 'withdrawn', reason: 'by hand', byHand: true },
    { ...bare, state: 'none' },
  ]
  return written.map((each) => {
    const text = serialiseEntry(each)
    expect(parseEntry(text).state).toBe(each.state)
    return {
      text,
      id: each.id,
      state: each.state,
      digest: digestOf(der),
      haproxy: each.response?.haproxy ?? '',
    }
  })
}

test('certificates, responses, entries and settings are read as the function writes them, and what is garbled is refused', async () => {
  const environment = { ...process.env, TICKETRING_CASES: join(directory, 'cases.json') }
  const words = ['-I', '-c', RUN, inHome('../../agent'), inHome('.')]
  const { stderr } = await promisify(execFile)(PYTHON, words, { env: environment })
  expect(stderr).toMatch(/^Ran \d{2} tests[\s\S]*\nOK\n$/m)
})
