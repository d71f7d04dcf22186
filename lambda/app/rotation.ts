import { decide } from '../core/decision.ts'
import { isRefusal } from '../core/errors.ts'
import { ageOf } from '../core/gate.ts'
import { type ActionRequest, onlyLooks } from '../core/request.ts'
import type { Decision, Intent, Situation } from '../core/situation.ts'
import { tokenFor } from '../core/tokens.ts'
import { type Answer, answer, measure } from './answer.ts'
import { commit, commitRevoke } from './commit.ts'
import { awaitCommands, deliver, judgeFleet } from './delivery.ts'
import { intentOf, look, noteReason } from './looking.ts'
import { observe, type RotationPorts, saveRecord } from './observation.ts'

/** More steps than any situation needs: a loop that is longer goes round in circles. */
const MOST_STEPS = 16

/**
 * Looks at what is, decides one action, does it, and again, until there is nothing to do or something to wait for.
 * Can be killed at any point and run again.
 */
export async function run(ports: RotationPorts, request: ActionRequest): Promise<Answer> {
  if (onlyLooks(request)) return look(ports, request)
  noteReason(ports, request)
  let situation = await observe(ports)
  let intent = intentOf(request)
  const did: string[] = []
  let forced = false
  for (let step = 0; step < MOST_STEPS; step++) {
    const decision = decide({ ...situation, now: ports.clock.now() }, intent, ports.configuration)
    ports.journal.record({ kind: 'decided', ...decision, page: decision.action === 'hold' && decision.page })
    const isLast = decision.action === 'hold' || decision.action === 'rest'
    if (isLast) {
      measure(ports, situation, decision, forced)
      return answer(ports, request, situation, decision, did)
    }
    forced ||= decision.action === 'advance' && decision.forced
    const after = await act(ports, situation, decision, intent, request)
    if ('stopped' in after) {
      measure(ports, situation, decision, forced)
      return answer(ports, request, situation, { action: 'rest', reason: after.stopped }, did)
    }
    did.push(`${decision.action}: ${decision.reason}`)
    situation = after
    intent = intentAfter(intent, decision)
  }
  throw new RangeError(`no end after ${MOST_STEPS} steps: ${did.join('; ')}`)
}

/** What was wanted has happened once the ring changed hands or was sent: from there on, whatever is due. */
function intentAfter(intent: Intent, { action }: Decision): Intent {
  const fulfilled =
    action === 'advance' || action === 'revoke' || action === 'genesis' || action === 'deliver'
  return fulfilled && !(intent.action === 'rotate' && action === 'deliver') ? { action: 'reconcile' } : intent
}

type Stopped = { readonly stopped: string }

async function act(
  ports: RotationPorts,
  situation: Situation,
  decision: Decision,
  intent: Intent,
  request: ActionRequest,
): Promise<Situation | Stopped> {
  switch (decision.action) {
    case 'genesis':
      return yielding(intent, () => commit(ports, situation, { origin: 'genesis' }))
    case 'advance':
      return advance(ports, situation, intent)
    case 'revoke':
      return commitRevoke(ports, situation, intent.action === 'revoke' ? intent.token : undefined)
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
    case 'hold':
    case 'rest':
      return { stopped: decision.reason }
  }
}

/** A ring past maxKeyAge is replaced even where nothing can be delivered: the next one fails the invocation. */
async function insisting(
  { clock, journal, configuration }: RotationPorts,
  situation: Situation,
  attempt: () => Promise<Situation | Stopped>,
): Promise<Situation | Stopped> {
  try {
    return await attempt()
  } catch (error) {
    const { delivery } = situation
    const isYoung = delivery === undefined || ageOf(delivery, clock.now()) < configuration.timing.maxKeyAge
    if (isYoung || !(error instanceof Error) || situation.unreachable !== undefined) throw error
    journal.record({ kind: 'trouble', during: 'bringing a ring past maxKeyAge', detail: error.message })
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
  if (decision.action === 'judge') return judgeFleet(ports, known)
  if (decision.action === 'deliver') return deliver(ports, accepted(known, request), decision.to)
  const running = 'a command is still under way: the next tick goes on'
  return (await awaitCommands(ports, known)) ?? { stopped: running }
}

/** An operator who delivers with a reason has looked at a fleet that shrank, and takes it as it is. */
function accepted<T extends Situation>(situation: T, { action, reason }: ActionRequest): T {
  if (action !== 'deliver' || reason === undefined || !situation.fleet.known) return situation
  const baseline = { members: situation.fleet.members.length, at: situation.now }
  return { ...situation, carried: { ...situation.carried, baseline } }
}

async function advance(
  ports: RotationPorts,
  situation: Situation,
  intent: Intent,
): Promise<Situation | Stopped> {
  const { trigger, secret } = ports.configuration
  const caller = intent.action === 'rotate' ? intent.token : undefined
  if (trigger === 'schedule') {
    return yielding(intent, () => commit(ports, situation, { origin: 'advance', token: caller }))
  }
  try {
    await ports.rotations.start(tokenFor('advance', secret, situation.labels.current, caller))
  } catch (error) {
    if (isByHand(intent) || !isRefusal(error, 'rotation-in-progress') || !(await isRotating(ports)))
      throw error
    return { stopped: error.message }
  }
  return { stopped: 'Secrets Manager was asked to rotate; the next tick confirms the delivery' }
}

/** RotateSecret is refused for other reasons in the same words. */
async function isRotating({ versions }: RotationPorts): Promise<boolean> {
  const { pending, current } = await versions.labels()
  return pending !== undefined && pending !== current
}

function isByHand(intent: Intent): boolean {
  return intent.action === 'rotate' && intent.manual
}

/** Whoever comes second to a compare-and-set has lost nothing; only a person who asked is told by an error. */
async function yielding(intent: Intent, attempt: () => Promise<Situation>): Promise<Situation | Stopped> {
  try {
    return await attempt()
  } catch (error) {
    if (!isRefusal(error, 'label-moved', 'staged-ring-dead') || isByHand(intent)) throw error
    return { stopped: error.message }
  }
}

async function unlabel(
  ports: RotationPorts,
  situation: Situation,
  { label, version }: Extract<Decision, { action: 'unlabel' }>,
): Promise<Situation> {
  await ports.commits.unlabel(label, version)
  const { previous, pending, ...labels } = situation.labels
  const kept = label === 'AWSPREVIOUS' ? { pending } : { previous }
  const left = Object.fromEntries(Object.entries(kept).filter(([, holder]) => holder !== undefined))
  return forgetPending(ports, { ...situation, labels: { ...labels, ...left } })
}

/** A version that gets AWSPENDING again has half an hour again. */
async function forgetPending(ports: RotationPorts, situation: Situation): Promise<Situation> {
  const { pending, ...carried } = situation.carried
  if (pending === undefined || situation.labels.pending !== undefined) return situation
  const forgotten = { ...situation, carried }
  await saveRecord(ports, forgotten)
  return forgotten
}
