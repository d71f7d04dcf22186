import { keysOf } from '../../../lambda/ring/ring.ts'
import type { Clients, Sample } from '../clients/clients.ts'
import type { Incidents } from '../clients/incidents.ts'
import { noCounts, STAPLE_COUNTS, type StapleTally, type Tally } from '../clients/tally.ts'
import { isUnderKey, keyNameOf } from '../clients/ticket.ts'
import type { Options } from '../options.ts'
import type { RunRecord } from '../page/record.ts'
import type { Progress } from '../progress.ts'
import { HOME } from '../project-root.ts'
import { type Finding, KeySearch } from '../secrecy/key-search.ts'
import { placesOf } from '../secrecy/searched-places.ts'
import type { Theft } from '../secrecy/theft.ts'
import { PARTS, type Said } from '../staples/scenario.ts'
import type { Testbed } from '../testbed.ts'
import { type Evidence, LEAST_DELIVERY_SHARE, problemsOf } from './problems.ts'
import type { Report } from './report.ts'
import type { Sighting } from './sighting.ts'

export interface Result {
  readonly report: Report
  /** Why the rehearsal is no success; empty where it is one. */
  readonly problems: readonly string[]
  /** What went wrong at the clients. */
  readonly incidents: Pick<Incidents, 'total' | 'examples'>
  readonly tally: Tally
  readonly findings: readonly Finding[]
  readonly staples: StapleTally
  /** What the staple function said in its scenario. */
  readonly said: readonly Said[]
  /** What came of the scene, in sentences; none without one. */
  readonly told: readonly string[]
  /** Execs whose arguments and environment were looked at. */
  readonly execs: number
  /** What a thief of the last ring opens; undefined where the function did not say what they can read. */
  readonly theft: Theft | undefined
  readonly testbed: Testbed
  /** What was said and met, by when. */
  readonly record: RunRecord
}

/** What the run left to judge by. */
interface Judging extends Pick<Options, 'rotations' | 'scene'> {
  readonly tally: Tally
  readonly clients: Pick<Clients, 'samples' | 'incidents' | 'staples'>
  readonly said: readonly Said[]
  /** What came of the scene, in sentences. */
  readonly told: readonly string[]
  /** What machines and functions showed once the rotations were over. */
  readonly sighting: Sighting
  /** What came of the straggler and the revoke, where they were shown. */
  readonly shown: Report['shown']
  /** Why the scenario of the staples, or the scene, came to no end. */
  readonly troubles: readonly string[]
  /** When the run began (ms): older files cannot hold its keys. */
  readonly startedAt: number
  readonly progress: Progress
  readonly record: RunRecord
}

/** Searches for key bytes, and says what all that was seen amounts to. */
export function judge(testbed: Testbed, judging: Judging): Result {
  const { tally, clients, said, told, scene, sighting, shown, record } = judging
  const evidence = gather(testbed, judging)
  const { rotations, generation, hosts, findings, execs, theft } = evidence
  const problems = problemsOf(evidence)
  const report: Report = {
    ok: problems.length === 0,
    rotations,
    generation,
    hosts,
    resumption: tally.resumption,
    retired: tally.retired,
    apiCalls: sighting.apiCalls,
    keyBytesFound: findings.length,
    staples: stapleReport(testbed, clients.staples),
    ...(shown === undefined ? {} : { shown }),
    ...(scene === undefined ? {} : { scene: { name: scene, told, expected: tally.expected } }),
  }
  const { incidents, staples } = clients
  return { report, problems, incidents, tally, staples, said, told, findings, execs, theft, testbed, record }
}

function stapleReport({ ids }: Testbed, { hosts }: StapleTally): Report['staples'] {
  const counts = ids.map((id) => {
    const { refused: _, ...rest } = hosts[id] ?? noCounts(STAPLE_COUNTS)
    return [id, rest] as const
  })
  return Object.fromEntries(counts)
}

function gather(
  testbed: Testbed,
  { rotations, scene, tally, clients, troubles, startedAt, progress, sighting, shown }: Judging,
): Evidence {
  const { apiCalls: _, ...seen } = sighting
  progress.state('searching for key bytes')
  return {
    ...seen,
    wanted: {
      rotations,
      members: testbed.members.length,
      stapled: testbed.stapled.length,
      // What befalls a fleet in a scene happens between deliveries.
      deliveryShare: scene === undefined ? LEAST_DELIVERY_SHARE : 0,
    },
    rotations: sighting.generation - 1,
    tally,
    versions: testbed.versions,
    pairs: pairsOf(testbed),
    misread: misreadersOf(testbed, clients.samples),
    proved: clients.samples.length,
    revocation: shown?.revoke,
    staples: clients.staples,
    stapleParts: testbed.stapled.length === 0 ? [] : scene === undefined ? PARTS : PARTS.slice(0, 1),
    findings: searchForKeys(testbed, startedAt),
    execs: testbed.trace.execs,
    failures: [...failuresOf(testbed.aws), ...troubles],
  }
}

/** Traces are read to their ends here, those of processes that still run too. */
function searchForKeys({ aws, trace, workspace, watch }: Testbed, startedAt: number): readonly Finding[] {
  const folders = [workspace.disk, ...new Set([HOME, process.cwd()])]
  return new KeySearch(watch.rings.values()).findings(placesOf(aws, trace.collect(true), folders, startedAt))
}

/** Machines with a ticket whose MAC does not verify under the key of that name in the secret. */
function misreadersOf({ watch }: Testbed, samples: readonly Sample[]): readonly string[] {
  const keys = new Map([...watch.rings.values()].flatMap(keysOf).map((key) => [key.name, key]))
  const misread = samples.filter(({ ticket }) => {
    const key = keys.get(keyNameOf(ticket))
    return key === undefined || !isUnderKey(ticket, key)
  })
  return [...new Set(misread.map(({ host }) => host))]
}

/** Every ordered pair of machines of one kind, each with itself too, as the tally names them. */
function pairsOf(testbed: Testbed): readonly string[] {
  const { members } = testbed
  return members.flatMap((from) =>
    members
      .filter((to) => to.server === from.server)
      .flatMap((to) => testbed.versionsOf(from).map((version) => `${from.id} ${to.id} ${version}`)),
  )
}

function failuresOf({ history }: Testbed['aws']): readonly string[] {
  const denied = history.calls
    .filter(
      ({ kind, error }) => (kind === 'function' || kind === 'instance') && error === 'AccessDeniedException',
    )
    .map(({ operation, principal }) => `${principal} was denied ${operation}`)
  const given = history.failedEvents.map(({ source }) => `an event of ${source} failed and was given up`)
  return [...new Set([...denied, ...given])]
}
