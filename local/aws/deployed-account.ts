import type { ChangeCalendar } from './change-calendars.ts'
import type { AlarmStateValue } from './cloud-watch.ts'
import type { Invocation, InvokeOptions, LoopbackAws, Retained, SecretVersion } from './contract.ts'
import { type Principal, roleSession } from './credentials.ts'
import type { Declared, Deployment } from './deployment.ts'
import type { History, StatementUse } from './history.ts'
import type { Instance, Machine } from './machine.ts'
import { ManagedNode } from './managed-node.ts'
import type { Foundation, Services } from './services.ts'
import type { Stack } from './stack.ts'

interface AccountParts {
  readonly base: Foundation
  readonly services: Services
  readonly deployment: Deployment
  readonly operator: Principal
  readonly access: LoopbackAws['operator']
  readonly endpoint: string
  /** Ends every function and frees the port. */
  readonly shut: () => Promise<void>
}

/** An account whose stack is deployed: what a rehearsal or a test does with it. */
export class DeployedAccount implements LoopbackAws {
  readonly #parts: AccountParts
  #declared: Declared
  readonly endpoint: string
  readonly region: string
  readonly account: string
  readonly operator: LoopbackAws['operator']
  readonly faults: LoopbackAws['faults']
  readonly history: History

  constructor(parts: AccountParts, declared: Declared) {
    this.#parts = parts
    this.#declared = declared
    const { base, services, endpoint, access } = parts
    this.endpoint = endpoint
    this.region = base.account.region
    this.account = base.account.id
    this.operator = { accessKeyId: access.accessKeyId, secretAccessKey: access.secretAccessKey }
    this.faults = base.faults
    this.history = historyOf(base, services)
  }

  get resources(): Stack {
    return this.#declared.stack
  }

  get schedules() {
    return this.#parts.deployment.schedules
  }

  /** Its agent is there, and State Manager welcomes it. */
  join(machine: Machine): Instance {
    const { account, credentials } = this.#parts.base
    const role =
      this.resources.roles.find(({ logicalId }) => logicalId === machine.role)?.name ?? machine.role
    const node = new ManagedNode({
      machine: { ...machine, role },
      environment: machineEnvironment(machine, this.endpoint),
      region: account.region,
      session: (name) => credentials.issueSession(roleSession(account, 'instance', name, machine.id)),
    })
    this.#parts.services.fleet.add(node)
    this.#parts.services.stateManager.welcome(node)
    return node
  }

  async invoke(name: string, event: unknown, how: InvokeOptions = {}): Promise<Invocation> {
    const { base, operator } = this.#parts
    const { functions } = this.#parts.services
    const deployment = functions.find(name)
    const { caller } = base.calls.open('lambda', 'Invoke', operator)
    await caller.need('lambda:InvokeFunction', deployment.arn)
    if (how.asynchronous !== true) return functions.invoke(deployment, event, how.clientContext)
    functions.queue(deployment, event)
    return { payload: null, logs: '' }
  }

  setAlarm(name: string, state: AlarmStateValue | undefined): void {
    this.#parts.services.cloudWatch.set(name, state)
  }

  setCalendar(nameOrArn: string, calendar: ChangeCalendar | undefined): void {
    this.#parts.services.calendars.set(nameOrArn, calendar)
  }

  secretVersions(secretId: string): readonly SecretVersion[] {
    const versions = [...this.#parts.services.secrets.find(secretId).versions.values()]
    return versions.map(({ labels, ...version }) => ({ ...version, labels: [...labels] }))
  }

  async update(template: unknown, between = async (_: string) => {}): Promise<void> {
    const { base, deployment } = this.#parts
    const next = base.declare(template, deployment.made)
    await deployment.update(next, between)
    this.#declared = next
  }

  async delete(): Promise<readonly Retained[]> {
    const { base, deployment } = this.#parts
    const kept = deployment.kept()
    const empty = base.declare({ Resources: {} }, deployment.made)
    await deployment.delete(empty)
    this.#declared = empty
    return kept
  }

  retained(): readonly Retained[] {
    return this.#parts.deployment.kept()
  }

  retime(): void {
    this.#parts.services.functions.renew()
  }

  apiCalls(principal?: string): Record<string, number> {
    const counts: Record<string, number> = {}
    for (const { operation, kind, principal: arn } of this.history.calls) {
      const counted = principal === undefined ? kind === 'function' : arn.split(/[:/]/).includes(principal)
      if (counted) counts[operation] = (counts[operation] ?? 0) + 1
    }
    return counts
  }

  statements(): StatementUse[] {
    return this.#parts.base.policies.uses()
  }

  idle(): Promise<void> {
    return this.#parts.base.pending.idle()
  }

  async close(): Promise<void> {
    for (const schedule of this.schedules) schedule.pause()
    await Promise.all([this.#parts.shut(), this.#parts.services.fleet.close()])
  }
}

function historyOf({ calls }: Foundation, services: Services): History {
  return {
    calls: calls.calls,
    commands: services.systemsManager.commands,
    associations: services.stateManager.executions,
    rotations: services.rotator.rotations,
    logs: services.functions.logs,
    failedEvents: services.functions.failedEvents,
  }
}

/** A machine finds its Region's endpoint and its metadata service where the network puts them: here. */
function machineEnvironment({ id, environment }: Machine, endpoint: string): Record<string, string> {
  const metadata = id.startsWith('mi-') ? {} : { AWS_EC2_METADATA_SERVICE_ENDPOINT: `${endpoint}/imds/${id}` }
  const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
  return { PATH, AWS_ENDPOINT_URL: endpoint, ...metadata, ...environment }
}
