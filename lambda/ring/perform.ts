/** What each action does. */
import { reserveFor } from '../fleet/collect-evidence.ts'
import { isRefusal } from '../kernel/errors.ts'
import { advance, type Stopped, yielding } from './advance.ts'
import { passCanary } from './canary.ts'
import { commit, commitRevoke } from './commit.ts'
import { deliver, hearFleet } from './deliver.ts'
import { ageOf } from './gate.ts'
import { type RotationPorts, saveRecord } from './observation.ts'
import type { ActionRequest } from './request.ts'
import type { Decision, Intent, Situation } from './situation.ts'

/** After a label was to be taken off: whether it was there. */
export type Unlabelled = Situation & { readonly taken: boolean }
interface CommitLost {
  readonly lost: true
}

/** Does what was decided; the situation after it, or why the invocation ends, or that another one won. */
export async function perform(
  ports: RotationPorts,
  { situation, intent }: { readonly situation: Situation; readonly intent: Intent },
  decision: Exclude<Decision, { action: 'hold' | 'rest' }>,
  request: ActionRequest,
): Promise<Situation | Stopped | CommitLost> {
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
    case 'promote':
      return promote(ports, situation, decision)
    case 'deliver':
    case 'await':
    case 'judge':
      return insisting(ports, situation, () => bring(ports, situation, decision, request))
  }
}

async function promote(
  ports: RotationPorts,
  situation: Situation,
  decision: Extract<Decision, { action: 'promote' }>,
): Promise<Situation | Stopped> {
  const { delivery } = situation
  if (delivery === undefined) return { stopped: 'there is no ring' }
  const known = { ...situation, delivery, now: ports.clock.now() }
  const passed = passCanary(known, decision, ports.configuration)
  await saveRecord(ports, passed)
  return passed
}

async function revoke(
  ports: RotationPorts,
  situation: Situation,
  intent: Intent,
): Promise<Situation | CommitLost> {
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
function accepted<T extends Situation>(situation: T, { action, reason, instance }: ActionRequest): T {
  if (action !== 'deliver' || instance !== undefined || reason === undefined || !situation.fleet.known)
    return situation
  const baseline = { members: situation.fleet.members.length, at: situation.now }
  return { ...situation, carried: { ...situation.carried, baseline } }
}

async function unlabel(
  ports: RotationPorts,
  situation: Situation,
  { label, version }: Extract<Decision, { action: 'unlabel' }>,
): Promise<Unlabelled> {
  const taken = await ports.commits.unlabel(label, version)
  const { [HELD_AS[label]]: _, ...labels } = situation.labels
  return { ...(await forgetPending(ports, { ...situation, labels })), taken }
}

const HELD_AS = { AWSPREVIOUS: 'previous', AWSPENDING: 'pending', REVOKING: 'revoking' } as const

/** A version that gets AWSPENDING again has half an hour again. */
async function forgetPending(ports: RotationPorts, situation: Situation): Promise<Situation> {
  const { pending, ...carried } = situation.carried
  if (pending === undefined || situation.labels.pending !== undefined) return situation
  const forgotten = { ...situation, carried }
  await saveRecord(ports, forgotten)
  return forgotten
}
