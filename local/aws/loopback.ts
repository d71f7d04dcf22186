import type { CallBook } from './caller.ts'
import type { Instance, InvokeOptions, LoopbackAws, LoopbackOptions, Machine } from './contract.ts'
import { type Principal, roleSession } from './credentials.ts'
import { Deployment } from './deployment.ts'
import { ManagedNode } from './managed-node.ts'
import { type Foundation, foundation, front, type Services, services } from './services.ts'
import type { Stack } from './stack.ts'

export type * from './contract.ts'
export { RolledBack } from './deployment.ts'
export type * from './history.ts'

/**
 * Stands up an account from a synthesised template, on a free port of 127.0.0.1.
 * @throws LoopbackError for a template that uses what is not modelled, or whose deployment AWS would refuse.
 */
export async function startLoopbackAws(options: LoopbackOptions): Promise<LoopbackAws> {
  const base = foundation(options)
  const { account, calls, faults, pending } = base
  let declared = base.declare(options.template)
  let endpoint = ''
  const parts = services(base, options, () => endpoint)
  const { functions, fleet } = parts
  const wire = front(base, parts)
  const operator: Principal = {
    kind: 'operator',
    arn: `arn:aws:iam::${account.id}:user/operator`,
    name: 'operator',
  }
  const { accessKeyId, secretAccessKey } = base.credentials.issueKey(operator)
  endpoint = await wire.listen()
  const deployment = new Deployment({
    ...base,
    ...parts,
    operator,
    background: pending.add,
    failedEvents: functions.failedEvents,
    paused: options.schedules === 'paused',
    roles: options.roles ?? [],
    retained: options.retained ?? [],
  })
  const shut = () => Promise.all([functions.close(), wire.close()])
  await deployment.create(declared).catch(async (error: unknown) => {
    await shut()
    throw error
  })

  return {
    endpoint,
    region: account.region,
    account: account.id,
    operator: { accessKeyId, secretAccessKey },
    get resources() {
      return declared.stack
    },
    get schedules() {
      return deployment.schedules
    },
    faults,
    history: {
      calls: calls.calls,
      commands: parts.systemsManager.commands,
      associations: parts.stateManager.executions,
      rotations: parts.rotator.rotations,
      logs: functions.logs,
      failedEvents: functions.failedEvents,
    },
    join: (machine) => join(machine, endpoint, declared.stack, base, parts),
    invoke: (name, event, how) => invokeAs(operator, name, event, how, base, parts),
    secretVersions: (secretId) =>
      [...parts.secrets.find(secretId).versions.values()].map(({ labels, ...version }) => ({
        ...version,
        labels: [...labels],
      })),
    async update(template, between = async () => {}) {
      const next = base.declare(template, deployment.made)
      await deployment.update(next, between)
      declared = next
    },
    retained: () => deployment.kept(),
    retime: () => functions.renew(),
    apiCalls: (principal) => countCalls(calls, principal),
    statements: () => base.policies.uses(),
    idle: () => pending.idle(),
    async close() {
      for (const schedule of deployment.schedules) schedule.pause()
      await Promise.all([shut(), fleet.close()])
    },
  }
}

/** Registers a machine: its agent is there, and State Manager welcomes it. */
function join(machine: Machine, endpoint: string, stack: Stack, base: Foundation, parts: Services): Instance {
  const { account, credentials } = base
  const role = stack.roles.find(({ logicalId }) => logicalId === machine.role)?.name ?? machine.role
  const node = new ManagedNode({
    machine: { ...machine, role },
    environment: machineEnvironment(machine, endpoint),
    region: account.region,
    session: (name) => credentials.issueSession(roleSession(account, 'instance', name, machine.id)),
  })
  parts.fleet.add(node)
  parts.stateManager.welcome(node)
  return node
}

/** A machine finds its Region's endpoint and its metadata service where the network puts them: here. */
function machineEnvironment({ id, environment }: Machine, endpoint: string): Record<string, string> {
  const metadata = id.startsWith('mi-') ? {} : { AWS_EC2_METADATA_SERVICE_ENDPOINT: `${endpoint}/imds/${id}` }
  const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
  return { PATH, AWS_ENDPOINT_URL: endpoint, ...metadata, ...environment }
}

async function invokeAs(
  principal: Principal,
  name: string,
  event: unknown,
  { asynchronous = false, clientContext }: InvokeOptions = {},
  { calls }: Foundation,
  { functions }: Services,
) {
  const deployment = functions.find(name)
  const { caller } = calls.open('lambda', 'Invoke', principal)
  await caller.need('lambda:InvokeFunction', deployment.arn)
  if (!asynchronous) return functions.invoke(deployment, event, clientContext)
  functions.queue(deployment, event)
  return { payload: null, logs: '' }
}

function countCalls({ calls }: CallBook, principal: string | undefined): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { operation, kind, principal: arn } of calls) {
    const counted = principal === undefined ? kind === 'function' : arn.split(/[:/]/).includes(principal)
    if (counted) counts[operation] = (counts[operation] ?? 0) + 1
  }
  return counts
}
