import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { serialiseLine } from '../../lambda/fleet/result-line.ts'
import { isRefusal } from '../../lambda/kernel/errors.ts'
import {
  parseStapleConfiguration,
  type StapleConfiguration,
  serialiseStapleConfiguration,
} from '../../lambda/staples/configuration.ts'
import {
  parseStapleRecord,
  type StapleRecord,
  serialiseStapleRecord,
} from '../../lambda/staples/delivery-record.ts'
import {
  certificateIdOf,
  LARGEST_ENTRY,
  parseEntry,
  type StapleEntry,
  type StoredResponse,
  serialiseEntry,
} from '../../lambda/staples/entry.ts'
import { parseStapleRequest, requireLooking } from '../../lambda/staples/request.ts'
import { parseStapleLine, STAPLE_ERRORS, type StapleLine } from '../../lambda/staples/result-line.ts'
import { settingOf, stapleConfigurationOf } from '../fakes/staple-world.ts'

const at = (hour: number) => new Date(Date.UTC(2026, 10, 21, hour))

const ENTRY: StapleEntry = {
  name: 'www',
  id: 'a'.repeat(32),
  state: 'staple',
  mustStaple: true,
  response: {
    der: Buffer.from('a response'),
    thisUpdate: at(1),
    nextUpdate: at(20),
    end: at(19),
    status: 'good',
    haproxy: null,
    fetchedAt: at(2),
    source: 'http://ocsp.example/',
  },
  nextTry: at(10),
  failures: 2,
  lastFailure: { at: at(9), code: 'response-older', rule: 'V14', detail: 'older' },
}
const { response: _, ...BARE } = ENTRY
const RESPONSE = Buffer.from('a response').toString('base64')

describe('an entry of the store', () => {
  it.each([
    ['with a staple', ENTRY],
    ['that never had one', { ...BARE, state: 'none', failures: 0 } as const],
    ['withdrawn by hand', { ...ENTRY, state: 'withdrawn', reason: 'by hand', byHand: true } as const],
  ])('%s survives writing and reading', (_, entry) => {
    expect(parseEntry(serialiseEntry(entry))).toEqual(entry)
  })

  it('quotes what a responder says of parameters so that Parameter Store takes it', () => {
    const detail = 'content type {{ssm:/x}} {{{ }}}'
    const reason = '{{{{ withdrawn }}'
    const entry = { ...ENTRY, reason, lastFailure: { at: at(9), code: 'response-older', detail } } as const
    expect(serialiseEntry(entry)).not.toContain('{{')
    expect(parseEntry(serialiseEntry(entry))).toEqual(entry)
  })

  it('counts what quoting adds against what a parameter holds', () => {
    const detail = '{'.repeat(300)
    const bytes = (der: number, failure: object) =>
      serialiseEntry({
        ...ENTRY,
        response: { ...ENTRY.response, der: Buffer.alloc(der) },
        ...failure,
      } as StapleEntry)
    const lastFailure = { at: at(9), code: 'response-older', detail }
    expect(() => bytes(5200, { lastFailure: { ...lastFailure, detail: 'x'.repeat(300) } })).not.toThrow()
    expect(() => bytes(5200, { lastFailure })).toThrow(/staple-too-large/)
  })

  it('is flat, so that a shell can read it', () => {
    const flat = JSON.parse(serialiseEntry(ENTRY))
    expect(flat).toMatchObject({ v: 1, state: 'staple', end: at(19).toISOString(), haproxy: null })
    expect(flat.response).toBe(Buffer.from('a response').toString('base64'))
    expect(flat.sha256).toMatch(/^[0-9a-f]{64}$/)
  })

  it.each([
    ['another version', { v: 2 }],
    ['an unknown field', { extra: 1 }],
    ['an id that goes on', { id: `${'a'.repeat(32)}b` }],
    ['an id that begins sooner', { id: `b${'a'.repeat(32)}` }],
    ['what is no base64 before its response', { response: `%${RESPONSE}` }],
    ['what is no base64 behind it', { response: `${RESPONSE}%` }],
    ['an unknown state', { state: 'stapled' }],
    ['a staple without its response', { response: undefined }],
    ['a digest of another response', { sha256: '0'.repeat(64) }],
    ['bytes that are no base64', { response: '%%%' }],
    ['an id of another form', { id: 'A'.repeat(32) }],
    ['a time that is none', { end: 'tomorrow' }],
    ['an unknown status', { status: 'unknown' }],
    ['an unknown rule', { lastFailure: { at: at(1).toISOString(), code: 'x', rule: 'V99', detail: 'y' } }],
  ])('with %s is refused', (_, change) => {
    const text = JSON.stringify({ ...JSON.parse(serialiseEntry(ENTRY)), ...change })
    expect(() => parseEntry(text)).toThrow(/staple-malformed/)
  })

  it('that no parameter can hold is refused, and a long failure does not make it so', () => {
    const large = (bytes: number) =>
      ({ ...ENTRY, response: { ...ENTRY.response, der: Buffer.alloc(bytes) } }) as StapleEntry
    expect(() => serialiseEntry(large(6000))).toThrow(/staple-too-large/)
    const detail = 'x'.repeat(10_000)
    const entry = { ...large(4800), lastFailure: { at: at(1), code: 'response-older', detail } as const }
    expect(serialiseEntry(entry).length).toBeLessThanOrEqual(LARGEST_ENTRY)
  })

  it('may fill a parameter to its last byte, and says by how much it would not fit', () => {
    const sized = (characters: number) =>
      serialiseEntry({
        ...ENTRY,
        response: { ...ENTRY.response, source: 'x'.repeat(characters) },
      } as StapleEntry)
    const room = LARGEST_ENTRY - sized(1).length + 1
    expect(sized(room)).toHaveLength(LARGEST_ENTRY)
    expect(() => sized(room + 1)).toThrow(/got 8193 bytes around a response of 10\b/)
  })

  it('that was withdrawn keeps its response, with or without a nextUpdate', () => {
    const { nextUpdate: _, ...response } = ENTRY.response as StoredResponse
    const entry = { ...ENTRY, state: 'withdrawn', response } as const
    expect(parseEntry(serialiseEntry(entry))).toEqual(entry)
  })

  it('with a staple and nothing of its response is refused, without one is not', () => {
    const text = (state: string) =>
      JSON.stringify({ v: 1, name: 'www', id: 'a'.repeat(32), state, mustStaple: false, failures: 0 })
    expect(() => parseEntry(text('staple'))).toThrow(/staple-malformed/)
    expect(parseEntry(text('withdrawn'))).not.toHaveProperty('response')
  })

  it('of any text is an entry or a coded refusal', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        try {
          parseEntry(text)
        } catch (error) {
          expect(isRefusal(error, 'staple-malformed')).toBe(true)
        }
      }),
    )
  })
})

describe("a certificate's id", () => {
  it('is over its key and its serial, however many zeros lead that', () => {
    const key = { export: () => Buffer.from('key') } as unknown as ReturnType<
      Parameters<typeof certificateIdOf>[0]['publicKey']
    >
    const id = (...serial: number[]) => certificateIdOf({ publicKey: () => key, serial: Buffer.from(serial) })
    expect(id(0, 0x80, 1)).toBe(id(0x80, 1))
    expect(id(1)).not.toBe(id(1, 0))
    expect(id(1)).toMatch(/^[0-9a-f]{32}$/)
    // As OpenSSL on a machine says it: of a serial of zero nothing is left.
    expect(id(0)).toBe(id())
  })
})

describe('the configuration', () => {
  const full: StapleConfiguration = stapleConfigurationOf({
    certificates: [
      settingOf('www', {
        url: 'https://ocsp.internal/',
        proxy: 'http://proxy.internal:3128',
        maxAge: 60,
        allowSha1: true,
      }),
      settingOf('api', {
        chain: { secret: 'arn:aws:secretsmanager:eu-central-1:1:secret:x', field: 'chain' },
      }),
    ],
    allow: ['10.0.0.0/8', 'fd00::/8'],
  })

  it('survives writing and reading', () => {
    expect(parseStapleConfiguration(serialiseStapleConfiguration(full))).toEqual(full)
  })

  const certificate = (change: object) => ({ certificates: [{ ...settingOf('www'), ...change }] })
  it.each([
    ['an unknown field', { extra: 1 }],
    ['no set', { set: undefined }],
    ['a name twice', { certificates: [settingOf('www'), settingOf('www')] }],
    ['both places for a chain', certificate({ chain: { parameter: '/x', secret: 'arn:x' } })],
    ['no place for a chain', certificate({ chain: {} })],
    ['a field of a parameter', certificate({ chain: { parameter: '/x', field: 'y' } })],
    ['a URL of another scheme', certificate({ url: 'ldap://x/' })],
    ['a URL with credentials', certificate({ url: 'http://u:p@x/' })],
    ['a proxy over https', certificate({ proxy: 'https://x/' })],
    ['another hash', certificate({ hash: 'md5' })],
    ['another policy', certificate({ revoked: 'ignore' })],
    ['a range that is none', { allow: ['ten'] }],
    ['a longest wait below the shortest', { timing: { ...full.timing, most: 1 } }],
    ['another script', { document: { ...full.document, script: 'x' } }],
  ])('with %s is refused', (_, change) => {
    expect(() => parseStapleConfiguration(JSON.stringify({ ...full, ...change }))).toThrow(
      /configuration-invalid/,
    )
  })

  it('takes its certificates from a file where it names one, and no other way', () => {
    const { certificates, ...others } = full
    const named = JSON.stringify({ ...others, certificates: { file: 'certificates.json' } })
    const files: Readonly<Record<string, string>> = { 'certificates.json': JSON.stringify({ certificates }) }
    expect(parseStapleConfiguration(named, (file) => files[file] ?? '')).toEqual(full)
    expect(() => parseStapleConfiguration(named)).toThrow(/configuration-invalid.*certificates\.json beside/)
    for (const text of ['', '[]', '{}', '{"certificates":{"file":"certificates.json"}}'])
      expect(() => parseStapleConfiguration(named, () => text)).toThrow(/configuration-invalid/)
    const outside = named.replace('certificates.json', '../etc/passwd')
    expect(() => parseStapleConfiguration(outside, () => '{}')).toThrow(/configuration-invalid/)
  })

  it('that is missing says who sets it', () => {
    expect(() => parseStapleConfiguration(undefined)).toThrow(/TICKETRING_STAPLES.*OcspStapling/)
  })
})

const LINE: StapleLine = {
  staples: 'edge',
  server: 'haproxy',
  result: 'applied',
  installed: 1,
  withdrawn: 0,
  held: 3,
  verified: 'handshake',
  ms: 12,
  script: '0123456789ab',
}

describe('a result line of staples', () => {
  it('survives writing and reading, with each error that there is', () => {
    expect(parseStapleLine(`${serialiseLine(LINE)}\n`)).toEqual(LINE)
    const versioned = { ...LINE, serverVersion: '2.6.12-1+deb12u1' }
    expect(parseStapleLine(serialiseLine(versioned))).toEqual(versioned)
    for (const error of STAPLE_ERRORS) {
      const failed: StapleLine = { ...LINE, result: 'failed', error, detail: 'why' }
      expect(parseStapleLine(serialiseLine(failed))).toEqual(failed)
    }
  })

  it.each([
    ['nothing', ''],
    ['two lines', `${serialiseLine(LINE)}\n${serialiseLine(LINE)}`],
    ['an unknown result', JSON.stringify({ v: 1, ...LINE, result: 'reset' })],
    ['an unknown field', JSON.stringify({ v: 1, ...LINE, ring: 'edge' })],
    ['a failure without its error', JSON.stringify({ v: 1, ...LINE, result: 'failed' })],
    ['an unknown error', JSON.stringify({ v: 1, ...LINE, result: 'failed', error: 'tickets-off' })],
    ['a negative count', JSON.stringify({ v: 1, ...LINE, held: -1 })],
    ['a version that is a sentence', JSON.stringify({ v: 1, ...LINE, serverVersion: 'nginx version 1.22' })],
    ['a version that is a number', JSON.stringify({ v: 1, ...LINE, serverVersion: 1.22 })],
  ])('of %s is refused', (_, output) => {
    expect(() => parseStapleLine(output)).toThrow(/result-line-malformed/)
  })
})

describe('the delivery record', () => {
  it.each([
    ['of another version', { v: 2 }],
    ['with an unknown field', { extra: 1 }],
    ['without its set', { set: undefined }],
  ])('%s is refused', (_, change) => {
    expect(() => parseStapleRecord(JSON.stringify({ v: 1, set: 'edge', ...change }))).toThrow(
      /record-malformed/,
    )
  })

  const record: StapleRecord = {
    set: 'edge',
    delivery: {
      holding: 'b'.repeat(32),
      commands: [{ id: 'c-1', sentAt: at(1), judged: true }],
      attempts: 1,
      members: 30,
      confirmed: 28,
      stragglers: [{ id: 'i-1', code: 'reload-failed', detail: '' }],
      membership: 'd'.repeat(32),
      convergedAt: at(2),
    },
    carried: { baseline: { members: 30, at: at(2) } },
  }

  it('survives writing and reading, empty too', () => {
    expect(parseStapleRecord(serialiseStapleRecord(record))).toEqual(record)
    const empty = { set: 'edge', carried: {} }
    expect(parseStapleRecord(serialiseStapleRecord(empty))).toEqual(empty)
  })

  it('quotes what a machine says of parameters so that Parameter Store takes it', () => {
    const stragglers = [{ id: 'i-1', code: 'objected', detail: 'says {{ssm:/x}}' }]
    const said = { ...record, delivery: { ...record.delivery, stragglers } } as StapleRecord
    expect(serialiseStapleRecord(said)).not.toContain('{{')
    expect(parseStapleRecord(serialiseStapleRecord(said))).toEqual(said)
    const many = Array.from({ length: 20 }, (_, n) => ({
      id: `i-${n}`,
      code: 'objected',
      detail: '{'.repeat(90),
    }))
    const text = serialiseStapleRecord({ ...said, delivery: { ...said.delivery, stragglers: many } as never })
    expect(text.length).toBeLessThan(4096)
  })

  it('fits a standard parameter, whichever machines are missing', () => {
    const stragglers = Array.from({ length: 500 }, (_, n) => ({
      id: `i-${n}`,
      code: 'objected',
      detail: 'x'.repeat(500),
    }))
    const text = serialiseStapleRecord({ ...record, delivery: { ...record.delivery, stragglers } as never })
    expect(text.length).toBeLessThan(4096)
  })
})

describe('a request', () => {
  it('is one of five actions with its own fields', () => {
    expect(parseStapleRequest({ action: 'refresh' })).toEqual({ action: 'refresh', force: false })
    expect(parseStapleRequest({ action: 'refresh', certificate: 'www', force: true })).toMatchObject({
      force: true,
    })
    expect(parseStapleRequest({ action: 'withdraw', force: true })).toMatchObject({ action: 'withdraw' })
    expect(parseStapleRequest({ action: 'deliver', reason: 'scaled in' })).toMatchObject({
      reason: 'scaled in',
    })
    const explained = parseStapleRequest({ action: 'explain', certificate: 'www', response: 'MAoK\nAQA=' })
    expect(explained.response).toEqual(Buffer.from('MAoKAQA=', 'base64'))
    for (const response of ['MAoK', 'MAo=', 'MA==', 'MA==\n'])
      expect(parseStapleRequest({ action: 'explain', certificate: 'www', response })).toHaveProperty(
        'response',
      )
  })

  it.each([
    [{}],
    [null],
    [{ action: 'rotate' }],
    [{ action: 'refresh', dryRun: true }],
    [{ action: 'status', force: true }],
    [{ action: 'refresh', response: 'MAo=' }],
    [{ action: 'explain' }],
    [{ action: 'explain', certificate: 'www', response: '%' }],
    [{ action: 'explain', certificate: 'www', response: '%MAo=' }],
    [{ action: 'explain', certificate: 'www', response: 'MAo=%' }],
    [{ action: 'explain', certificate: 'www', response: 'MA==MA==' }],
    [{ action: 'explain', certificate: 'www', response: 'MAoK===' }],
    [{ action: 'deliver', certificate: 7 }],
    [{ action: 'deliver', reason: '' }],
    [{ action: 'deliver', reason: 7 }],
    [{ action: 'deliver', reason: 'two\nlines' }],
    [{ action: 'deliver', reason: 'x'.repeat(201) }],
    [{ action: 'refresh', reason: 'scaled in' }],
    [{ action: 'withdraw' }],
    [{ action: 'refresh', certificate: 7 }],
  ])('%j is refused', (event) => {
    expect(() => parseStapleRequest(event)).toThrow(/request-invalid/)
  })

  it('to a function that only looks is status or explain', () => {
    for (const action of ['status', 'explain'] as const) {
      const request = { action, force: false }
      expect(requireLooking(request)).toBe(request)
    }
    for (const action of ['refresh', 'deliver', 'withdraw'] as const)
      expect(() => requireLooking({ action, force: false })).toThrow(/read-only.*the action/)
  })
})
