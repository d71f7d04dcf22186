import { counted } from '../../../lambda/kernel/count.ts'
import { deliveryShare, type StapleTally, stapleTotalOf, type Tally, totalOf } from '../clients/tally.ts'
import { TLS_VERSIONS, type TlsVersion } from '../clients/tls-client.ts'
import { isStapled } from '../machines/kinds.ts'
import type { Finding } from '../secrecy/key-search.ts'
import type { Theft } from '../secrecy/theft.ts'
import { isProved, type Revocation, revocationInWords } from '../show/revocation.ts'
import type { HostReport } from './report.ts'

/** How many of the machines a function counts as confirmed, where it answers. */
export type Confirmation = { readonly members: number; readonly confirmed: number } | undefined

/** All that decides whether a rehearsal went well. */
export interface Evidence {
  /** `stapled`: those of the members that staple. */
  readonly wanted: {
    readonly rotations: number
    readonly members: number
    readonly stapled: number
    /** The part of all tries that is to fall into deliveries. */
    readonly deliveryShare: number
  }
  readonly rotations: number
  readonly generation: number
  readonly hosts: readonly HostReport[]
  readonly tally: Tally
  /** Those that the fleet speaks. */
  readonly versions: readonly TlsVersion[]
  /** Ordered pairs of machines of one kind, a machine with itself included, in each of these. */
  readonly pairs: readonly string[]
  /** Machines whose tickets do not verify under the ring's key: the key's bytes are in another order. */
  readonly misread: readonly string[]
  /** Tickets whose MAC was checked. */
  readonly proved: number
  /** What a thief of the last ring opens, against what the function says that they can. */
  readonly theft: Theft | undefined
  /** What a revoke came to; absent where none was shown. */
  readonly revocation: Revocation | undefined
  /** What the rotation function itself says at the end, if it answers. */
  readonly status: Confirmation
  readonly staples: StapleTally
  /** The parts of the scenario that the clients were to see, by name. */
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

/** One thing that has to be so. @returns why it is not; nothing where it is. */
type Check = (evidence: Evidence) => readonly string[]

const CHECKS: readonly Check[] = [
  // What clients met.
  ({ tally }) => ifAny(totalOf(tally).lost, 'resumption', 'lost'),
  ({ tally }) => ifAny(totalOf(tally).failed, 'connection', 'failed twice'),
  ({ tally }) => ifAny(tally.retired.accepted, 'retired ticket', 'accepted'),
  ({ tally }) => ifAny(tally.tickets.missing, 'handshake', 'without a ticket'),
  ({ misread }) =>
    misread.map((host) => `${host} reads the key in another byte order: its tickets' MAC does not verify`),
  // Where the ring is.
  ({ wanted, rotations }) =>
    when(
      rotations < wanted.rotations,
      `the ring advanced ${counted(rotations, 'time')}, not ${wanted.rotations}`,
    ),
  ({ hosts, generation }) =>
    hosts
      .filter((host) => host.generation !== generation)
      .map(
        (host) =>
          `${host.id} (${host.server}) encrypts with generation ${host.generation}, not ${generation}`,
      ),
  ({ hosts, wanted }) =>
    when(hosts.length < wanted.members, `${hosts.length} of ${wanted.members} machines could be looked at`),
  ({ status, wanted }) => fleetProblem(status, wanted.members, 'confirmed'),
  // What was tried: what was not proves nothing.
  ({ tally, versions }) =>
    versions
      .filter((version) => tally.resumption[version].tried === 0)
      .map((version) => `nothing was tried in ${version}`),
  ({ tally, pairs }) => {
    const untried = pairs.filter((pair) => (tally.pairs[pair] ?? 0) === 0)
    return when(untried.length > 0, `${untried.length} of ${pairs.length} pairs of machines were never tried`)
  },
  ({ tally, wanted }) => {
    const share = deliveryShare(tally)
    return when(share < wanted.deliveryShare, `only ${percent(share)} of all tries fell into a delivery`)
  },
  ({ tally }) =>
    when(tally.moments['after the next advance'] === 0, 'no ticket was tried after its key was superseded'),
  // A key leaves the ring two generations after it encrypted.
  ({ tally, wanted }) =>
    when(wanted.rotations > 1 && tally.retired.tried === 0, 'no retired ticket was tried'),
  ({ execs }) => when(execs === 0, 'no exec was traced'),
  ({ proved, hosts }) => when(proved < hosts.length, "too few tickets' MACs were checked"),
  ({ theft }) =>
    when(theft === undefined || theft.opened === 0, "no ticket was opened with the last ring's keys"),
  ({ theft }) =>
    when(
      theft !== undefined && theft.outside > 0,
      `the last ring opens ${counted(theft?.outside ?? 0, 'ticket')} from outside the time that status names`,
    ),
  ({ revocation, wanted }) => {
    if (revocation === undefined) return []
    const { refused, tickets } = revocation
    const isWhole = refused === wanted.members && tickets.tried === wanted.members * TLS_VERSIONS.length
    return when(!isWhole || !isProved(revocation), `the revoke: ${revocationInWords(revocation)}`)
  },
  // What was stapled.
  ({ staples }) =>
    when(stapleTotalOf(staples).expired > 0, counted(stapleTotalOf(staples).expired, 'expired staple')),
  ({ staples }) =>
    Object.entries(staples.phases)
      .filter(([, { unexpected }]) => unexpected > 0)
      .map(
        ([phase, { unexpected, asked }]) =>
          `${phase}: ${unexpected} of ${asked} staples were not what they should be`,
      ),
  ({ staples }) => ifAny(staples.failed, 'connection', 'that asked for a staple failed twice'),
  ({ staples, hosts, wanted }) =>
    (wanted.stapled === 0 ? [] : hosts)
      .filter(({ id, server }) => isStapled(server) && (staples.hosts[id]?.asked ?? 0) === 0)
      .map(({ id }) => `${id} was never asked for a staple`),
  ({ staples, stapleParts }) =>
    stapleParts
      .filter((part) => (staples.phases[part]?.asked ?? 0) === 0)
      .map((part) => `no staple was asked for in the part: ${part}`),
  ({ stapleStatus, wanted }) => fleetProblem(stapleStatus, wanted.stapled, 'hold their staples'),
  ({ findings }) => findings.map(({ kind, where }) => `key bytes in a ${kind}: ${where}`),
  ({ failures }) => failures,
]

/** Every reason why this rehearsal is no success: none means it is. */
export function problemsOf(evidence: Evidence): readonly string[] {
  return CHECKS.flatMap((check) => check(evidence))
}

function fleetProblem(status: Confirmation, members: number, what: string): readonly string[] {
  const fits = status !== undefined && status.members === members && status.confirmed === members
  return when(
    !fits,
    `the function says that ${status?.confirmed ?? 'no'} of ${status?.members ?? 'no'} machines ${what}`,
  )
}

function ifAny(count: number, noun: string, what: string): readonly string[] {
  return when(count > 0, `${counted(count, noun)} ${what}`)
}

function when(condition: boolean, problem: string): readonly string[] {
  return condition ? [problem] : []
}

export function percent(part: number): string {
  return `${Math.round(part * 100)} %`
}
