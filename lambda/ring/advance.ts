import { isRefusal } from '../kernel/errors.ts'
import { later } from '../kernel/time.ts'
import { commit } from './commit.ts'
import { type RotationPorts, saveRecord } from './observation.ts'
import type { Intent, Situation } from './situation.ts'
import { tokenFor } from './tokens.ts'

/** Nothing more to do in this invocation, and why. */
export interface Stopped {
  readonly stopped: string
}

/** Commits the next generation, or, where Secrets Manager rotates the secret, asks it to. */
export async function advance(
  ports: RotationPorts,
  situation: Situation,
  intent: Intent,
  forced: boolean,
): Promise<Situation | Stopped> {
  const { trigger, secret } = ports.configuration
  const caller = intent.action === 'rotate' ? intent.token : undefined
  if (trigger === 'schedule' || forced || isAskedInVain(ports, situation))
    return yielding(intent, () => commit(ports, situation, { origin: 'advance', token: caller, forced }))
  await noteAsking(ports, situation)
  try {
    await ports.rotations.start(tokenFor('advance', secret, situation.labels.current, caller))
  } catch (error) {
    if (isByHand(intent) || !isRefusal(error, 'rotation-in-progress') || !(await isRotating(ports)))
      throw error
    return { stopped: error.message }
  }
  return { stopped: 'Secrets Manager was asked to rotate; the next tick confirms the delivery' }
}

/** Ticks that Secrets Manager is given to rotate once it was asked: twice the time in which an AWSPENDING is abandoned. */
const PATIENCE = 13

/** Secrets Manager may rotate or not: where it does not, the compare-and-set is as good without it. */
function isAskedInVain(
  { configuration, clock, eventLog }: RotationPorts,
  { labels, carried }: Situation,
): boolean {
  const { asked } = carried
  if (asked?.version !== labels.current) return false
  const isOver = clock.now() >= later(asked.since, PATIENCE * configuration.timing.tick)
  const detail = `Secrets Manager was first asked at ${asked.since.toISOString()} and has not: committed without it`
  if (isOver) eventLog.record({ kind: 'trouble', during: 'waiting for Secrets Manager to rotate', detail })
  return isOver
}

async function noteAsking(ports: RotationPorts, situation: Situation): Promise<void> {
  const { labels, carried } = situation
  if (carried.asked?.version === labels.current) return
  const asked = { version: labels.current, since: ports.clock.now() }
  await saveRecord(ports, { ...situation, carried: { ...carried, asked } })
}

/** RotateSecret is refused for other reasons in the same words. */
async function isRotating({ versions }: RotationPorts): Promise<boolean> {
  const { pending, current } = await versions.labels()
  return pending !== undefined && pending !== current
}

function isByHand(intent: Intent): boolean {
  return intent.action === 'rotate' && intent.manual
}

/** The second to a compare-and-set has lost nothing; only a person who asked is told by an error. */
export async function yielding(
  intent: Intent,
  attempt: () => Promise<Situation>,
): Promise<Situation | Stopped> {
  try {
    return await attempt()
  } catch (error) {
    if (!isRefusal(error, 'label-moved', 'staged-ring-dead') || isByHand(intent)) throw error
    return { stopped: error.message }
  }
}
