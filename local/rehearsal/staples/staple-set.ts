import { readFileSync } from 'node:fs'
import type { Synthesis } from '../../../infra/app/build-app.ts'
import type { LoopbackAws } from '../../aws/contract.ts'
import { sendSigned } from '../../signed-request.ts'
import { isStapled, type Kind, TERMINATORS } from '../machines/kinds.ts'
import type { Terminator } from '../machines/machine.ts'
import { type Pki, PLANS } from '../machines/pki.ts'
import { RehearsalError } from '../rehearsal-error.ts'
import type { StackPlan } from '../stack-plan.ts'

type RingOfFleet = Pick<Synthesis['rings'][number], 'targets' | 'fleetRoles'>
type SetOfExample = Omit<
  Synthesis['stapling'][number],
  'functionName' | 'statusName' | 'storePath' | 'recordName' | 'document'
>

/** Where the responder is: an owner has to list what is not public. */
export const ALLOWED = ['127.0.0.0/8']

/** The tag of machines that staple, where the ring has others too. */
const STAPLED = { tag: 'ticketring-staples', values: ['web'] }

/**
 * The configured set, or one for a ring that has none, with the rehearsal's certificates and responder, for those of the ring's
 * machines that staple.
 */
export function stapled(
  { targets, fleetRoles }: RingOfFleet,
  example: SetOfExample | undefined,
  { machines, stapled: those, kinds }: StackPlan,
): object {
  return {
    ...(example ?? { name: 'web' }),
    servers: { ...examplesOf(kinds), ...example?.servers },
    targets:
      those === machines
        ? targets
        : { ...STAPLED, ...(those === 0 ? {} : { minInstances: Math.min(those, 2) }) },
    fleetRoles,
    allow: ALLOWED,
    certificates: PLANS.map((plan) => ({
      name: plan.name,
      chain: { parameter: chainParameter(plan.name) },
      revoked: plan.revoked,
    })),
  }
}

/** Each machine's own settings say where its files really are. A set names at least one kind. */
function examplesOf(kinds: readonly Kind[]): object {
  const stapling = kinds.filter(isStapled)
  const named: readonly Kind[] = stapling.length === 0 ? ['nginx'] : stapling
  return Object.fromEntries(named.map((kind) => [kind, (TERMINATORS[kind] as Terminator).stapleExample]))
}

/** What the owner does once: the function reads the chains from Parameter Store. */
export async function publishChains(
  { endpoint, region, operator }: LoopbackAws,
  { certificates }: Pki,
): Promise<void> {
  const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'AmazonSSM.PutParameter' }
  for (const { name, certificate } of certificates) {
    const Value = readFileSync(certificate, 'utf8')
    const body = JSON.stringify({ Name: chainParameter(name), Type: 'String', Value })
    const call = { service: 'ssm', path: '/', headers, body }
    const response = await sendSigned({ endpoint, region, ...operator }, call)
    if (!response.ok)
      throw new RehearsalError(`The chain of ${name} could not be published: ${await response.text()}`)
  }
}

function chainParameter(name: string): string {
  return `/tls/${name}/chain`
}
