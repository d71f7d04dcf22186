import { readFileSync } from 'node:fs'
import type { Synthesis } from '../../../infra/app/build-app.ts'
import type { LoopbackAws } from '../../aws/contract.ts'
import { sendSigned } from '../../signed-request.ts'
import { type Pki, PLANS } from '../machines/pki.ts'
import { RehearsalError } from '../rehearsal-error.ts'

type RingOfFleet = Pick<Synthesis['rings'][number], 'targets' | 'fleetRoles' | 'servers'>
type SetOfExample = Omit<
  Synthesis['stapling'][number],
  'functionName' | 'statusName' | 'storePath' | 'recordName' | 'document'
>

/** Where the responder is: an owner has to list what is not public. */
export const ALLOWED = ['127.0.0.0/8']

/**
 * The configured set, or one for a ring that has none, with the show's certificates and responder, for the ring's machines.
 */
export function stapled(ring: RingOfFleet, example: SetOfExample | undefined): object {
  const { targets, fleetRoles } = ring
  return {
    ...(example ?? { name: 'web', servers: serversOf(ring) }),
    targets,
    fleetRoles,
    allow: ALLOWED,
    certificates: PLANS.map((plan) => ({
      name: plan.name,
      chain: { parameter: chainParameter(plan.name) },
      revoked: plan.revoked,
    })),
  }
}

/** Each machine's own settings say where its files really are. */
function serversOf({ servers: { haproxy, nginx } }: RingOfFleet): object {
  return {
    ...(haproxy === undefined
      ? {}
      : { haproxy: { ...placesOf(haproxy), certificates: ['/etc/haproxy/edge.pem'] } }),
    ...(nginx === undefined ? {} : { nginx: { ...placesOf(nginx), staples: [NGINX_STAPLE] } }),
  }
}

const NGINX_STAPLE = {
  certificate: '/etc/nginx/edge.pem',
  staple: '/run/ticketring/web.staples/edge.ocsp',
}

function placesOf<T extends { readonly keys: string; readonly keySize: number }>(servers: T) {
  const { keys: _, keySize: __, ...rest } = servers
  return rest
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
