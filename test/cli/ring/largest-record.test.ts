/** A record as large as a parameter may be, through the function's answer to an operator's terminal. */
import { expect, it } from 'vitest'
import { statusText } from '../../../cli/ring/status-text.ts'
import { wrappedText } from '../../../cli/wrapped-text.ts'
import { parseRecord, serialiseRecord } from '../../../lambda/ring/delivery-record-text.ts'
import { converged } from '../../fakes/world.ts'

const onOneLine = (text: string) => text.replace(/\s+/g, ' ')

it('the largest record is shown whole, in whatever width', async () => {
  const world = await converged()
  const before = parseRecord(world.record.text ?? '')
  const { delivery, carried } = before
  if (delivery === undefined) throw new Error('nothing was delivered')
  const at = new Date('2026-11-21T19:00:00.000Z')
  const stragglers = Array.from({ length: 20 }, (_, n) => ({
    id: `i-0123456789abcde${String(n).padStart(2, '0')}`,
    code: 'config-test-failed',
    detail: `nginx: [emerg] line ${n}: ${'unknown directive in a file; '.repeat(9)}`,
    ran: true as const,
    retryAfter: 60,
  }))
  const largest = serialiseRecord({
    ...before,
    delivery: {
      ...delivery,
      members: 10_000,
      confirmed: 9_970,
      offline: 5,
      failed: 20,
      judgedAt: at,
      announced: 7_200,
      drifted: 3,
      inUse: true,
      oldProcess: { instance: 'i-0fedcba9876543210', processes: 2, began: at },
      unsent: 'throttled: Rate exceeded',
      nextAt: at,
      stragglers,
      failures: [{ code: 'config-test-failed', machines: 30 }],
      releases: Array.from({ length: 3 }, (_, n) => ({
        server: 'haproxy',
        version: `2.6.${n}-1+deb12u1`,
        machines: 3_000 + n,
      })),
      programs: Array.from({ length: 2 }, (_, n) => ({ version: `0123456789a${n}`, machines: 4_000 + n })),
      canary: { document: 'ticketring-edge-0123456789ab', provedAt: at, passedAt: at, forced: true },
    },
    carried: { ...carried, passed: 'ticketring-edge-0123456789ab', pending: { version: 'p', since: at } },
  })
  expect(Buffer.byteLength(largest)).toBeGreaterThan(3_700)
  world.record.text = largest
  const answer = await world.invoke({ action: 'status' })
  const kept = parseRecord(largest).delivery
  expect(kept?.stragglers.length).toBeGreaterThanOrEqual(15)
  const whole = statusText(answer)
  for (const columns of [60, 80, 200, Number.POSITIVE_INFINITY]) {
    const text = onOneLine(wrappedText(whole, columns))
    for (const { id, code, detail } of kept?.stragglers ?? [])
      expect(text).toContain(onOneLine(` ${id} ${code}: ${detail}`.trimEnd()))
    expect(text.match(/Correct the server's configuration as the detail says/g)).toHaveLength(
      kept?.stragglers.length ?? 0,
    )
    for (const { server, version, machines } of kept?.releases ?? [])
      expect(text).toContain(`${server} ${version} on ${machines}`)
    for (const { version, machines } of kept?.programs ?? [])
      expect(text).toContain(`${version} on ${machines}`)
    expect(text).toContain(`and ${30 - (kept?.stragglers.length ?? 0)} machines more`)
  }
})
