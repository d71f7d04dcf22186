import { setImmediate } from 'node:timers/promises'
import { parseRotationRequest } from '../../lambda/ring/request.ts'
import { run } from '../../lambda/ring/rotate.ts'
import type { World } from '../fakes/world.ts'
import { Process, type Program } from './process.ts'

/** More calls than any invocation makes. */
const MOST_CALLS = 600

/** An invocation of `event` in this world that waits at its first call. */
export async function invoke(world: World, event: object, name = JSON.stringify(event)): Promise<Process> {
  const request = parseRotationRequest(event)
  if (request.kind !== 'action') throw new Error('not an action')
  return start(world, (ports) => run(ports, request), name)
}

export async function start(world: World, program: Program, name: string): Promise<Process> {
  const process = new Process(name, program, world)
  await setImmediate()
  return process
}

/** Lets the process run until it waits at a call of this name, the `nth` that it meets. */
export async function runTo(process: Process, call: string, nth = 1): Promise<void> {
  for (let met = process.next === call ? 1 : 0, n = 0; met < nth; n++) {
    if (process.ended || n > MOST_CALLS)
      throw new Error(`${process.name} never comes to ${call}: ${process.calls}`)
    await process.step()
    await setImmediate()
    if (process.next === call) met += 1
  }
}

/** Lets the process run to its end. @returns its answer. @throws what it throws. */
export async function runToEnd(process: Process) {
  for (let n = 0; !process.ended; n++) {
    if (n > MOST_CALLS) throw new Error(`${process.name} does not end: ${process.calls}`)
    await process.step()
    await setImmediate()
  }
  if (process.outcome !== undefined && 'error' in process.outcome) throw process.outcome.error
  return process.outcome?.answer
}

/** Lets the process run to a call of this name, and no further. */
export async function killAt(process: Process, call: string, nth = 1): Promise<void> {
  await runTo(process, call, nth)
  process.killed = true
}
