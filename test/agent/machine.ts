/** One machine of the fleet that runs the program in Python. */
import { expect, vi } from 'vitest'
import type { InstanceError } from '../../lambda/ring/result-line.ts'
import type { Ring } from '../../lambda/ring/ring.ts'
import { advanced, Instance, type Run, type RunOptions, ringOf } from './instance.ts'
import type { Kind } from './terminators.ts'

/** A machine whose server runs `ring`. */
export async function startMachine(server: Kind, ring = ringOf(1)): Promise<Instance> {
  return await Instance.start(server, ring)
}

/** A machine that runs generation 1, while AWSCURRENT names generation 2: there is always something to do. */
export async function startOneBehind(server: Kind): Promise<[machine: Instance, next: Ring]> {
  const ring = ringOf(1)
  const machine = await startMachine(server, ring)
  expect((await machine.run()).line).toMatchObject({ result: 'applied', generation: 1 })
  const next = advanced(ring)
  machine.publish(next)
  return [machine, next]
}

/** Runs, expects this error and a machine that runs what it ran before; gives the detail. */
export async function refused(
  machine: Instance,
  error: InstanceError,
  options: RunOptions = {},
): Promise<string> {
  const before = await machine.condition()
  const run = await failed(machine, error, options)
  // No expect.poll, which a test that runs beside others does not have.
  await vi.waitFor(async () => expect(await machine.condition()).toEqual(before), 60_000)
  return run.line.detail ?? ''
}

/** Runs and expects this error, in one line and without a traceback. */
export async function failed(
  machine: Instance,
  error: InstanceError,
  options: RunOptions = {},
): Promise<Run> {
  const run = await machine.run(options)
  expect({ code: run.code, ...run.line }).toMatchObject({
    code: 1,
    result: 'failed',
    error,
    verified: 'none',
  })
  expect(run.stderr).not.toContain('Traceback')
  return run
}
