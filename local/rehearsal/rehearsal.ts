import { setTimeout as pause } from 'node:timers/promises'
import { Clients } from './clients/clients.ts'
import type { Machine } from './machines/machine.ts'
import { RehearsalError } from './rehearsal-error.ts'
import type { Result } from './report/judge.ts'
import { type Rehearsing, Run } from './run.ts'
import { announce, withdraw } from './running-rehearsal.ts'
import { SCENES } from './scenes/scenes.ts'
import { Testbed } from './testbed.ts'
import type { Wishes } from './testbed-parts.ts'
import { timingFor } from './timing.ts'

/**
 * Rehearses: builds the testbed, lets the schedules rotate the ring while clients come and go, and judges what they saw.
 * @throws RehearsalError when it cannot go on; every process is ended and every folder but the logs' removed.
 */
export async function rehearse(options: Rehearsing): Promise<Result> {
  const { fleet, timing = timingFor(options.fleet), faults = {} } = options
  const wishes: Wishes = options.scene === undefined ? {} : SCENES[options.scene]
  const testbed = await Testbed.build(fleet, timing, faults, options.signal, wishes, options.own)
  const clients = new Clients()
  testbed.scope.defer(() => clients.stop())
  let ok = false
  try {
    const result = await new Run(testbed, clients, options).result()
    ok = result.report.ok
    options.onResult?.(result)
    if (options.keep) await stayUp(testbed, options)
    return result
  } catch (error) {
    if (error instanceof RehearsalError && !options.signal.aborted) throw error.at(testbed.workspace.disk)
    throw error
  } finally {
    await testbed.strike(!ok && !options.signal.aborted)
  }
}

async function stayUp(testbed: Testbed, { signal, progress }: Rehearsing): Promise<void> {
  testbed.tickOn()
  const isFirst = announce(testbed.describe())
  try {
    const { plainPort, pki } = testbed.machines[0] as Machine
    const asking = `openssl s_client -status -CAfile ${pki.root} -connect 127.0.0.1:${plainPort}`
    if (testbed.stapled.length > 0)
      progress.say(`a staple: ${asking} -servername ${pki.serverName} </dev/null`)
    const which = isFirst ? '' : `--rehearsal ${process.pid} `
    progress.say(`staying up until Ctrl-C: npm run invoke -- ${which}rotate '{"action":"status"}'`)
    await pause(2 ** 31 - 1, undefined, { signal }).catch(() => {})
  } finally {
    withdraw(process.pid)
  }
}
