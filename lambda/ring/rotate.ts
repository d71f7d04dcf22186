import { TicketringError } from '../kernel/errors.ts'
import { type Answer, answer } from './answer.ts'
import { decideByCalendars } from './look-at-calendars.ts'
import { measure } from './metrics.ts'
import { observe, type RotationPorts } from './observation.ts'
import { operate } from './operate.ts'
import { perform, type Unlabelled } from './perform.ts'
import { type ActionRequest, isControl, onlyLooks, requireRing } from './request.ts'
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
interface Progress {
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
  if (isControl(request)) return operate(ports, request)
  let progress = await begin(ports, intentOf(request))
  for (let step = 0; step < MOST_STEPS; step++) {
    const now = { ...progress.situation, now: ports.clock.now() }
    const { situation, decision } = await decideByCalendars(ports, now, progress.intent)
    ports.eventLog.record({ kind: 'decided', ...decision, page: decision.action === 'hold' && decision.page })
    const next = await goOn(ports, request, { ...progress, situation }, decision)
    if ('answer' in next) return next.answer
    progress = next
  }
  throw new RangeError(`no end after ${MOST_STEPS} steps: ${progress.did.join('; ')}`)
}

async function begin(ports: RotationPorts, intent: Intent): Promise<Progress> {
  const before = { did: [], forced: false, lost: 0, overtaken: 0 }
  return lookAgain(ports, { ...before, intent })
}

/** What is now, and whether what is wanted has happened: then it goes on with whatever is due. */
async function lookAgain(
  ports: RotationPorts,
  progress: Omit<Progress, 'situation' | 'acted'>,
): Promise<Progress> {
  const situation = await observe(ports)
  return { ...progress, situation, acted: false, ...(await settle(ports, situation, progress.intent)) }
}

async function goOn(
  ports: RotationPorts,
  request: ActionRequest,
  progress: Progress,
  decision: Decision,
): Promise<Progress | { readonly answer: Answer }> {
  if (decision.action === 'hold' || decision.action === 'rest') {
    const now = await followed(ports, progress)
    return now ?? { answer: conclude(ports, request, progress, decision) }
  }
  const after = await perform(ports, progress, decision, request)
  const forced = progress.forced || (decision.action === 'advance' && decision.forced)
  if ('lost' in after) return retry(ports, { ...progress, lost: progress.lost + 1 })
  if ('stopped' in after) {
    const situation = (await isStill(ports, progress.situation)) ? progress.situation : await observe(ports)
    const stopped = { action: 'rest', reason: after.stopped } as const
    return { answer: conclude(ports, request, { ...progress, situation, forced }, stopped) }
  }
  return {
    ...progress,
    situation: after,
    forced,
    acted: !provesCurrent(decision, after),
    did: [...progress.did, `${decision.action}: ${decision.reason}`],
    intent: intentAfter(progress.intent, decision),
  }
}

/** AWSPREVIOUS moves with every commit: where it was taken off the version that it was on, there has been none. */
function provesCurrent(decision: Decision, after: Situation | Unlabelled): boolean {
  return decision.action === 'unlabel' && decision.label === 'AWSPREVIOUS' && 'taken' in after && after.taken
}

/** A function that has acted or waited looks at the labels again before it answers. @returns what it goes on with, if need be. */
async function followed(ports: RotationPorts, progress: Progress): Promise<Progress | undefined> {
  if (!progress.acted || progress.overtaken >= MOST_OVERTAKEN) return undefined
  if (await isStill(ports, progress.situation)) return undefined
  return lookAgain(ports, { ...progress, overtaken: progress.overtaken + 1 })
}

async function isStill({ versions }: RotationPorts, { labels }: Situation): Promise<boolean> {
  return (await versions.labels()).current === labels.current
}

function conclude(
  ports: RotationPorts,
  request: ActionRequest,
  progress: Progress,
  decision: Decision,
): Answer {
  const { situation, forced, did } = progress
  measure(ports, situation, decision, forced)
  return answer(ports, request, situation, afterServed(progress.served, decision), did)
}

/** A revoke repeats until its commit wins, each time against what is then. */
async function retry(ports: RotationPorts, progress: Progress): Promise<Progress> {
  if (progress.lost >= MOST_LOST) {
    throw new TicketringError('revoke-not-won', {
      wanted: 'AWSCURRENT to stay in place for one compare-and-set',
      came: `${MOST_LOST} tries that each found it moved`,
      fix: 'Stop what else writes this secret, then revoke again',
    })
  }
  await ports.clock.sleep(LOST_PAUSE * progress.lost)
  return lookAgain(ports, progress)
}

/** What was wanted has happened once the ring changed hands or was sent: from there on, whatever is due. */
function intentAfter(intent: Intent, { action }: Decision): Intent {
  const fulfilled =
    action === 'advance' ||
    action === 'revoke' ||
    action === 'genesis' ||
    action === 'deliver' ||
    action === 'promote'
  return fulfilled && !(intent.action === 'rotate' && action === 'deliver') ? { action: 'reconcile' } : intent
}
