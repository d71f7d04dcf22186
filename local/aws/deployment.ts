import { setTimeout as sleep } from 'node:timers/promises'
import { type Account, arn, letters, roleArn, uuid } from './account.ts'
import type { Context } from './authorisation.ts'
import { codeOf, LoopbackError } from './aws-error.ts'
import type { CallBook } from './caller.ts'
import type { DurationOverride } from './contract.ts'
import { type Principal, roleSession } from './credentials.ts'
import { type FaultPlan, strike } from './faults.ts'
import type { Functions } from './functions.ts'
import type { FailedEvent } from './history.ts'
import type { ParameterStore } from './parameter-store.ts'
import { parseRate } from './rate.ts'
import type { Rotator } from './rotation.ts'
import { scheduledInput, Ticker } from './scheduler.ts'
import { Secret, type SecretStore } from './secret-store.ts'
import type { SecretsManager } from './secrets-manager.ts'
import type { DeclaredRotation, DeclaredSchedule, Stack } from './stack.ts'
import type { Association, StateManager } from './state-manager.ts'

export interface DeploymentParts {
  readonly account: Account
  readonly calls: CallBook
  readonly operator: Principal
  readonly secrets: SecretStore
  readonly secretsManager: SecretsManager
  readonly rotator: Rotator
  readonly parameters: ParameterStore
  readonly functions: Functions
  readonly stateManager: StateManager
  readonly faults: FaultPlan
  readonly failedEvents: FailedEvent[]
  readonly timing: DurationOverride
  readonly background: (work: Promise<unknown>) => void
  readonly paused: boolean
}

/**
 * Creates what the stack declares, in the order its references demand, as the operator.
 * @returns every clock of the account; they run unless told to start paused
 * @throws LoopbackError where CloudFormation would roll back
 */
export async function deploy(stack: Stack, parts: DeploymentParts): Promise<Ticker[]> {
  for (const { name, type, value } of stack.parameters) parts.parameters.create(name, type, value)
  await createSecrets(stack, parts)
  for (const { role } of stack.functions) await mayAssume('lambda.amazonaws.com', role, stack, parts)
  for (const { group, target } of stack.schedules) {
    const groupArn = arn(parts.account, 'scheduler', `schedule-group/${group}`)
    await mayAssume('scheduler.amazonaws.com', target.role, stack, parts, { 'aws:SourceArn': groupArn })
  }
  const rotations = await Promise.all(stack.rotations.map((rotation) => configureRotation(rotation, parts)))
  const tickers = [
    ...stack.schedules.map((schedule) => startSchedule(schedule, parts)),
    ...stack.associations.flatMap((association) => startAssociation(association, parts)),
    ...rotations.flat(),
  ]
  return tickers
}

async function createSecrets({ secrets }: Stack, parts: DeploymentParts): Promise<void> {
  const { account, calls, faults, operator, secretsManager } = parts
  for (const declared of secrets) {
    const { caller } = calls.open('secretsmanager', 'CreateSecret', operator)
    await secretsManager.create(new Secret(declared, account, faults), declared.value, uuid(account), caller)
  }
}

/** A service takes a role only if the role's trust policy lets it. Roles outside the stack are not ours to judge. */
async function mayAssume(
  service: string,
  role: string,
  { roles }: Stack,
  { account, calls }: DeploymentParts,
  context: Context = {},
): Promise<void> {
  if (!roles.some(({ name }) => name === role)) return
  const { caller } = calls.open('sts', 'AssumeRole', { kind: 'service', arn: service, name: service })
  const all = { 'aws:SourceAccount': account.id, ...context }
  if (await caller.may('sts:AssumeRole', roleArn(account, role), all)) return
  throw new LoopbackError(`${service} may not assume the role ${role}`)
}

async function configureRotation(rotation: DeclaredRotation, parts: DeploymentParts): Promise<Ticker[]> {
  const { account, rotator, secrets, timing } = parts
  const { logicalId, expression, functionArn } = rotation
  const secret = secrets.find(rotation.secret)
  secret.rotation = { functionArn, expression }
  const rotate = () => rotator.request(secret, uuid(account))
  await (rotation.immediately ? rotate() : rotator.test(secret))
  if (expression === undefined) return []
  const timed = { kind: 'rotation' as const, logicalId, name: secret.name }
  const seconds = parseRate(expression, logicalId)
  const ticker = new Ticker(timed, { period: timing.period?.(seconds, timed) ?? seconds }, account, rotate)
  if (!parts.paused) ticker.start(false)
  return [ticker]
}

function startSchedule(schedule: DeclaredSchedule, parts: DeploymentParts): Ticker {
  const { logicalId, name, enabled } = schedule
  const timed = { kind: 'schedule' as const, logicalId, name }
  const period = parts.timing.period?.(schedule.period, timed) ?? schedule.period
  const window = (schedule.window * period) / schedule.period
  const ticker = new Ticker(timed, { period, window }, parts.account, (time) => fire(schedule, time, parts))
  if (enabled && !parts.paused) ticker.start(true)
  return ticker
}

/** At least once: Scheduler queues an asynchronous invocation in the role's name, else keeps the event. */
async function fire(schedule: DeclaredSchedule, scheduledTime: Date, parts: DeploymentParts): Promise<void> {
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
  parts: DeploymentParts,
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
  { account, calls, failedEvents }: DeploymentParts,
): Promise<void> {
  if (queue === undefined) return
  const { caller } = calls.open('sqs', 'SendMessage', session)
  if (await caller.may('sqs:SendMessage', queue)) failedEvents.push({ source, event, at: account.now() })
}

function startAssociation(association: Association, parts: DeploymentParts): Ticker[] {
  const { account, stateManager, timing } = parts
  const { logicalId, name, period: declared } = association
  if (declared === undefined) return []
  const timed = { kind: 'association' as const, logicalId, name }
  const period = timing.period?.(declared, timed) ?? declared
  const ticker = new Ticker(timed, { period }, account, () => {
    const run = stateManager.runAll(association)
    parts.background(run)
    return run
  })
  if (!parts.paused) ticker.start(false)
  return [ticker]
}
