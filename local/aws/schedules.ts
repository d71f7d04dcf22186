import { setTimeout as sleep } from 'node:timers/promises'
import { type Account, letters } from './account.ts'
import { codeOf } from './aws-error.ts'
import type { CallBook } from './caller.ts'
import type { DurationOverride } from './contract.ts'
import { type Principal, roleSession } from './credentials.ts'
import { type FaultPlan, strike } from './faults.ts'
import type { Functions } from './functions.ts'
import type { FailedEvent } from './history.ts'
import { scheduledInput, Ticker } from './scheduler.ts'
import type { DeclaredSchedule } from './stack.ts'

export interface ScheduleParts {
  readonly account: Account
  readonly calls: CallBook
  readonly functions: Functions
  readonly faults: FaultPlan
  readonly failedEvents: FailedEvent[]
  readonly timing: DurationOverride
  readonly paused: boolean
}

/** A schedule's clock; it runs unless told to start paused. */
export function startSchedule(schedule: DeclaredSchedule, parts: ScheduleParts): Ticker {
  const { logicalId, name, enabled } = schedule
  const timed = { kind: 'schedule' as const, logicalId, name }
  const period = parts.timing.period?.(schedule.period, timed) ?? schedule.period
  const window = (schedule.window * period) / schedule.period
  const ticker = new Ticker(timed, { period, window }, parts.account, (time) => fire(schedule, time, parts))
  if (enabled && !parts.paused) ticker.start(true)
  return ticker
}

/** At least once: Scheduler queues an asynchronous invocation in the role's name, else keeps the event. */
async function fire(schedule: DeclaredSchedule, scheduledTime: Date, parts: ScheduleParts): Promise<void> {
  const { account, faults } = parts
  const { target } = schedule
  const event = scheduledInput(target.input, scheduledTime)
  const session = roleSession(account, 'service', target.role, letters(account, 16))
  for (let attempt = 0; attempt <= target.retryAttempts; attempt += 1) {
    if (attempt > 0) await sleep(1000 * 2 ** (attempt - 1), undefined, { ref: false })
    if (!(await handOver(target.arn, event, session, parts))) continue
    for (let copy = 0; copy < faults.duplicates; copy += 1) await handOver(target.arn, event, session, parts)
    return
  }
  await keep(target.deadLetters, schedule.name, event, session, parts)
}

async function handOver(
  id: string,
  event: unknown,
  session: Principal,
  parts: ScheduleParts,
): Promise<boolean> {
  const { calls, faults, functions } = parts
  const { call, caller } = calls.open('lambda', 'Invoke', session)
  try {
    const fault = faults.pick('Invoke', session)
    if (fault) strike(fault, session)
    const deployment = functions.find(id)
    await caller.need('lambda:InvokeFunction', deployment.arn)
    functions.queue(deployment, event)
    return true
  } catch (error) {
    call.error = codeOf(error)
    return false
  }
}

/** The dead-letter queue, where there is one and the role may write to it. */
async function keep(
  queue: string | undefined,
  source: string,
  event: unknown,
  session: Principal,
  { account, calls, failedEvents }: ScheduleParts,
): Promise<void> {
  if (queue === undefined) return
  const { caller } = calls.open('sqs', 'SendMessage', session)
  if (await caller.may('sqs:SendMessage', queue)) failedEvents.push({ source, event, at: account.now() })
}
