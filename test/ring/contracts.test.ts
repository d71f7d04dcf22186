import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Invocation, withOlder } from '../../lambda/fleet/evidence.ts'
import { serialiseLine } from '../../lambda/fleet/result-line.ts'
import {
  parseRotationConfiguration,
  serialiseRotationConfiguration,
} from '../../lambda/ring/configuration.ts'
import { judge } from '../../lambda/ring/confirmation.ts'
import type { Delivery } from '../../lambda/ring/delivery-record.ts'
import { parseRecord, serialiseRecord } from '../../lambda/ring/delivery-record-text.ts'
import { parseRotationRequest } from '../../lambda/ring/request.ts'
import { INSTANCE_ERRORS, parseResultLine, type ResultLine } from '../../lambda/ring/result-line.ts'
import { tokenFor } from '../../lambda/ring/tokens.ts'
import { configurationOf, TIMING } from '../fakes/world.ts'

const LINE: ResultLine = {
  ring: 'edge',
  lineage: '0b2c6f0e-5d5f-4c6a-9f3e-0a1b2c3d4e5f',
  generation: 7,
  server: 'haproxy',
  result: 'applied',
  encryptsWith: 'a'.repeat(32),
  verified: 'handshake',
  ms: 41,
  script: '0123456789ab',
}
const WANTED = { ...LINE, ring: 'edge', scripts: [LINE.script], announcedAtMost: 7200 }

function said(change: object, status = 'Success', suffix = '\n'): Invocation {
  return { id: 'i-1', status, output: JSON.stringify({ v: 1, ...LINE, ...change }) + suffix }
}

describe('a result line', () => {
  it('survives writing and reading', () => {
    expect(parseResultLine(serialiseLine(LINE))).toEqual(LINE)
    const failed: ResultLine = {
      ...LINE,
      result: 'failed',
      error: 'tickets-off',
      detail: 'no ticket in 10 s',
    }
    expect(parseResultLine(`${serialiseLine(failed)}\n`)).toEqual(failed)
  })

  it('is exactly one line with exactly its fields', () => {
    const line = serialiseLine(LINE)
    for (const output of ['', '\n', `${line}\n${line}`, `warning: x\n${line}`, line.slice(1), `${line}}`]) {
      expect(() => parseResultLine(output)).toThrow(/result-line-malformed/)
    }
    for (const change of [
      { v: 2 },
      { extra: 1 },
      { generation: '7' },
      { result: 'ok' },
      { encryptsWith: 'A'.repeat(32) },
      { lineage: `x${LINE.lineage}` },
      { lineage: `${LINE.lineage}x` },
    ]) {
      expect(() => parseResultLine(JSON.stringify({ v: 1, ...LINE, ...change }))).toThrow(
        /result-line-malformed/,
      )
    }
  })

  it.each(['3.0.5', '2.6.12-1+deb12u1', '1.22.1', '2.8-dev1~bpo', 'x'.repeat(64)])(
    'may say the version of its server: %s',
    (serverVersion) => {
      const line = { ...LINE, serverVersion }
      expect(parseResultLine(serialiseLine(line))).toEqual(line)
      expect(judge(said({ serverVersion }), WANTED)).toMatchObject({ confirmed: true, serverVersion })
    },
  )

  it.each<[string, unknown]>([
    ['an empty text', ''],
    ['a number', 3.2],
    ['null', null],
    ['a list', ['3.2']],
    ['what HAProxy prints around it', 'HAProxy version 3.2'],
    ['a second line', '3.2\n3.3'],
    ['a line end', '3.2\n'],
    ['a control character', '3.2\u001b[31m'],
    ['markup', '<b>3.2</b>'],
    ['a letter beyond ASCII', '3.2ß'],
    ['more than 64 characters', 'x'.repeat(65)],
  ])('says no version that is %s, and such a machine is named', (_, serverVersion) => {
    const output = JSON.stringify({ v: 1, ...LINE, serverVersion })
    expect(() => parseResultLine(output)).toThrow(/result-line-malformed: .*"serverVersion"/)
    expect(judge(said({ serverVersion }), WANTED)).toMatchObject({ confirmed: false, spoke: true })
  })

  it('says which lifetime its server announces: one beyond what the gate waits for is not confirmed', () => {
    const lived = (lifetime: number) => judge(said({ lifetime }), WANTED)
    expect(parseResultLine(serialiseLine({ ...LINE, lifetime: 7200 }))).toEqual({ ...LINE, lifetime: 7200 })
    expect(lived(7200)).toMatchObject({ confirmed: true, lifetime: 7200 })
    const detail = 'it announces 7201 s, ticketLifetime is 7200 s'
    expect(lived(7201)).toMatchObject({ confirmed: false, spoke: true, code: 'lifetime-exceeded', detail })
    for (const odd of [0, -1, 1.5, '7200'])
      expect(() => parseResultLine(JSON.stringify({ v: 1, ...LINE, lifetime: odd }))).toThrow(/"lifetime"/)
  })

  it('fails with an error of the closed list only', () => {
    const failed = { v: 1, ...LINE, result: 'failed' }
    expect(() => parseResultLine(JSON.stringify(failed))).toThrow(/"error"/)
    expect(() => parseResultLine(JSON.stringify({ ...failed, error: 'whatever' }))).toThrow(/"error"/)
    for (const error of INSTANCE_ERRORS)
      expect(parseResultLine(JSON.stringify({ ...failed, error })).error).toBe(error)
  })
})

describe('an instance', () => {
  it('that is confirmed is known by what its line says, and by nothing that it does not', () => {
    const { generation, encryptsWith } = LINE
    const confirmed = { confirmed: true, changed: true, generation, encryptsWith, server: 'haproxy' }
    const { server: _, ...plain } = confirmed
    const verdict = judge(said({}), WANTED)
    expect(verdict).toMatchObject(plain)
    for (const name of ['lifetime', 'drifted', 'launch', 'afterLocalRing', 'oldProcess', 'since'])
      expect(verdict).not.toHaveProperty(name)
    const finishedAt = new Date('2026-11-21T19:00:00.000Z')
    const told = judge({ ...said({ lifetime: 60, drifted: 2 }), finishedAt }, WANTED)
    expect(told).toMatchObject({ lifetime: 60, drifted: 2, since: finishedAt })
  })

  it('is confirmed by a line that says all it should, with or without standard error behind it', () => {
    const warned = said({}, 'Success', '\n\n----------ERROR-------\nswap is not encrypted\n')
    for (const invocation of [said({}), warned])
      expect(judge(invocation, WANTED)).toMatchObject({ confirmed: true })
  })

  it('is confirmed by a later generation of the lineage, whose keys are not known here', () => {
    expect(judge(said({ generation: 8, encryptsWith: 'b'.repeat(32) }), WANTED)).toMatchObject({
      confirmed: true,
    })
  })

  it.each([
    ['another key', { encryptsWith: 'b'.repeat(32) }],
    ['no handshake', { verified: 'none' }],
    ['a stale ring', { result: 'stale', generation: 9 }],
    ['an older generation', { generation: 6 }],
    ['keys of its own', { result: 'local-ring', error: 'no-credentials' }],
    ['a failure', { result: 'failed', error: 'tickets-off' }],
    ['another ring', { ring: 'other' }],
    ['another script', { script: 'b'.repeat(12) }],
  ])('is not confirmed by %s', (_, change) => {
    expect(judge(said(change), WANTED)).toMatchObject({ confirmed: false, spoke: true })
  })

  it.each([
    'Delivery Timed Out',
    'DeliveryTimedOut',
    'Undeliverable',
    'Terminated',
    'InProgress',
    'Execution Timed Out',
  ])('is silent under %s, whatever its output', (status) => {
    expect(judge(said({}, status), WANTED)).toMatchObject({ confirmed: false, spoke: false })
  })

  it('keeps its confirmation through silence, and loses it by its own word', () => {
    const confirmed = new Map([['i-1', judge(said({}), WANTED)]])
    const silent = new Map([['i-1', judge(said({}, 'Undeliverable'), WANTED)]])
    const failed = new Map([['i-1', judge(said({ result: 'failed', error: 'tickets-off' }), WANTED)]])
    expect(withOlder(silent, confirmed).get('i-1')).toMatchObject({ confirmed: true })
    expect(withOlder(failed, confirmed).get('i-1')).toMatchObject({ confirmed: false })
  })
})

describe('the delivery record', () => {
  const at = new Date('2026-11-21T19:00:00.000Z')
  const delivery: Delivery = {
    version: 'advance-1',
    lineage: LINE.lineage,
    generation: 7,
    parent: 'advance-0',
    encryptsWith: LINE.encryptsWith,
    rotatedAt: at,
    commands: [{ id: 'c-1', sentAt: at, judged: true }],
    attempts: 1,
    members: 10_000,
    confirmed: 9_980,
    stragglers: Array.from({ length: 20 }, (_, n) => ({
      id: `i-0123456789abcde${n}`,
      code: 'config-test-failed',
      detail: 'x'.repeat(500),
    })),
    membership: 'f'.repeat(32),
    convergedAt: at,
  }
  const record = {
    ring: 'edge',
    delivery,
    carried: {
      baseline: { members: 10_000, at },
      pending: { version: 'p', since: at },
      highest: { lineage: LINE.lineage, generation: 7 },
      requests: [{ token: 'advance:x', generation: 7 }],
    },
  }

  it('fits a standard parameter, and survives writing and reading', () => {
    const text = serialiseRecord(record)
    expect(Buffer.byteLength(text)).toBeLessThan(4096)
    expect(serialiseRecord(parseRecord(text))).toBe(text)
    expect(parseRecord(text)).toMatchObject({ carried: record.carried, delivery: { members: 10_000 } })
  })

  it('gives up stragglers, then releases, before it gives up who confirmed', () => {
    const release = { server: 'haproxy', version: '2.6.12-1+deb12u1', machines: 9_980 }
    const written = (holders: number, count: number) => {
      const releases = Array.from({ length: count }, () => ({ ...release, version: 'v'.repeat(64) }))
      const text = serialiseRecord({
        ...record,
        delivery: { ...delivery, releases, holders: 'A'.repeat(holders) },
      })
      expect(Buffer.byteLength(text)).toBeLessThan(4096)
      return parseRecord(text).delivery
    }
    expect(written(1_700, 1)).toMatchObject({ releases: [{ machines: 9_980 }], holders: 'A'.repeat(1_700) })
    const full = written(2_500, 8)
    expect(full).toMatchObject({ stragglers: expect.any(Array), holders: 'A'.repeat(2_500) })
    expect(full).not.toHaveProperty('releases')
  })

  it('is refused where anything in it is not as written', () => {
    const fields = JSON.parse(serialiseRecord(record))
    for (const [path, value] of [
      ['v', 2],
      ['carried', null],
      ['delivery', { ...fields.delivery, attempts: -1 }],
      ['delivery', { ...fields.delivery, rotatedAt: 'x' }],
      ['extra', 1],
    ] as const) {
      expect(() => parseRecord(JSON.stringify({ ...fields, [path]: value }))).toThrow(/record-malformed/)
    }
  })
})

describe('an event', () => {
  it('is told apart by its shape', () => {
    expect(parseRotationRequest({ action: 'status' })).toEqual({
      kind: 'action',
      action: 'status',
      dryRun: false,
    })
    const step = { Step: 'testSecret', SecretId: 'arn:x', ClientRequestToken: 'a'.repeat(36) }
    expect(parseRotationRequest(step)).toEqual({
      kind: 'step',
      step: 'testSecret',
      secret: 'arn:x',
      token: 'a'.repeat(36),
    })
  })

  it.each([
    [{ action: 'explode' }, 'status, rotate, deliver, revoke, reconcile'],
    [{ action: 'rotate', force: true }, '"force"'],
    [{ action: 'status', token: 'x' }, '"token"'],
    [
      { action: 'revoke', ring: 'edge', reason: 'x', scheduledTime: '2026-11-21T19:00:00Z' },
      '"scheduledTime"',
    ],
    [{ action: 'revoke' }, 'no "ring" and no "reason"'],
    [{ action: 'revoke', ring: 'edge' }, 'no "reason"'],
    [{ action: 'revoke', reason: 'a leak' }, '{"action":"revoke","ring":"<name>","reason":"<why>"}'],
    [{ action: 'revoke', ring: 'edge', reason: 'a leak', dryRun: 'yes' }, 'true or false'],
    [{ action: 'revoke', dryRun: true }, 'no "ring" and no "reason"'],
    [{ action: 'rotate', ring: 'edge' }, 'only revoke names its ring'],
    [{ action: 'rotate', scheduledTime: 'now' }, 'a time such as'],
    [{ action: 'rotate', dryRun: 'yes' }, 'true or false'],
    [{ action: 'rotate', token: 'with space' }, '"token"'],
    [{ Step: 'dropSecret', SecretId: 'x', ClientRequestToken: 'a'.repeat(36) }, 'createSecret'],
    [{ Step: 'testSecret', SecretId: 'x' }, '"ClientRequestToken"'],
    [null, 'status'],
    ['rotate', 'status'],
    [[], 'status'],
    [{}, 'status'],
  ])('%j is refused, and the error names what is allowed', (event, names) => {
    expect(() => parseRotationRequest(event)).toThrow(names)
    expect(() => parseRotationRequest(event)).toThrow(/^request-invalid/)
  })
})

describe('an unknown action', () => {
  it.each([
    ['explode', '"explode"'],
    ['Rotate', '"Rotate"'],
    ['k'.repeat(33), 'a string of 33'],
    ['{"x":1}', 'a string of 7'],
    ['', 'an empty string'],
    [7, 'a number'],
  ])('%j is told as %s', (action, came) => {
    expect(() => parseRotationRequest({ action })).toThrow(expect.objectContaining({ came }))
    const step = { Step: action, SecretId: 'x', ClientRequestToken: 'a'.repeat(36) }
    expect(() => parseRotationRequest(step)).toThrow(expect.objectContaining({ came }))
  })
})

describe('the configuration', () => {
  it('survives writing and reading', () => {
    const configuration = configurationOf()
    expect(parseRotationConfiguration(serialiseRotationConfiguration(configuration))).toEqual(configuration)
  })

  it.each([
    [undefined, 'TICKETRING_ROTATION'],
    ['{', 'configuration as JSON'],
    [
      JSON.stringify({ ...configurationOf(), ring: 'Edge!' }),
      'TICKETRING_ROTATION.ring: wanted a ring name; got "Edge!"',
    ],
    [JSON.stringify({ ...configurationOf(), timing: { ...TIMING, ticketLifetime: 7201 } }), 'half of'],
    [
      JSON.stringify({ ...configurationOf(), timing: { ...TIMING, maxKeyAge: 60 } }),
      'TICKETRING_ROTATION.timing.maxKeyAge: wanted more than every; got',
    ],
    [
      JSON.stringify({ ...configurationOf(), trigger: 'cron' }),
      'TICKETRING_ROTATION.trigger: wanted one of schedule, secrets-manager',
    ],
    [
      JSON.stringify({ ...configurationOf(), target: { tag: 'x', values: [''], minInstances: 1 } }),
      'TICKETRING_ROTATION.target.values[0]: wanted tag values',
    ],
  ])('is refused where it is wrong: %#', (text, names) => {
    expect(() => parseRotationConfiguration(text)).toThrow(names)
  })
})

describe('a token', () => {
  it('is one for one child of one parent, of a length that Secrets Manager takes', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (secret, parent, caller) => {
        const token = tokenFor('advance', secret, parent, caller)
        expect(token).toBe(tokenFor('advance', secret, parent, caller))
        expect(token).toMatch(/^[a-z0-9-]{32,64}$/)
        expect(token).not.toBe(tokenFor('revoke', secret, parent, caller))
        expect(token).not.toBe(tokenFor('advance', secret, `${parent}x`, caller))
        expect(token).not.toBe(tokenFor('advance', secret, parent, `${caller}x`))
      }),
    )
  })
})
