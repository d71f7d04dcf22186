import { randomBytes, randomUUID } from 'node:crypto'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { SSMClient } from '@aws-sdk/client-ssm'
import { rotationPorts } from '../lambda/handlers/rotation-ports.ts'
import type { RotationConfiguration } from '../lambda/ring/configuration.ts'
import { parseRecord } from '../lambda/ring/delivery-record-text.ts'
import type { RotationPorts } from '../lambda/ring/observation.ts'
import { parseRotationRequest, STEPS } from '../lambda/ring/request.ts'
import { run } from '../lambda/ring/rotate.ts'
import { runStep } from '../lambda/ring/secrets-manager-steps.ts'
import type { ManualClock } from '../test/fakes/clock.ts'
import { ListedEvents } from '../test/fakes/record.ts'
import { configurationOf, SECRET_ARN, TIMING } from '../test/fakes/world.ts'
import { COMMAND, LoopbackAccount, PAGE } from './loopback-account.ts'
import { type Bench, size } from './measurement.ts'
import type { Row, Target } from './table.ts'

type Trigger = RotationConfiguration['trigger']
/** Calls of a rotation in which everybody confirms, beside polls and pages. */
const BUDGETS: Readonly<Record<Trigger, number>> = { schedule: 11, 'secrets-manager': 15 }
const BEYOND: Readonly<Record<Trigger, string>> = {
  schedule: '',
  'secrets-manager': ' (beyond what the next tick takes anyway)',
}
/** Milliseconds of one invocation. */
const INVOCATION = 300_000

export async function measure(bench: Bench): Promise<readonly Row[]> {
  const rows: Row[] = []
  for (const trigger of Object.keys(BUDGETS) as Trigger[]) {
    for (const machines of [1, 100, size(bench, 10_000, 200)]) {
      bench.progress.say(`calls: trigger ${trigger}, ${inMachines(machines)}`)
      rows.push(rowOf(trigger, machines, await countCalls(trigger, machines, bench)))
    }
  }
  return rows
}

function rowOf(trigger: Trigger, machines: number, counts: Counts): Row {
  const polls = counts.get('ListCommands') ?? 0
  const inventory = counts.get('DescribeInstanceInformation') ?? 0
  const results = counts.get('ListCommandInvocations') ?? 0
  const rest = [...counts.values()].reduce((sum, count) => sum + count, 0) - polls - inventory - results
  const each = [...counts].filter(([operation]) => !PAGED.test(operation))
  return {
    what: `calls of a rotation, trigger ${trigger}${BEYOND[trigger]}, ${inMachines(machines)}, a command of ${COMMAND / 1000} s`,
    ours: `${rest}; polls ${polls}; pages: roll call ${inventory}, results ${results}`,
    others: [`of which ${each.map(([operation, count]) => `${operation} ${count}`).join(', ')}`],
    target: within(BUDGETS[trigger], machines, rest + inventory + results),
  }
}

/** Beside the budget, one call per 50 machines for the roll call and one for the results. */
function within(budget: number, machines: number, spent: number): Target {
  const pages = 2 * Math.ceil(machines / PAGE)
  return { text: `<= ${budget} + polls + ${pages} pages`, met: spent <= budget + pages }
}

const PAGED = /^(ListCommands|DescribeInstanceInformation|ListCommandInvocations)$/
type Counts = ReadonlyMap<string, number>
/** What counting needs: it says how far it is. */
type CountingBench = Pick<Bench, 'scope'> & {
  readonly progress: Pick<Bench['progress'], 'state'>
  /** Names of Change Calendars that are always open. */
  readonly calendars?: readonly string[]
}

/**
 * Counts from the rotation's beginning until its ring is confirmed by all and the old one is erased. Where a tick does
 * the latter, what a tick with nothing to do takes is not the rotation's.
 */
export async function countCalls(
  trigger: Trigger,
  machines: number,
  { scope, progress, calendars }: CountingBench,
): Promise<Counts> {
  const configuration = configurationOf({ trigger, ...(calendars === undefined ? {} : { calendars }) })
  const aws = new LoopbackAccount(configuration, machines)
  const { clock } = aws
  const ports = portsOf(await aws.open(scope), configuration, clock)
  const ticker = setInterval(() => progress.state(`calls: ${aws.calls} calls`), 1_000)
  scope.defer(() => clearInterval(ticker))
  const tick = () => invoke(ports, clock, { action: 'reconcile' })
  await tick()
  clock.advance(TIMING.every - TIMING.tick)
  aws.takeCounts()
  await tick()
  const idle = aws.takeCounts()
  clock.advance(TIMING.tick)
  if (trigger === 'schedule')
    await invoke(ports, clock, { action: 'rotate', scheduledTime: clock.now().toISOString() })
  else {
    await rotateByHook(ports, aws)
    await tick()
  }
  clearInterval(ticker)
  const counts = aws.takeCounts()
  await insistOnEnd(ports, machines)
  return trigger === 'schedule' ? counts : beyond(counts, idle)
}

function beyond(counts: Counts, idle: Counts): Counts {
  const left = [...counts].map(
    ([operation, count]) => [operation, count - (idle.get(operation) ?? 0)] as const,
  )
  return new Map(left.filter(([, count]) => count > 0))
}

function portsOf(
  account: Awaited<ReturnType<LoopbackAccount['open']>>,
  configuration: RotationConfiguration,
  clock: ManualClock,
): RotationPorts {
  const clients = {
    secretsManager: new SecretsManagerClient(account),
    systemsManager: new SSMClient(account),
  }
  // Signatures are dated, and checked, by the story's clock.
  const offset = { get: () => clock.now().getTime() - Date.now(), set: () => {} }
  for (const { config } of Object.values(clients)) Object.defineProperty(config, 'systemClockOffset', offset)
  const chance = { random: randomBytes, uuid: randomUUID }
  return rotationPorts(clients, configuration, { clock, chance, eventLog: new ListedEvents() })
}

async function invoke(ports: RotationPorts, clock: ManualClock, event: unknown): Promise<void> {
  clock.allow(INVOCATION)
  const request = parseRotationRequest(event)
  await (request.kind === 'action' ? run(ports, request) : runStep(ports, request))
}

/** Secrets Manager's own schedule: it stages a token and calls the four steps; the next tick will confirm. */
async function rotateByHook(ports: RotationPorts, aws: LoopbackAccount): Promise<void> {
  const { clock } = aws
  const token = randomUUID()
  await aws.rotate(token, async () => {
    for (const Step of STEPS)
      await invoke(ports, clock, { Step, SecretId: SECRET_ARN, ClientRequestToken: token })
  })
  clock.advance(TIMING.tick)
}

/** @throws Error where the rotation is not over: its calls would be a part of what it takes. */
async function insistOnEnd({ records, versions }: RotationPorts, machines: number): Promise<void> {
  const { delivery } = parseRecord((await records.read()) ?? '')
  const { previous } = await versions.labels()
  if (delivery?.generation === 2 && delivery.confirmed === machines && previous === undefined) return
  throw new Error(
    `after the rotation, generation ${delivery?.generation} is confirmed by ${delivery?.confirmed}`,
  )
}

function inMachines(count: number): string {
  return count === 1 ? '1 machine' : `${count.toLocaleString('en')} machines`
}
