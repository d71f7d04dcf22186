import { existsSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { deliveryShare, stapleTotalOf, totalOf } from '../../local/rehearsal/clients/tally.ts'
import { PARTS } from '../../local/rehearsal/staples/scenario.ts'
import { FLEET, rehearseWith, synthesiseOnce } from './rehearsing.ts'

let stack: Awaited<ReturnType<typeof synthesiseOnce>>
beforeAll(async () => {
  stack = await synthesiseOnce()
})
afterAll(() => stack?.forget())

it('two rotations over two HAProxy and two nginx, one of them slow, lose nothing and retire every old ticket', async () => {
  const faults = {
    synthesis: stack.synthesis,
    // Its commands arrive late: the gate has to wait for it, and for the tickets it issued meanwhile.
    onStart: ({ instances }: { instances: readonly { delay(ms: number): void }[] }) =>
      instances[1]?.delay(800),
  }
  const { report, problems, tally, staples, incidents, execs, testbed } = await rehearseWith(faults, 2)

  expect(problems).toEqual([])
  expect(incidents.examples).toEqual([])
  expect(report).toMatchObject({ ok: true, rotations: 2, generation: 3, keyBytesFound: 0 })
  expect(report.hosts.map(({ generation }) => generation)).toEqual([3, 3, 3, 3])
  expect(new Set(report.hosts.map(({ encryptsWith }) => encryptsWith)).size).toBe(1)
  expect(totalOf(tally)).toMatchObject({ lost: 0, failed: 0 })
  expect(deliveryShare(tally)).toBeGreaterThanOrEqual(0.3)
  expect(report.retired.accepted).toBe(0)
  expect(report.retired.tried).toBeGreaterThanOrEqual(2 * 2 * (FLEET.haproxy + FLEET.nginx))
  expect(tally.crossKind.tried).toBeGreaterThan(0)
  expect(execs).toBeGreaterThan(100)
  expect(report.apiCalls.SendCommand).toBeGreaterThan(0)
  expect(Object.keys(report)).toEqual([
    'ok',
    'rotations',
    'generation',
    'hosts',
    'resumption',
    'retired',
    'apiCalls',
    'keyBytesFound',
    'staples',
  ])

  expect(Object.keys(report.staples)).toEqual(testbed.ids)
  for (const counts of Object.values(report.staples)) {
    expect(Object.keys(counts)).toEqual(['asked', 'good', 'missing', 'expired', 'revoked'])
    expect(counts).toMatchObject({ expired: 0, good: expect.any(Number) })
    expect(counts.good + counts.missing + counts.revoked).toBe(counts.asked)
  }
  expect(stapleTotalOf(staples)).toMatchObject({ expired: 0, refused: 0 })
  expect(Object.keys(staples.phases)).toEqual(PARTS)
  const last = staples.phases.revoked?.certificates
  expect(last?.www?.good).toBe(last?.www?.asked)
  expect(last?.shop?.revoked).toBe(last?.shop?.asked)
  expect(last?.lab?.missing).toBe(last?.lab?.asked)
  for (const { certificates } of Object.values(staples.phases)) expect(certificates.www?.missing).toBe(0)

  // Nothing is left behind: no key on tmpfs, no process.
  expect(existsSync(testbed.workspace.memory)).toBe(false)
  for (const { process } of testbed.servers) expect(process.exitCode ?? process.signalCode).not.toBeNull()
}, 240_000)
