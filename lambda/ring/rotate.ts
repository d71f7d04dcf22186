import { reserveFor } from '../fleet/collect-evidence.ts'
import { isRefusal, TicketringError } from '../kernel/errors.ts'
import { advance, type Stopped, yielding } from './advance.ts'
import { type Answer, answer, measure } from './answer.ts'
import { commit, commitRevoke } from './commit.ts'
import { decide } from './decision.ts'
import { deliver, hearFleet } from './deliver.ts'
import { ageOf } from './gate.ts'
import { observe, type RotationPorts, saveRecord } from './observation.ts'
import { type ActionRequest, onlyLooks, requireRing } from './request.ts'
import type { Decision, Intent, Situation } from './situation.ts'
import { afterServed, intentOf, look, noteReason, settle } from './status.ts'

/** More steps than any situation needs: a loop that is longer goes round in circles. */
const MOST_STEPS = 64
/** A commit that is overtaken this often in a row meets something that no repetition mends. */
const MOST_LOST = 10
/** Before a second try, and longer before each further one (ms). */
const LOST_PAUSE = 200
/** How often an invocation goes on with a ring that became current while it acted. */
const MOST_OVERTAKEN = 3

/** How far an invocation has come. */
interface Course {
  readonly situation: Situation
  readonly intent: Intent
  /** What an earlier try of the same client did, in words. */
  readonly served?: string
  readonly did: readonly string[]
  readonly forced: boolean
  /** True once something was done or waited for, so that the labels may be others than they were. */
  readonly acted: boolean
  readonly lost: number
  readonly overtaken: number
}

/**
 * Looks at what is, decides one action, does it, and again, until there is nothing to do or something to wait for.
 * Can be killed at any point and run again.
 */
export async function run(ports: RotationPorts, request: ActionRequest): Promise<Answer> {
  if (onlyLooks(request)) return look(ports, request)
  requireRing(request, ports.configuration.ring)
  noteReason(ports, request)
  let course = await begin(ports, intentOf(request))
  for (let step = 0; step < MOST_STEPS; step++) {
    const { situation, intent } = course
    const decision = decide({ ...situation, now: ports.clock.now() }, intent, ports.configuration)
    ports.eventLog.record({ kind: 'decided', ...decision, page: decision.action === 'hold' && decision.page })
    const next = await goOn(ports, request, course, decision)
    if ('answer' in next) return next.answer
    course = next
  }
  throw new RangeError(`no end after ${MOST_STEPS} steps: ${course.did.join('; ')}`)
}

async function begin(ports: RotationPorts, intent: Intent): Promise<Course> {
  const before = { did: [], forced: false, acted: false, lost: 0, overtaken: 0 }
  return lookAgain(ports, { ...before, intent })
}

/** What is now, and whether what is wanted has happened: then it goes on with whatever is due. */
async function lookAgain(ports: RotationPorts, course: Omit<Course, 'situation'>): Promise<Course> {
  const situation = await observe(ports)
  return { ...course, situation, acted: false, ...(await settle(ports, situation, course.intent)) }
}

async function goOn(
  ports: RotationPorts,
  request: ActionRequest,
  course: Course,
  decision: Decision,
): Promise<Course | { readonly answer: Answer }> {
  if (decision.action === 'hold' || decision.action === 'rest') {
    const now = await followed(ports, course)
    return now ?? { answer: conclude(ports, request, course, decision) }
  }
  const after = await act(ports, course, decision, request)
  const forced = course.forced || (decision.action === 'advance' && decision.forced)
  if ('lost' in after) return retry(ports, { ...course, lost: course.lost + 1 })
  if ('stopped' in after) {
    const situation = (await isStill(ports, course.situation)) ? course.situation : await observe(ports)
    const stopped = { action: 'rest', reason: after.stopped } as const
    return { answer: conclude(ports, request, { ...course, situation, forced }, stopped) }
  }
  return {
    ...course,
    situation: after,
    forced,
    acted: !provesCurrent(decision, after),
    did: [...course.did, `${decision.action}: ${decision.reason}`],
    intent: intentAfter(course.intent, decision),
  }
}

/** AWSPREVIOUS moves with every commit: where it was taken off the version that it was on, there has been none. */
function provesCurrent(decision: Decision, after: Situation | Unlabelled): boolean {
  return decision.action === 'unlabel' && decision.label === 'AWSPREVIOUS' && 'taken' in after && after.taken
}

/** A function that has acted or waited looks at the labels again before it answers. @returns what it goes on with, if need be. */
async function followed(ports: RotationPorts, course: Course): Promise<Course | undefined> {
  if (!course.acted || course.overtaken >= MOST_OVERTAKEN) return undefined
  if (await isStill(ports, course.situation)) return undefined
  return lookAgain(ports, { ...course, overtaken: course.overtaken + 1 })
}

async function isStill({ versions }: RotationPorts, { labels }: Situation): Promise<boolean> {
  return (await versions.labels()).current === labels.current
}

function conclude(ports: RotationPorts, request: ActionRequest, course: Course, decision: Decision): Answer {
  const { situation, forced, did } = course
  measure(ports, situation, decision, forced)
  return answer(ports, request, situation, afterServed(course.served, decision), did)
}

/** A revoke repeats until its commit wins, each time against what is then. */
async function retry(ports: RotationPorts, course: Course): Promise<Course> {
  if (course.lost >= MOST_LOST) {
    throw new TicketringError('revoke-not-won', {
      wanted: 'AWSCURRENT to stay in place for one compare-and-set',
      came: `${MOST_LOST} tries that each found it moved`,
      fix: 'Stop what else writes this secret, then revoke again',
    })
  }
  await ports.clock.sleep(LOST_PAUSE * course.lost)
  return lookAgain(ports, course)
}

/** What was wanted has happened once the ring changed hands or was sent: from there on, whatever is due. */
function intentAfter(intent: Intent, { action }: Decision): Intent {
  const fulfilled =
    action === 'advance' || action === 'revoke' || action === 'genesis' || action === 'deliver'
  return fulfilled && !(intent.action === 'rotate' && action === 'deliver') ? { action: 'reconcile' } : intent
}

/** After a label was to be taken off: whether it was there. */
type Unlabelled = Situation & { readonly taken: boolean }
interface Lost {
  readonly lost: true
}

async function act(
  ports: RotationPorts,
  { situation, intent }: Course,
  decision: Exclude<Decision, { action: 'hold' | 'rest' }>,
  request: ActionRequest,
): Promise<Situation | Stopped | Lost> {
  switch (decision.action) {
    case 'genesis':
      return yielding(intent, () => commit(ports, situation, { origin: 'genesis' }))
    case 'advance':
      return advance(ports, situation, intent, decision.forced)
    case 'revoke':
      return revoke(ports, situation, intent)
    case 'unlabel':
      return unlabel(ports, situation, decision)
    case 'note-pending': {
      const pending = { version: decision.version, since: situation.now }
      const noted = { ...situation, carried: { ...situation.carried, pending } }
      await saveRecord(ports, noted)
      return noted
    }
    case 'deliver':
    case 'await':
    case 'judge':
      return insisting(ports, situation, () => bring(ports, situation, decision, request))
  }
}

async function revoke(ports: RotationPorts, situation: Situation, intent: Intent): Promise<Situation | Lost> {
  try {
    return await commitRevoke(ports, situation, intent.action === 'revoke' ? intent.token : undefined)
  } catch (error) {
    if (isRefusal(error, 'label-moved', 'staged-ring-dead')) return { lost: true }
    throw error
  }
}

/** A ring past maxKeyAge is replaced even where nothing can be delivered: the next one fails the invocation. */
async function insisting(
  { clock, eventLog, configuration }: RotationPorts,
  situation: Situation,
  attempt: () => Promise<Situation | Stopped>,
): Promise<Situation | Stopped> {
  try {
    return await attempt()
  } catch (error) {
    const { delivery } = situation
    const isYoung = delivery === undefined || ageOf(delivery, clock.now()) < configuration.timing.maxKeyAge
    if (isYoung || !(error instanceof Error) || situation.unreachable !== undefined) throw error
    eventLog.record({ kind: 'trouble', during: 'bringing a ring past maxKeyAge', detail: error.message })
    return { ...situation, unreachable: error.message }
  }
}

async function bring(
  ports: RotationPorts,
  situation: Situation,
  decision: Extract<Decision, { action: 'deliver' | 'await' | 'judge' }>,
  request: ActionRequest,
): Promise<Situation | Stopped> {
  const { delivery } = situation
  if (delivery === undefined) return { stopped: 'there is no ring' }
  const known = { ...situation, delivery }
  if (decision.action === 'deliver') {
    // Some machines of a large fleet at a time: the rest of them where there is no time to hear these.
    if (delivery.attempts > 0 && ports.clock.remaining() < reserveFor(situation.fleet, 1))
      return { stopped: `${decision.reason}; the next tick goes on` }
    return deliver(ports, accepted(known, request), decision.to)
  }
  const { state: after, ended } = await hearFleet(ports, known, decision.action)
  if (ended) return after
  const running = 'a command is still under way: the next tick goes on'
  // A ring past maxKeyAge does not wait for the next tick.
  const isOver = ageOf(delivery, ports.clock.now()) >= ports.configuration.timing.maxKeyAge
  return isOver && situation.unreachable === undefined
    ? { ...after, unreachable: running }
    : { stopped: running }
}

/** An operator who delivers with a reason has looked at a fleet that shrank, and takes it as it is. */
function accepted<T extends Situation>(situation: T, { action, reason }: ActionRequest): T {
  if (action !== 'deliver' || reason === undefined || !situation.fleet.known) return situation
  const baseline = { members: situation.fleet.members.length, at: situation.now }
  return { ...situation, carried: { ...situation.carried, baseline } }
}

async function unlabel(
  ports: RotationPorts,
  situation: Situation,
  { label, version }: Extract<Decision, { action: 'unlabel' }>,
): Promise<Unlabelled> {
  const taken = await ports.commits.unlabel(label, version)
  const { previous, pending, revoking, ...labels } = situation.labels
  const kept = { AWSPREVIOUS: previous, AWSPENDING: pending, REVOKING: revoking, [label]: undefined }
  const left = {
    ...(kept.AWSPREVIOUS === undefined ? {} : { previous: kept.AWSPREVIOUS }),
    ...(kept.AWSPENDING === undefined ? {} : { pending: kept.AWSPENDING }),
    ...(kept.REVOKING === undefined ? {} : { revoking: kept.REVOKING }),
  }
  return { ...(await forgetPending(ports, { ...situation, labels: { ...labels, ...left } })), taken }
}

/** A version that gets AWSPENDING again has half an hour again. */
async function forgetPending(ports: RotationPorts, situation: Situation): Promise<Situation> {
  const { pending, ...carried } = situation.carried
  if (pending === undefined || situation.labels.pending !== undefined) return situation
  const forgotten = { ...situation, carried }
  await saveRecord(ports, forgotten)
  return forgotten
}
