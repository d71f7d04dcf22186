/** What becomes of a command on one machine, and of all of it, in Run Command's words. */
import type { AgentResult } from './agent.ts'
import { commandOutput } from './agent-output.ts'
import type { ExecutionRecord } from './history.ts'

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
export type Execution = Mutable<ExecutionRecord>

export function pending(instance: string, document: string): Execution {
  const status = 'Pending'
  const none = { startedAt: undefined, endedAt: undefined, stdout: '', stderr: '', exitCode: -1 }
  return { instance, document, status, statusDetails: status, ...none }
}

/** Status and details of a run that an agent reported. */
export function statusOf({ status }: AgentResult): [status: string, details: string] {
  return [status, status === 'TimedOut' ? 'ExecutionTimedOut' : status]
}

/** An unheard answer stays unheard: its output is kept for the history, never shown by the API. */
export function shownOutput({ statusDetails, stdout, stderr }: ExecutionRecord): string {
  return statusDetails === 'DeliveryTimedOut' ? '' : commandOutput(stdout, stderr)
}

/** What has ended stays as it ended. */
export function end(execution: Execution | undefined, status: string, statusDetails: string): void {
  if (execution?.endedAt === undefined)
    Object.assign(execution ?? {}, { status, statusDetails, endedAt: Date.now() })
}

/** A number, or a percentage of the targets. */
export function share(value: string, of: number): number {
  const number = Number.parseInt(value, 10)
  return value.endsWith('%') ? Math.floor((number * of) / 100) : number
}

/** The whole command's status. Undeliverable machines count neither as errors nor against success. */
export function summary(invocations: readonly Execution[], allowed: number): readonly [string, string] {
  const all = invocations.map(({ statusDetails }) => statusDetails)
  const some = (...details: string[]) => all.filter((each) => details.includes(each)).length
  if (all.length === 0) return ['Failed', 'NoInstancesInTag']
  const [errors, expired, succeeded] = [
    some('Failed', 'ExecutionTimedOut'),
    some('DeliveryTimedOut'),
    some('Success'),
  ]
  if (errors > allowed) return ['Failed', 'Failed']
  if (errors > 0 || (expired > 0 && succeeded > 0)) return ['Failed', 'Incomplete']
  if (succeeded > 0) return ['Success', 'Success']
  return expired > 0 ? ['TimedOut', 'DeliveryTimedOut'] : ['Failed', 'Failed']
}
