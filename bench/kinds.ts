import type { Ring } from '../lambda/ring/ring.ts'
import { KINDS, type Kind } from '../local/rehearsal/machines/kinds.ts'
import type { Machine } from '../local/rehearsal/machines/machine.ts'
import { Fleet } from './fleet.ts'
import { type Bench, size } from './measurement.ts'
import { closedDuring } from './open-connections.ts'
import { firstRing, nextRing } from './rotation-ways.ts'
import { inMilliseconds, median, timed, times } from './statistics.ts'
import type { Row } from './table.ts'

/** Runs of one sort: what each took in ms, and how many of the connections that were idle meanwhile were closed. */
interface Runs {
  readonly spent: number[]
  closed: number
}

/** What one kind of server took: runs that found the ring in place, and that brought a new one and saw it encrypt. */
interface Outcome {
  readonly kind: Kind
  readonly unchanged: Runs
  readonly fresh: Runs
  /** Connections that were idle in either sort. */
  open: number
}

const noRuns = (): Runs => ({ spent: [], closed: 0 })

const RUNS = 7
/** Runs of those that look at their files by themselves, every few seconds or once a minute: waiting is all that they take. */
const RUNS_OF_WAITING: Readonly<Partial<Record<Kind, number>>> = { h2o: 3, trafficserver: 3, lighttpd: 1 }
const isWaiting = (kind: Kind) => kind in RUNS_OF_WAITING

/**
 * One machine of each kind, one after the other, and those that wait beside each other. The yardstick is HAProxy's own run in the
 * same minutes.
 */
export async function measure(bench: Bench): Promise<readonly Row[]> {
  const outcomes: Outcome[] = []
  for (const kind of KINDS.filter((each) => !isWaiting(each))) outcomes.push(await measureKind(kind, bench))
  outcomes.push(...(await Promise.all(KINDS.filter(isWaiting).map((kind) => measureKind(kind, bench)))))
  const yardstick = outcomes.find(({ kind }) => kind === 'haproxy') as Outcome
  return outcomes.flatMap((outcome) => rowsOf(outcome, yardstick))
}

function rowsOf({ kind, unchanged, fresh, open }: Outcome, yardstick: Outcome): readonly Row[] {
  return [
    rowOf(`one apply, ${kind}, unchanged ring`, unchanged, yardstick.unchanged),
    rowOf(`one apply, ${kind}, new ring until it is seen to encrypt`, fresh, yardstick.fresh),
    {
      what: `idle connections that ${kind} closed meanwhile`,
      ours: `${fresh.closed} of ${open}`,
      others: [`unchanged ring: ${unchanged.closed} of ${open}`],
    },
  ]
}

function rowOf(what: string, { spent }: Runs, yardstick: Runs): Row {
  const took = median(spent)
  return { what, ours: inMilliseconds(took), others: [`${times(took, median(yardstick.spent))} HAProxy's`] }
}

async function measureKind(kind: Kind, bench: Bench): Promise<Outcome> {
  const runs = size(bench, RUNS_OF_WAITING[kind] ?? RUNS, 1)
  bench.progress.say(`kinds: ${kind}, ${runs} runs of each`)
  let ring = firstRing()
  const fleet = await Fleet.start({ [kind]: 1 }, ring, bench.scope)
  const machine = fleet.machines[0] as Machine
  const idle = size(bench, 20, 4)
  const note = async (into: Runs, work: () => Promise<number>) => {
    into.closed += await closedDuring(machine, idle, async () => into.spent.push(await work()))
  }
  const apply = (held: Ring) => timed(() => fleet.apply(machine, held.generation))
  await apply(ring)
  const outcome = { kind, unchanged: noRuns(), fresh: noRuns(), open: 0 }
  for (let run = 0; run < runs; run += 1) {
    await note(outcome.unchanged, () => apply(ring))
    ring = nextRing(ring)
    fleet.publish(ring)
    await note(outcome.fresh, () => apply(ring))
    outcome.open += idle
  }
  return outcome
}
