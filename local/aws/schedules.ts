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

/** Events of a schedule that its function has not ended yet. */
interface Underway {
  events: number
}

/**
 * A schedule's clock; it runs unless told to start paused. Where a function's time-out is no longer than the period that is
 * configured, its events never meet on AWS; with a shorter period they do not meet here either.
 */
export function startSchedule(schedule: DeclaredSchedule, parts: ScheduleParts): Ticker {
  const { logicalId, name, enabled } = schedule
  const timed = { kind: 'schedule' as const, logicalId, name }
  const period = parts.timing.period?.(schedule.period, timed) ?? schedule.period
  const window = (schedule.window * period) / schedule.period
  const underway: Underway = { events: 0 }
  const isFree = () =>
    underway.events === 0 || parts.functions.find(schedule.target.arn).timeout > schedule.period
  const act = (time: Date) => fire(schedule, time, underway, parts)
  const ticker = new Ticker(timed, { period, window, isFree }, parts.account, act)
  if (enabled && !parts.paused) ticker.start(true)
  return ticker
}

/** At least once: Scheduler queues an asynchronous invocation in the role's name, else keeps the event. */
async function fire(
  schedule: DeclaredSchedule,
  scheduledTime: Date,
  underway: Underway,
  parts: ScheduleParts,
): Promise<void> {
  const { account, faults } = parts
  const { target } = schedule
  const event = scheduledInput(target.input, scheduledTime)
  const session = roleSession(account, 'service', target.role, letters(account, 16))
  for (let attempt = 0; attempt <= target.retryAttempts; attempt += 1) {
    if (attempt > 0) await sleep(1000 * 2 ** (attempt - 1), undefined, { ref: false })
    if (!(await handOver(target.arn, event, session, underway, parts))) continue
    for (let copy = 0; copy < faults.duplicates; copy += 1)
      await handOver(target.arn, event, session, underway, parts)
    return
  }
  await keep(target.deadLetters, schedule.name, event, session, parts)
}

async function handOver(
  id: string,
  event: unknown,
  session: Principal,
  underway: Underway,
  parts: ScheduleParts,
): Promise<boolean> {
  const { calls, faults, functions } = parts
  const { call, caller } = calls.open('lambda', 'Invoke', session)
  try {
    const fault = faults.pick('Invoke', session)
    if (fault) strike(fault, session)
    const deployment = functions.find(id)
    await caller.need('lambda:InvokeFunction', deployment.arn)
    underway.events += 1
    void functions.queue(deployment, event).finally(() => {
      underway.events -= 1
    })
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
