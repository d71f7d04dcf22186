import { describe, expect, test } from 'vitest'
import type { Invocation } from '../../lambda/fleet/evidence.ts'
import { isRefusal } from '../../lambda/kernel/errors.ts'
import { judge } from '../../lambda/ring/confirmation.ts'
import { parseRecord } from '../../lambda/ring/delivery-record-text.ts'
import { parseResultLine } from '../../lambda/ring/result-line.ts'
import { judgeStaples } from '../../lambda/staples/delivery-decision.ts'
import { parseStapleRecord } from '../../lambda/staples/delivery-record.ts'
import { parseEntry } from '../../lambda/staples/entry.ts'
import { parseStapleLine } from '../../lambda/staples/result-line.ts'
import { StapleWorld } from '../fakes/staple-world.ts'

const AT = '2026-11-21T19:00:00.000Z'
const LINE = {
  v: 1,
  ring: 'edge',
  lineage: '11111111-2222-4333-8444-555555555555',
  generation: 7,
  server: 'haproxy',
  result: 'failed',
  encryptsWith: '00112233445566778899aabbccddeeff',
  verified: 'none',
  ms: 41,
  script: '0123456789ab',
  error: 'tickets-off',
  detail: 'no ticket came',
}
const STAPLE_LINE = {
  v: 1,
  staples: 'edge',
  result: 'failed',
  installed: 0,
  withdrawn: 0,
  held: 1,
  ms: 12,
  script: '0123456789ab',
  error: 'staple-refused',
  detail: 'HAProxy said no',
}
const DELIVERED = {
  commands: [{ id: 'c-1', sentAt: AT, judged: false }],
  attempts: 1,
  members: 2,
  confirmed: 1,
  stragglers: [{ id: 'i-1', code: 'unheard', detail: 'has not answered' }],
  failures: [{ code: 'unheard', machines: 1 }],
}
const RECORD = { v: 1, ring: 'edge', delivery: { ...DELIVERED, version: 'x', generation: 7, rotatedAt: AT } }
const STAPLE_RECORD = {
  v: 1,
  set: 'edge',
  delivery: { holding: 'ab', ...DELIVERED },
  baseline: { members: 2, at: AT },
}

async function entryOf(): Promise<object> {
  const world = new StapleWorld()
  world.add('www')
  await world.refresh()
  return JSON.parse(world.store.versions.get(world.id('www'))?.at(-1) ?? '{}') as object
}

/** Values that stand where another belongs in what another program wrote, or in what another release did. */
const ODD: readonly unknown[] = [
  null,
  true,
  -1,
  1e300,
  '',
  'x'.repeat(9000),
  '\u0000\ud800',
  '__proto__',
  [],
  [null],
  [[]],
  {},
  { constructor: null },
]

/** The value with each part of it left out, and with each odd value in its place. */
function* bent(value: unknown): Generator<unknown> {
  yield* ODD
  if (typeof value !== 'object' || value === null) return
  for (const key of Object.keys(value)) {
    const [held, rest] = [value as Record<string, unknown>, { ...value } as Record<string, unknown>]
    delete rest[key]
    if (!Array.isArray(value)) yield rest
    for (const inner of bent(held[key]))
      yield Array.isArray(value) ? value.with(Number(key), inner) : { ...value, [key]: inner }
  }
  if (!Array.isArray(value)) yield { ...value, extra: 1 }
}

function expectCoded(value: unknown, parse: (text: string) => unknown): void {
  let count = 0
  for (const odd of bent(value)) {
    const text = JSON.stringify(odd)
    count += 1
    try {
      parse(text)
    } catch (error) {
      expect(isRefusal(error), `${text.slice(0, 200)}: ${error}`).toBe(true)
      expect(String(error).length).toBeLessThan(1500)
    }
  }
  expect(count).toBeGreaterThan(50)
}

describe('whatever stands in it, it is read or refused with its code', () => {
  test.each([
    ["a machine's line about a ring", LINE, parseResultLine],
    ["a machine's line about staples", STAPLE_LINE, parseStapleLine],
    ['the record of a ring', RECORD, parseRecord],
    ['the record of a set', STAPLE_RECORD, parseStapleRecord],
  ] as const)('%s', (_, value, parse) => expectCoded(value, parse))

  test('the entry of a certificate', async () => expectCoded(await entryOf(), parseEntry))
})

test("one machine's answer, whatever it is, is that machine's: it has not confirmed", () => {
  const wanted = { ...LINE, scripts: [LINE.script], announcedAtMost: 7200 }
  const outputs = [...bent(LINE), ...bent(STAPLE_LINE)].map((odd) => JSON.stringify(odd))
  const statuses = ['Success', 'Failed', '', 'constructor', '__proto__', 'A new one of tomorrow']
  for (const output of [...outputs, 'x', '\u0000'.repeat(3000), '---ERROR---', undefined])
    for (const status of [...statuses, undefined]) {
      const invocation = { id: 'i-1', status, output } as Invocation
      for (const verdict of [
        judge(invocation, wanted),
        judgeStaples(invocation, { set: 'edge', scripts: ['a'] }),
      ]) {
        expect(verdict.confirmed, `${status} ${output?.slice(0, 200)}`).toBe(false)
        if (!verdict.confirmed) expect(verdict.detail.length).toBeLessThan(600)
      }
    }
})
