/** A terminator's process: from its start until it is gone. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { killGroup, spawnGroup } from '../../process-group.ts'
import { RehearsalError } from '../rehearsal-error.ts'
import type { ExecTrace } from '../secrecy/exec-trace.ts'
import { terminatorOf } from './kinds.ts'
import type { Machine } from './machine.ts'
import { takesConnections } from './ports.ts'
import { SERVER_PATH } from './required-servers.ts'

/** A running terminator. */
export interface RunningServer {
  readonly machine: Machine
  readonly process: ChildProcess
}

/** Starts the terminator, whose key files must be there; resolves when its listeners take connections. */
export async function startServer(machine: Machine, trace: Pick<ExecTrace, 'wrap'>): Promise<RunningServer> {
  // A rehearsal that is killed takes its servers with it: the kernel tells them.
  const mortal = ['setpriv', '--pdeathsig', 'TERM', '--', ...terminatorOf(machine).command(machine)]
  const argv = trace.wrap(mortal, `${machine.server} of ${machine.id}`)
  const log = join(machine.directory, `${machine.server}.log`)
  const handle = openSync(log, 'a')
  const process = spawnGroup(argv, {
    env: serverEnvironment(machine),
    stdio: ['ignore', handle, handle],
  })
  closeSync(handle)
  try {
    const doors = machine.own?.doors.map(({ port }) => port) ?? []
    for (const port of new Set([machine.publicPort, machine.plainPort, ...doors]))
      await listening(port, process, log)
    return { machine, process }
  } catch (error) {
    killGroup(process)
    throw error
  }
}

function serverEnvironment(machine: Machine): Record<string, string> {
  return { PATH: SERVER_PATH, HOME: machine.directory }
}

async function listening(port: number, server: ChildProcess, log: string): Promise<void> {
  const deadline = Date.now() + 60_000
  while (!(await takesConnections(port))) {
    if (server.exitCode === null && Date.now() < deadline) {
      await pause(25)
      continue
    }
    throw new RehearsalError(
      `A server did not start: ${readFileSync(log, 'utf8').trim().slice(-600)}`,
      `Its log is ${log}`,
    )
  }
}

/** Stops a server for good; one that does not listen is killed. */
export async function stopServer({ machine, process }: RunningServer): Promise<void> {
  if (process.exitCode !== null || process.signalCode !== null) return
  const gone = once(process, 'exit')
  terminatorOf(machine).stop(process)
  const inTime = await Promise.race([gone.then(() => true), pause(2_000, false, { ref: false })])
  if (inTime) return
  killGroup(process)
  await gone
}
