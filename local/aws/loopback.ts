import type { LoopbackAws, LoopbackOptions } from './contract.ts'
import type { Principal } from './credentials.ts'
import { DeployedAccount } from './deployed-account.ts'
import { Deployment } from './deployment.ts'
import { type Foundation, foundation, front, type Services, services } from './services.ts'

export type * from './contract.ts'
export { RolledBack } from './deployment.ts'
export type { Fault, Faults } from './faults.ts'
export type * from './history.ts'
export type * from './machine.ts'

/**
 * Stands up an account from a synthesised template, on a free port of 127.0.0.1.
 * @throws LoopbackError for a template that uses what is not modelled, or whose deployment AWS would refuse.
 */
export async function startLoopbackAws(options: LoopbackOptions): Promise<LoopbackAws> {
  const base = foundation(options)
  const declared = base.declare(options.template)
  let endpoint = ''
  const parts = services(base, options, () => endpoint)
  const wire = front(base, parts)
  const operator = operatorOf(base)
  const access = base.credentials.issueKey(operator)
  endpoint = await wire.listen()
  const deployment = deploymentOf(options, base, parts, operator)
  const shut = async () => {
    await Promise.all([parts.functions.close(), wire.close()])
  }
  await deployment.create(declared).catch(async (error: unknown) => {
    await shut()
    throw error
  })
  return new DeployedAccount(
    { base, services: parts, deployment, operator, access, endpoint, shut },
    declared,
  )
}

function operatorOf({ account }: Foundation): Principal {
  return { kind: 'operator', arn: `arn:aws:iam::${account.id}:user/operator`, name: 'operator' }
}

function deploymentOf(
  options: LoopbackOptions,
  base: Foundation,
  parts: Services,
  operator: Principal,
): Deployment {
  return new Deployment({
    ...base,
    ...parts,
    operator,
    background: base.pending.add,
    failedEvents: parts.functions.failedEvents,
    paused: options.schedules === 'paused',
    roles: options.roles ?? [],
    retained: options.retained ?? [],
  })
}
