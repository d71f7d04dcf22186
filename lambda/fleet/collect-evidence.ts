import { following } from '../kernel/paging.ts'
import { later } from '../kernel/time.ts'
import { holdersOf } from './convergence.ts'
import type { DeliveryState, Reading, SentCommand } from './delivery-state.ts'
import { type Evidence, type Heard, type Invocation, withOlder } from './evidence.ts'
import type { Fleet } from './membership.ts'
import type { Clock, CommandSender, EventLog, FleetEvent } from './ports.ts'
import { countRuns, type ProgramVersion, type Release } from './releases.ts'

/** What reading results needs: of whichever story. */
export interface EvidencePorts {
  readonly sender: Pick<CommandSender, 'results' | 'resultOf'>
  readonly clock: Clock
  readonly eventLog: EventLog<FleetEvent>
}

/** How a machine's answer is judged, and what is made of what a command that ended only now brought. */
export interface Judge<V extends Heard> {
  judge(invocation: Invocation): V
  note?(verdicts: Evidence<V>, holders: ReadonlySet<string> | undefined): void
}

/** What was heard. */
export interface CollectedEvidence {
  readonly evidence: Evidence<Heard>
  readonly commands: readonly SentCommand[]
  readonly releases: readonly Release[]
  readonly programs: readonly ProgramVersion[]
  readonly reading?: Reading
  /** False where time ran out or a page could not be read: what was read counts, the rest is read on by the next tick. */
  readonly whole: boolean
}

/** Milliseconds that a page takes where Systems Manager has to be waited for: ten calls a second, each made twice. */
const PAGE_TIME = 200
/** Instances on a page of Systems Manager. */
const PAGE = 50

/** Milliseconds to keep back for writing the record, and for so many looks at a fleet of this size. */
export function reserveFor(fleet: Fleet, looks: number): number {
  return 20_000 + looks * pagesOf(fleet) * PAGE_TIME
}

function pagesOf(fleet: Fleet): number {
  return fleet.known ? Math.ceil(fleet.members.length / PAGE) : 0
}

/** A command whose results cannot be read for this long is judged by what was read (s). */
const UNREADABLE = 3600

/**
 * Hears what the fleet said, newest command first. Who was known to hold what is delivered before needs no asking; where
 * that is not known for this roll call, older commands are asked again, about those alone who are still missing.
 */
export async function collectEvidence<V extends Heard>(
  ports: EvidencePorts,
  delivered: DeliveryState,
  fleet: Fleet,
  { judge, note }: Judge<V>,
): Promise<CollectedEvidence> {
  const holders = holdersOf(delivered, fleet)
  let evidence: Evidence<Heard> = new Map()
  let [reading, whole]: [Reading | undefined, boolean] = [undefined, true]
  const commands: SentCommand[] = []
  for (const command of delivered.commands.toReversed()) {
    const missing = missingFrom(fleet, evidence)
    const isDone = command.judged && (holders !== undefined || missing.length === 0)
    if (isDone || !whole) {
      commands.unshift({ ...command, judged: isDone })
      continue
    }
    const read = await readCommand(ports, { command, missing, delivered, fleet })
    const verdicts = new Map(read.invocations.map((each) => [each.id, judge(each)]))
    if (!command.judged) note?.(verdicts, holders)
    evidence = withOlder(evidence, verdicts)
    commands.unshift({ ...command, judged: read.whole })
    ;[reading, whole] = [read.reading, read.whole]
  }
  const runs = countRuns(evidence, holders, delivered)
  evidence = withOlder(evidence, before(delivered, holders))
  return { evidence, commands, ...runs, whole, ...(reading === undefined ? {} : { reading }) }
}

function missingFrom(fleet: Fleet, evidence: Evidence<Heard>): readonly string[] {
  if (!fleet.known) return []
  return fleet.members.map(({ id }) => id).filter((id) => evidence.get(id)?.confirmed !== true)
}

/** What the record says of the machines: who holds it, and of some who do not, why. */
function before(delivered: DeliveryState, holders: ReadonlySet<string> | undefined): Evidence<Heard> {
  if (holders === undefined) return new Map()
  const missing = delivered.stragglers.map(({ id, code, detail, ran = false }) => {
    const verdict: Heard = { confirmed: false, code, detail, ran, spoke: ran }
    return [id, verdict] as const
  })
  return new Map<string, Heard>([...missing, ...[...holders].map((id) => [id, { confirmed: true }] as const)])
}

interface Question {
  readonly command: SentCommand
  readonly missing: readonly string[]
  readonly delivered: DeliveryState
  readonly fleet: Fleet
}

interface Read {
  readonly invocations: readonly Invocation[]
  readonly reading?: Reading
  readonly whole: boolean
}

async function readCommand(ports: EvidencePorts, question: Question): Promise<Read> {
  const { command, missing, delivered, fleet } = question
  const heard: Unfinished = { invocations: [], next: undefined }
  try {
    const few = command.judged && missing.length <= pagesOf(fleet)
    if (few) return await readEach(ports, question, heard.invocations)
    const from = delivered.reading?.command === command.id ? delivered.reading.next : undefined
    return await readPages(ports, question, from, heard)
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error)
    ports.eventLog.record({ kind: 'trouble', during: `reading the results of ${command.id}`, detail })
    return { ...readSoFar(heard, command), whole: ports.clock.now() > later(command.sentAt, UNREADABLE) }
  }
}

/** What was read before a page could not be, and the page to go on at; the first where none was read. */
interface Unfinished {
  readonly invocations: Invocation[]
  next: string | undefined
}

function readSoFar({ invocations, next }: Unfinished, { id }: SentCommand): Omit<Read, 'whole'> {
  return { invocations, ...(next === undefined ? {} : { reading: { command: id, next } }) }
}

async function readEach(
  { sender, clock }: EvidencePorts,
  { command, missing, fleet }: Question,
  invocations: Invocation[],
): Promise<Read> {
  for (const id of missing) {
    const invocation = await sender.resultOf(command.id, id)
    if (invocation !== undefined) invocations.push(invocation)
    if (clock.remaining() < reserveFor(fleet, 1)) return { invocations, whole: id === missing.at(-1) }
  }
  return { invocations, whole: true }
}

async function readPages(
  { sender, clock }: EvidencePorts,
  { command, fleet }: Question,
  from: string | undefined,
  heard: Unfinished,
): Promise<Read> {
  const seen = new Set(from === undefined ? [] : [from])
  let next = from
  do {
    const page = await sender.results(command.id, next)
    heard.invocations.push(...page.invocations)
    next = following(page.next, seen)
    heard.next = next
    if (next !== undefined && clock.remaining() < reserveFor(fleet, 1))
      return { ...readSoFar(heard, command), whole: false }
  } while (next !== undefined)
  return { invocations: heard.invocations, whole: true }
}
