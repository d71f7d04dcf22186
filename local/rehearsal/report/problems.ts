import { counted } from '../../../lambda/kernel/count.ts'
import { deliveryShare, type Tally, totalOf } from '../clients/tally.ts'
import { TLS_VERSIONS } from '../clients/tls-client.ts'
import type { Finding } from '../secrecy/key-search.ts'
import { type StapleTally, stapleTotalOf } from '../staples/tally.ts'
import type { HostReport } from './report.ts'

type Confirmation = { readonly members: number; readonly confirmed: number } | undefined

/** All that decides whether a rehearsal went well. */
export interface Evidence {
  readonly wanted: { readonly rotations: number; readonly members: number }
  readonly rotations: number
  readonly generation: number
  readonly hosts: readonly HostReport[]
  readonly tally: Tally
  /** Ordered pairs of machines of one kind, a machine with itself included, in both TLS versions. */
  readonly pairs: readonly string[]
  /** Machines whose tickets do not verify under the ring's key: the key's bytes are in another order. */
  readonly misread: readonly string[]
  /** Tickets whose MAC was checked. */
  readonly proved: number
  /** What the rotation function itself says at the end, if it answers. */
  readonly status: Confirmation
  readonly staples: StapleTally
  /** The parts of the show that the clients were to see, by name. */
  readonly stapleParts: readonly string[]
  /** What the staple function says at the end. */
  readonly stapleStatus: Confirmation
  readonly findings: readonly Finding[]
  readonly execs: number
  /** Function failures and events that were given up. */
  readonly failures: readonly string[]
}

/** During deliveries tickets are in danger: this part of all tries must be made then. */
export const LEAST_DELIVERY_SHARE = 0.3

/** Every reason why this rehearsal is no success: none means it is. */
export function problemsOf(evidence: Evidence): readonly string[] {
  return [
    ...lossProblems(evidence),
    ...ringProblems(evidence),
    ...effortProblems(evidence),
    ...stapleProblems(evidence),
    ...evidence.findings.map(({ kind, where }) => `key bytes in a ${kind}: ${where}`),
    ...evidence.failures,
  ]
}

function lossProblems({ tally, misread }: Evidence): readonly string[] {
  const { lost, failed } = totalOf(tally)
  return [
    ...when(lost > 0, `${counted(lost, 'resumption')} lost`),
    ...when(failed > 0, `${counted(failed, 'connection')} failed twice`),
    ...when(tally.retired.accepted > 0, `${counted(tally.retired.accepted, 'retired ticket')} accepted`),
    ...when(tally.tickets.missing > 0, `${counted(tally.tickets.missing, 'handshake')} without a ticket`),
    ...misread.map((host) => `${host} reads the key in another byte order: its tickets' MAC does not verify`),
  ]
}

function ringProblems({ wanted, rotations, generation, hosts, status }: Evidence): readonly string[] {
  const behind = hosts.filter((host) => host.generation !== generation)
  return [
    ...when(
      rotations < wanted.rotations,
      `the ring advanced ${counted(rotations, 'time')}, not ${wanted.rotations}`,
    ),
    ...behind.map(
      (host) => `${host.id} (${host.server}) encrypts with generation ${host.generation}, not ${generation}`,
    ),
    ...when(
      hosts.length < wanted.members,
      `${hosts.length} of ${wanted.members} machines could be looked at`,
    ),
    ...fleetProblem(status, wanted.members, 'confirmed'),
  ]
}

function effortProblems({ wanted, tally, pairs, execs, proved, hosts }: Evidence): readonly string[] {
  const untried = pairs.filter((pair) => (tally.pairs[pair] ?? 0) === 0)
  const share = deliveryShare(tally)
  const silent = TLS_VERSIONS.filter((version) => tally.resumption[version].tried === 0)
  return [
    ...silent.map((version) => `nothing was tried in ${version}`),
    ...when(untried.length > 0, `${untried.length} of ${pairs.length} pairs of machines were never tried`),
    ...when(share < LEAST_DELIVERY_SHARE, `only ${percent(share)} of all tries fell into a delivery`),
    ...when(
      tally.moments['after the next advance'] === 0,
      'no ticket was tried after its key was superseded',
    ),
    // A key leaves the ring two generations after it encrypted.
    ...when(wanted.rotations > 1 && tally.retired.tried === 0, 'no retired ticket was tried'),
    ...when(execs === 0, 'no exec was traced'),
    ...when(proved < hosts.length, "too few tickets' MACs were checked"),
  ]
}

function stapleProblems({ staples, stapleParts, stapleStatus, hosts, wanted }: Evidence): readonly string[] {
  const { expired } = stapleTotalOf(staples)
  const unasked = hosts.filter(({ id }) => (staples.hosts[id]?.asked ?? 0) === 0)
  const unseen = stapleParts.filter((part) => (staples.phases[part]?.asked ?? 0) === 0)
  const unexpected = Object.entries(staples.phases).filter(([, counts]) => counts.unexpected > 0)
  return [
    ...when(expired > 0, `${counted(expired, 'expired staple')}`),
    ...unexpected.map(
      ([part, counts]) =>
        `${part}: ${counts.unexpected} of ${counts.asked} staples were not what they should be`,
    ),
    ...when(
      staples.failed > 0,
      `${counted(staples.failed, 'connection')} that asked for a staple failed twice`,
    ),
    ...unasked.map(({ id }) => `${id} was never asked for a staple`),
    ...unseen.map((part) => `no staple was asked for in the part: ${part}`),
    ...fleetProblem(stapleStatus, wanted.members, 'hold their staples'),
  ]
}

function fleetProblem(status: Confirmation, members: number, what: string): readonly string[] {
  const fits = status !== undefined && status.members === members && status.confirmed === members
  return when(
    !fits,
    `the function says that ${status?.confirmed ?? 'no'} of ${status?.members ?? 'no'} machines ${what}`,
  )
}

function when(condition: boolean, problem: string): readonly string[] {
  return condition ? [problem] : []
}

export function percent(part: number): string {
  return `${Math.round(part * 100)} %`
}
