import { setTimeout as pause } from 'node:timers/promises'
import { Clients } from '../local/rehearsal/clients/clients.ts'
import { type Resumption, totalOf } from '../local/rehearsal/clients/tally.ts'
import type { Fleet as Counts } from '../local/rehearsal/machines/kinds.ts'
import { Scope } from '../local/scope.ts'
import { Fleet } from './fleet.ts'
import { type Bench, size } from './measurement.ts'
import {
  type Durations,
  firstRing,
  newKeyAtOnce,
  type Outage,
  polled,
  staged,
  type Way,
  type WayParts,
} from './rotation-ways.ts'
import type { Row } from './table.ts'

/** HAProxy Enterprise's own numbers are a key every 5 minutes and a poll every minute: a poll is a fifth of T. */
const DURATIONS: Durations = { every: 6_000, roll: 3_000, lifetime: 3_000, poll: 1_200 }
const HASTE: Durations = { every: 3_000, roll: 1_500, lifetime: 1_500, poll: 600 }
/** Rotations in which one machine is away for two of four. */
const CYCLE = 4
const MOST_CYCLES = 3
const ENOUGH_TRIES = 1_500

/** A way with the machines it knows, and whether one of them is away for two rotations of four. */
interface Run {
  readonly name: string
  readonly kinds: Counts
  readonly start: (parts: WayParts) => Way | Promise<Way>
  readonly misses: boolean
}

const BOTH = { haproxy: 3, nginx: 3 }
const RUNS = {
  ours: { name: 'ours', kinds: BOTH, start: staged, misses: false },
  oursMissing: { name: 'ours, one machine away', kinds: BOTH, start: staged, misses: true },
  playbook: { name: 'new key at once', kinds: { nginx: 3 }, start: newKeyAtOnce, misses: false },
  polling: { name: 'polling', kinds: { haproxy: 3 }, start: polled, misses: false },
  pollingMissing: {
    name: 'polling, one machine away',
    kinds: { haproxy: 3 },
    start: polled,
    misses: true,
  },
} satisfies Record<string, Run>

const fleetText = (kinds: Counts) =>
  Object.entries(kinds)
    .map(([kind, count]) => `${count} ${kind}`)
    .join(' and ')

/** What a run came to. */
interface Outcome extends Resumption {
  readonly rotations: number
}

export async function measure(bench: Bench): Promise<readonly Row[]> {
  const outcomes = new Map<Run, Outcome>()
  for (const each of Object.values(RUNS)) outcomes.set(each, await measureRun(each, bench))
  const told = (each: Run) => inWords(outcomes.get(each) as Outcome)
  const { lost, tried } = outcomes.get(RUNS.ours) as Outcome
  const durations = bench.quick ? HASTE : DURATIONS
  const seconds = (milliseconds: number) => `${milliseconds / 1000} s`
  const tempo = `T ${seconds(durations.every)}, roll ${seconds(durations.roll)}, tickets up to ${seconds(durations.lifetime)} old`
  return [
    {
      what: `resumptions lost per 10,000, rolling rotations back to back (${tempo}; TLS 1.2 and 1.3, all same-kind pairs)`,
      ours: told(RUNS.ours),
      others: [
        `nginx, two keys, new one encrypts at once: ${told(RUNS.playbook)}`,
        `HAProxy, file polled every ${seconds(durations.poll)}: ${told(RUNS.polling)}`,
      ],
      target: { text: '0', met: lost === 0 && tried > 0 },
    },
    {
      what: 'the same while one machine is out of reach for two rotations of four',
      ours: told(RUNS.oursMissing),
      others: [`HAProxy, file polled: ${told(RUNS.pollingMissing)}`],
    },
  ]
}

async function measureRun({ name, kinds, start, misses }: Run, bench: Bench): Promise<Outcome> {
  const scope = new Scope()
  bench.scope.defer(() => scope.close())
  const durations = bench.quick ? HASTE : DURATIONS
  const enough = size(bench, ENOUGH_TRIES, 50)
  const ring = firstRing()
  bench.progress.say(`resumptions: ${name}: starting ${fleetText(kinds)}`)
  const fleet = await Fleet.start(kinds, ring, scope)
  const clients = await comeAndGo(fleet, durations, scope)
  const way = await start({ fleet, ring, durations, scope })
  const ticker = setInterval(() => bench.progress.state(`resumptions: ${name}: ${inWords(clients)}`), 500)
  scope.defer(() => clearInterval(ticker))
  const rotations = await rotateOften(way, {
    fleet,
    durations,
    misses,
    enough,
    tried: () => totalOf(clients.tally).tried,
  })
  const outcome = { ...totalOf(await clients.finish()), rotations }
  await scope.close()
  bench.progress.say(`resumptions: ${name}: ${inWords(outcome)}`)
  return outcome
}

type Counting = Pick<Resumption, 'tried' | 'lost' | 'failed'> & { readonly rotations?: number }

function inWords(counted: Counting | Clients): string {
  const { tried, lost, failed, rotations }: Counting =
    counted instanceof Clients ? totalOf(counted.tally) : counted
  const share = tried === 0 ? 0 : Math.round((lost / tried) * 10_000)
  const broken = failed === 0 ? '' : `, ${failed} connections failed`
  const often = rotations === undefined ? '' : `, ${rotations} rotations`
  return `${share.toLocaleString('en')} (${lost} of ${tried.toLocaleString('en')}${often}${broken})`
}

/** TLS clients in a process of their own, who keep coming back with tickets up to L old. */
async function comeAndGo(fleet: Fleet, { lifetime }: Durations, scope: Scope): Promise<Clients> {
  const clients = new Clients()
  scope.defer(() => clients.stop())
  clients.start({ hosts: fleet.hosts, authority: fleet.pki.authority, lifetime })
  // Generations are unknown to them, so that a ticket counts by its age alone; at their busiest throughout.
  clients.see({ committed: 0, confirmed: 0, confirmedAt: 0, revoked: 0, delivering: true, encryptsIn: {} })
  while (totalOf(clients.tally).tried === 0) await pause(50)
  return clients
}

interface RotationRun {
  readonly fleet: Fleet
  readonly durations: Durations
  readonly misses: boolean
  /** Tries that are enough. */
  readonly enough: number
  readonly tried: () => number
}

/** @returns how many rotations there were: whole cycles, until there were tries enough. */
async function rotateOften(
  way: Way,
  { fleet, durations, misses, enough, tried }: RotationRun,
): Promise<number> {
  const [away] = fleet.machines
  let outage: Outage
  for (let rotations = 1; ; rotations += 1) {
    const begun = Date.now()
    // The second and the third of each cycle pass one machine by.
    if (misses && away !== undefined && rotations % CYCLE === 2)
      outage = { machine: away, until: begun + 2 * durations.every }
    await way.rotate(outage)
    await pause(Math.max(0, begun + durations.every - Date.now()))
    if (rotations % CYCLE === 0 && (tried() >= enough || rotations === CYCLE * MOST_CYCLES)) return rotations
  }
}
