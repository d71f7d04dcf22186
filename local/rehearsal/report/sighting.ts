import type { Sample } from '../clients/clients.ts'
import { keyNameOf } from '../clients/ticket.ts'
import { type TlsVersion, visit } from '../clients/tls-client.ts'
import { hostOf } from '../machines/fleet.ts'
import type { Machine } from '../machines/machine.ts'
import type { Progress } from '../progress.ts'
import { steal, type Theft, type Window } from '../secrecy/theft.ts'
import type { Testbed } from '../testbed.ts'
import type { Confirmation } from './problems.ts'
import type { HostReport, Report } from './report.ts'

/** What machines and functions show once the rotations are over: what a report tells of the ring is of then. */
export interface Sighting {
  readonly generation: number
  readonly hosts: readonly HostReport[]
  /** What the rotation function itself says, if it answers, and the staple function. */
  readonly status: Confirmation
  readonly stapleStatus: Confirmation
  /** What a thief of the ring opens, against what the function says that they can. */
  readonly theft: Theft | undefined
  readonly apiCalls: Report['apiCalls']
}

/** Looks at every machine, and asks both functions. */
export async function sight(
  testbed: Testbed,
  samples: readonly Sample[],
  progress: Progress,
): Promise<Sighting> {
  const ring = testbed.watch.current
  progress.state('looking at each machine')
  const hosts = await lookAtHosts(testbed)
  const { fleet: status, exposure } = await askStatus(testbed, testbed.ring)
  const { fleet: stapleStatus } = await askStatus(testbed, testbed.set)
  return {
    generation: ring?.generation ?? 0,
    hosts,
    status,
    stapleStatus,
    theft: ring && exposure && steal(ring, samples, exposure),
    apiCalls: testbed.aws.apiCalls(testbed.ring.functionName),
  }
}

async function lookAtHosts(testbed: Testbed): Promise<readonly HostReport[]> {
  const { members, watch, ids } = testbed
  const generations = watch.look(ids).encryptsIn
  return Promise.all(
    members.map(async (machine) => {
      const names = await Promise.all(
        testbed.versionsOf(machine).map((version) => keyNameAt(machine, version)),
      )
      const [encryptsWith = ''] = names
      const generation = new Set(names).size === 1 ? (generations[encryptsWith] ?? 0) : 0
      const { id, server, plainPort } = machine
      return { id, server, address: `127.0.0.1:${plainPort}`, generation, encryptsWith }
    }),
  )
}

/** Empty where the machine gives no ticket. */
async function keyNameAt(machine: Machine, version: TlsVersion): Promise<string> {
  const { plainPort, publicPort, proxyProtocol } = machine
  // Of a configuration of the user's that may be the public one.
  const isProxied = proxyProtocol && plainPort === publicPort
  const target = { ...hostOf(machine), port: plainPort, proxyProtocol: isProxied }
  const nothing = { ticket: undefined }
  const { ticket } = await visit(target, { authority: machine.pki.authority, version }).catch(() => nothing)
  return ticket === undefined ? '' : keyNameOf(ticket)
}

/** What a function says of its fleet; nothing where it fails. */
export async function askStatus(
  { aws }: Testbed,
  { functionName }: { readonly functionName: string },
): Promise<{ readonly fleet?: Confirmation; readonly exposure?: Window }> {
  const { payload, functionError } = await aws.invoke(functionName, { action: 'status' })
  return functionError === undefined ? (payload as object) : {}
}
