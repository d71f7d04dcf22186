/** What a machine makes of a generation that is the canary's: a setting of the rings that have one. */
import { rmSync } from 'node:fs'
import { afterEach, expect, test } from 'vitest'
import type { Ring } from '../../lambda/ring/ring.ts'
import { advanced, Instance, ringOf } from './instance.ts'

let instance: Instance
afterEach(() => instance.stop())

const AT_LEAST_2 = { arguments: ['edge', '2'] }

/** As old as this, in seconds. */
function aged(ring: Ring, seconds: number): Ring {
  return { ...ring, rotatedAt: new Date(Date.now() - seconds * 1000) }
}

/** A machine of a ring with a canary that holds generation 1. */
async function holdingFirst(ring: Ring): Promise<void> {
  instance = await Instance.start('haproxy', ring)
  instance.set('STAY_BEHIND=3600')
  expect((await instance.run()).line).toMatchObject({ generation: 1, verified: 'handshake' })
}

test('a run that no command asked for stays one generation behind; a command goes on to it', async () => {
  const ring = ringOf(1)
  await holdingFirst(ring)
  instance.publish(aged(advanced(ring), 60))
  const { line, stderr, code } = await instance.run()
  expect(line).toMatchObject({ result: 'unchanged', generation: 1, verified: 'none' })
  expect(stderr).toContain('stays on generation 1: no command has asked for 2, which the canary tries')
  expect(code).toBe(0)
  expect(await instance.encryptsWith()).toBe(ring.current.name)
  const told = await instance.run(AT_LEAST_2)
  expect(told.line).toMatchObject({ result: 'applied', generation: 2, verified: 'handshake' })
})

test.each<[string, (ring: Ring) => Ring]>([
  ['is older than the canary has', (ring) => aged(advanced(ring), 3601)],
  ['is two generations on', (ring) => aged(advanced(advanced(ring)), 60)],
  ['came by a revoke', (ring) => ({ ...aged(ringOf(2), 60), lineage: ring.lineage })],
  ['is of another lineage', () => aged(ringOf(2, '1b54a7d2-1c1b-4f0e-9d7a-3f2f5c1e8a11'), 60)],
])('a ring that %s is taken by every run', async (_, next) => {
  const ring = ringOf(1)
  await holdingFirst(ring)
  const after = next(ring)
  instance.publish(after)
  expect((await instance.run()).line).toMatchObject({ generation: after.generation, verified: 'handshake' })
  expect(await instance.encryptsWith()).toBe(after.current.name)
})

test('a machine whose key file is gone takes what there is', async () => {
  const ring = ringOf(1)
  await holdingFirst(ring)
  instance.publish(aged(advanced(ring), 60))
  rmSync(instance.terminator.keyFiles[0] ?? '')
  expect((await instance.run()).line).toMatchObject({ result: 'applied', generation: 2 })
})

test('a ring without a canary has no machine stay behind', async () => {
  const ring = ringOf(1)
  await holdingFirst(ring)
  instance.unset('STAY_BEHIND')
  instance.publish(aged(advanced(ring), 60))
  expect((await instance.run()).line).toMatchObject({ result: 'applied', generation: 2 })
})
