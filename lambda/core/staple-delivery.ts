import { hear, type Invocation, type Unconfirmed } from './confirmation.ts'
import { allMachines } from './count.ts'
import { type Fleet, fleetTrouble, isConverged, later, rollCallOf } from './gate.ts'
import { backOff, redeliveryTargets } from './redelivery.ts'
import { failureText } from './script-output.ts'
import type { StapleConfiguration } from './staple-configuration.ts'
import { parseStapleLine, type StapleLine } from './staple-line.ts'
import type { Holding, StapleDelivery, StapleRecord } from './staple-record.ts'

/** Certificates that one command may name; more are not named at all. */
export const MOST_CERTIFICATES = 25

/** What a command says: `all` makes each machine take whatever the store holds for its own certificates. */
export type Told = 'all' | readonly (readonly [id: string, told: string])[]

/** The `Staples` parameter of a command. */
export function wordsOf(told: Told): string {
  return told === 'all' ? 'all' : told.map(([id, what]) => `${id}=${what}`).join(',')
}

/** What a delivery is decided from. */
export interface DeliveryQuestion {
  readonly now: Date
  readonly fleet: Fleet
  readonly delivery: StapleDelivery
  readonly carried: StapleRecord['carried']
  readonly holding: Holding
  /** What has changed since everybody was known to hold everything; `undefined` where that is not known. */
  readonly changed: readonly string[] | undefined
  readonly forced: boolean
}

export type DeliveryDecision = { readonly reason: string } & (
  | { readonly action: 'send'; readonly to: 'all' | readonly string[]; readonly told: Told }
  | { readonly action: 'await' | 'judge' | 'rest' }
  | { readonly action: 'hold'; readonly until?: Date; readonly page: boolean }
)

/** How many redeliveries may fail before somebody is woken. */
const PATIENCE = 3

/** Decides the next step of bringing the fleet to what it is to hold. */
export function decideDelivery(
  question: DeliveryQuestion,
  { target, timing }: Pick<StapleConfiguration, 'target' | 'timing'>,
): DeliveryDecision {
  const { delivery, fleet, carried, holding } = question
  const last = delivery.commands.at(-1)
  if (last !== undefined && !last.judged)
    return { action: 'await', reason: `command ${last.id} is under way` }
  if (question.forced) return { action: 'send', to: 'all', told: 'all', reason: 'asked for by hand' }
  if (holding.size === 0) return { action: 'rest', reason: 'there is no staple to deliver' }
  if (delivery.attempts === 0 && fleet.known && fleet.members.length > 0) return firstSend(question)
  const trouble = fleetTrouble({ fleet, carried, target })
  if (trouble !== undefined) return { action: 'hold', page: true, reason: trouble }
  if (delivery.membership !== rollCallOf(fleet))
    return { action: 'judge', reason: 'the roll call has changed' }
  if (isConverged(delivery)) {
    return { action: 'rest', reason: `${allMachines(delivery.members, 'hold')} every staple` }
  }
  return redeliver(question, timing.tick)
}

function firstSend({ changed, holding }: DeliveryQuestion): DeliveryDecision {
  const all = { action: 'send', to: 'all', told: 'all' } as const
  if (changed === undefined || changed.length === 0 || changed.length > MOST_CERTIFICATES)
    return { ...all, reason: `${changed?.length || 'unknown'} changes: every machine looks at the store` }
  const told = changed.map((id) => [id, holding.get(id) ?? 'withdrawn'] as const)
  return { ...all, told, reason: `${told.length} changed` }
}

function redeliver({ delivery, now }: DeliveryQuestion, tick: number): DeliveryDecision {
  const sentAt = delivery.commands.at(-1)?.sentAt ?? now
  const due = later(sentAt, backOff(delivery.attempts, delivery.holding, tick))
  const reason = missingOf(delivery)
  if (now >= due) return { action: 'send', to: redeliveryTargets(delivery), told: 'all', reason }
  return { action: 'hold', until: due, page: delivery.attempts > PATIENCE, reason }
}

function missingOf({ members, confirmed, stragglers }: StapleDelivery): string {
  const named = stragglers.slice(0, 3).map(({ id, reason }) => `${id} (${reason})`)
  const more = members - confirmed - named.length
  const who = [...named, ...(more > 0 && named.length > 0 ? [`${more} more`] : [])].join(', ')
  return `${confirmed} of ${members} machines hold what they should${who === '' ? '' : `; missing: ${who}`}`
}

export type StapleVerdict = { readonly confirmed: true; readonly changed: boolean } | Unconfirmed

/** Judges one instance by the line it printed: success means that it holds what it was told of its certificates. */
export function judgeStaples(
  invocation: Invocation,
  wanted: { readonly set: string; readonly script: string },
): StapleVerdict {
  return hear(invocation, (stdout): StapleVerdict => {
    const line = parseStapleLine(stdout)
    const reason = objection(line, wanted)
    return reason === undefined
      ? { confirmed: true, changed: line.result === 'applied' }
      : { confirmed: false, reason, spoke: true }
  })
}

function objection(line: StapleLine, wanted: { set: string; script: string }): string | undefined {
  if (line.staples !== wanted.set) return `reports the set ${line.staples}`
  if (line.script !== wanted.script) return `ran script ${line.script}, not ${wanted.script}`
  if (line.result !== 'failed') return undefined
  return failureText(line)
}
