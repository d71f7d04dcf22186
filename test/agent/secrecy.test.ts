import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { Ring } from '../../lambda/ring/ring.ts'
import { CREDENTIALS, NO_CREDENTIALS } from './endpoint.ts'
import { Instance, type Run, type RunOptions, ringOf } from './instance.ts'
import { findKeyBytes } from './key-bytes.ts'

let instance: Instance
afterEach(() => instance.stop())

/** Loads three fresh keys, so that every path that handles keys is taken; gives all that processes were started with. */
async function traced(server: 'haproxy' | 'nginx', options: RunOptions = {}): Promise<[Run, Buffer, Ring[]]> {
  const rings = [ringOf(1), ringOf(2)] as const
  instance = await Instance.start(server, rings[0])
  await instance.run()
  instance.publish(rings[1])
  const log = join(instance.terminator.directory, 'trace')
  // With --seccomp-bpf it stops at execve and at nothing else.
  const how = ['-f', '--seccomp-bpf', '-q', '-v', '-xx', '-s', '100000', '-e', 'trace=execve', '-o', log]
  const run = await instance.run({ ...options, prefix: ['strace', ...how] })
  expect(run.line).toMatchObject({ result: 'applied', generation: 2 })
  return [run, decoded(readFileSync(log, 'latin1')), [...rings]]
}

/** strace -xx writes every string as \x41\x42. */
function decoded(log: string): Buffer {
  return Buffer.from(
    log.replace(/\\x([0-9a-f]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  )
}

describe.each(['haproxy', 'nginx'] as const)('%s', (server) => {
  test('no key byte is in an argument, an environment or an output', async () => {
    const [run, started, rings] = await traced(server)
    expect(started.toString('latin1')).toContain('s_client')
    expect(findKeyBytes(started, rings)).toBe(0)
    expect(findKeyBytes(Buffer.from(run.stdout + run.stderr), rings)).toBe(0)
  })
})

test('credentials of the instance metadata are in no argument and no environment', async () => {
  const [, started] = await traced('haproxy', { environment: NO_CREDENTIALS })
  expect(started.toString('latin1')).not.toContain(CREDENTIALS.secretAccessKey)
  expect(started.toString('latin1')).not.toContain(CREDENTIALS.sessionToken)
})

test('the run directory holds no key bytes', async () => {
  const [, , rings] = await traced('haproxy')
  for (const name of readdirSync(instance.runDirectory)) {
    expect(findKeyBytes(readFileSync(join(instance.runDirectory, name)), rings)).toBe(0)
  }
})

test('a key that is planted is found raw, in hex and in base64 at any alignment', () => {
  const ring = ringOf(1)
  const { hmac } = ring.next.reveal()
  const plants = [hmac.subarray(5, 21), Buffer.from(hmac.subarray(9, 25).toString('hex').toUpperCase())]
  const shifted = [0, 1, 2].map((shift) =>
    Buffer.concat([Buffer.from('abc').subarray(0, shift), hmac]).toString('base64'),
  )
  for (const plant of [...plants, ...shifted.map((text) => Buffer.from(text))]) {
    expect(
      findKeyBytes(Buffer.concat([Buffer.from('before '), plant, Buffer.from(' after')]), [ring]),
    ).toBeGreaterThan(0)
  }
  expect(findKeyBytes(Buffer.from(ring.next.name), [ring])).toBe(0)
})
