import { randomBytes, randomUUID } from 'node:crypto'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { SSMClient } from '@aws-sdk/client-ssm'
import { rotationPorts } from '../lambda/handlers/rotation-ports.ts'
import type { RotationConfiguration } from '../lambda/ring/configuration.ts'
import { parseRecord } from '../lambda/ring/delivery-record.ts'
import type { RotationPorts } from '../lambda/ring/observation.ts'
import { parseRotationRequest, STEPS } from '../lambda/ring/request.ts'
import { run } from '../lambda/ring/rotate.ts'
import { runStep } from '../lambda/ring/secrets-manager-steps.ts'
import { ManualClock } from '../test/fakes/clock.ts'
import { ListedEvents } from '../test/fakes/record.ts'
import { configurationOf, SECRET_ARN, TIMING } from '../test/fakes/world.ts'
import { COMMAND, LoopbackFleet, PAGE } from './loopback-fleet.ts'
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
  const inventory = pagesOf(counts, 'DescribeInstanceInformation')
  const results = pagesOf(counts, 'ListCommandInvocations')
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

const PAGED = /^(ListCommands|DescribeInstanceInformation|ListCommandInvocations)\b/
type Counts = ReadonlyMap<string, number>
/** What counting needs: it says how far it is. */
type CountingBench = Pick<Bench, 'scope'> & { readonly progress: Pick<Bench['progress'], 'state'> }

function pagesOf(counts: Counts, operation: string): number {
  return (counts.get(operation) ?? 0) + (counts.get(`${operation}, further page`) ?? 0)
}

/**
 * Counts from the rotation's beginning until its ring is confirmed by all and the old one is erased. Where a tick does
 * the latter, what a tick with nothing to do takes is not the rotation's.
 */
export async function countCalls(
  trigger: Trigger,
  machines: number,
  { scope, progress }: CountingBench,
): Promise<Counts> {
  const clock = new ManualClock()
  const aws = new LoopbackFleet(machines, clock)
  scope.defer(() => aws.close())
  aws.secret.rotationEnabled = trigger === 'secrets-manager'
  const ports = portsOf(await aws.listen(), configurationOf({ trigger }), clock)
  const ticker = setInterval(() => progress.state(`calls: ${inWords(aws.counts)}`), 1_000)
  scope.defer(() => clearInterval(ticker))
  const tick = () => invoke(ports, clock, { action: 'reconcile' })
  await tick()
  clock.advance(TIMING.every - TIMING.tick)
  aws.counts.clear()
  await tick()
  const idle = new Map(aws.counts)
  clock.advance(TIMING.tick)
  aws.counts.clear()
  if (trigger === 'schedule')
    await invoke(ports, clock, { action: 'rotate', scheduledTime: clock.now().toISOString() })
  else {
    await rotateByHook(ports, clock, aws)
    await tick()
  }
  clearInterval(ticker)
  const counted = trigger === 'schedule' ? new Map(aws.counts) : beyond(aws.counts, idle)
  await insistOnEnd(ports, machines)
  return counted
}

function beyond(counts: Counts, idle: Counts): Counts {
  const left = [...counts].map(
    ([operation, count]) => [operation, count - (idle.get(operation) ?? 0)] as const,
  )
  return new Map(left.filter(([, count]) => count > 0))
}

function portsOf(endpoint: string, configuration: RotationConfiguration, clock: ManualClock): RotationPorts {
  const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'example' }
  const account = { endpoint, region: 'eu-central-1', credentials }
  const clients = {
    secretsManager: new SecretsManagerClient(account),
    systemsManager: new SSMClient(account),
  }
  const chance = { random: randomBytes, uuid: randomUUID }
  return rotationPorts(clients, configuration, { clock, chance, eventLog: new ListedEvents() })
}

async function invoke(ports: RotationPorts, clock: ManualClock, event: unknown): Promise<void> {
  clock.allow(INVOCATION)
  const request = parseRotationRequest(event)
  await (request.kind === 'action' ? run(ports, request) : runStep(ports, request))
}

/** Secrets Manager's own schedule: it stages a token and calls the four steps; the next tick will confirm. */
async function rotateByHook(
  ports: RotationPorts,
  clock: ManualClock,
  { secret }: LoopbackFleet,
): Promise<void> {
  const token = randomUUID()
  await secret.start(token)
  for (const Step of STEPS)
    await invoke(ports, clock, { Step, SecretId: SECRET_ARN, ClientRequestToken: token })
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

function inWords(counts: Counts): string {
  return `${[...counts.values()].reduce((sum, count) => sum + count, 0)} calls`
}
