import { holdersOf, noteSize } from '../fleet/convergence.ts'
import { isConverged } from '../fleet/delivery-state.ts'
import { hear, type Invocation, refused, type Unconfirmed } from '../fleet/evidence.ts'
import { type Fleet, fleetTrouble, rollCallOf } from '../fleet/membership.ts'
import { isStopped } from '../fleet/redelivery.ts'
import { failureText, type Serving, servingOf } from '../fleet/result-line.ts'
import { type Address, addressees } from '../fleet/rollout.ts'
import { allMachines } from '../kernel/count.ts'
import { later } from '../kernel/time.ts'
import type { StapleConfiguration } from './configuration.ts'
import type { DesiredStaples, StapleDelivery, StapleRecord } from './delivery-record.ts'
import { MOST_CERTIFICATES, type StapleMessage } from './message.ts'
import { parseStapleLine, type StapleLine } from './result-line.ts'

/** What a delivery is decided from. */
export interface DeliveryQuestion {
  readonly now: Date
  readonly fleet: Fleet
  readonly delivery: StapleDelivery
  readonly carried: StapleRecord['carried']
  readonly holding: DesiredStaples
  /** What has changed since everybody was known to hold everything; `undefined` where that is not known. */
  readonly changed: readonly string[] | undefined
  readonly forced: boolean
}

export type DeliveryDecision = { readonly reason: string } & (
  | { readonly action: 'send'; readonly to: readonly Address[]; readonly message: StapleMessage }
  | { readonly action: 'await' | 'judge' | 'rest' }
  | { readonly action: 'hold'; readonly until?: Date; readonly page: boolean }
)

/** How many redeliveries may fail before somebody is woken. */
const PATIENCE = 3

/** Decides the next step of bringing the fleet to what it is to hold. */
export function decideDelivery(question: DeliveryQuestion, channel: Channel): DeliveryDecision {
  const { delivery, fleet, carried, holding, now } = question
  const last = delivery.commands.at(-1)
  if (last !== undefined && !last.judged)
    return { action: 'await', reason: `command ${last.id} is under way` }
  if (question.forced) return byHand(question, channel)
  if (holding.size === 0) return { action: 'rest', reason: 'there is no staple to deliver' }
  if (wasRefused(question)) return redeliver(question, channel)
  if (delivery.attempts === 0 && fleet.known && fleet.members.length > 0) return firstSend(question, channel)
  const trouble = fleetTrouble({ fleet, carried, target: channel.target, now })
  const size = noteSize(question)
  if (trouble !== undefined) return size ?? { action: 'hold', page: true, reason: trouble }
  if (delivery.membership !== rollCallOf(fleet))
    return { action: 'judge', reason: 'the roll call has changed' }
  if (isConverged(delivery)) {
    return size ?? { action: 'rest', reason: `${allMachines(delivery.members, 'hold')} every staple` }
  }
  return redeliver(question, channel)
}

type Channel = Pick<StapleConfiguration, 'target' | 'timing'>

function firstSend(question: DeliveryQuestion, channel: Channel): DeliveryDecision {
  const { changed, holding } = question
  if (changed === undefined || changed.length === 0 || changed.length > MOST_CERTIFICATES) {
    const reason = `${changed?.length || 'unknown'} changes: every machine looks at the store`
    return sendTo(question, channel, 'all', reason)
  }
  const message = changed.map((id) => [id, holding.get(id) ?? 'withdrawn'] as const)
  return sendTo(question, channel, message, `${message.length} changed`)
}

/** Sends to those that lack something and are online; the others are reached when they come back. */
function sendTo(
  { fleet, delivery }: DeliveryQuestion,
  { target, timing }: Channel,
  message: StapleMessage,
  reason: string,
): DeliveryDecision {
  const holders = holdersOf(delivery, fleet) ?? new Set<string>()
  const to = addressees({ fleet, delivery, holders, ramp: true, target, timing })
  if (to.length > 0) return { action: 'send', to, message, reason }
  return { action: 'hold', page: delivery.attempts > PATIENCE, reason }
}

/** Also to those that hold everything, and without a ramp. */
function byHand({ fleet, delivery }: DeliveryQuestion, { target, timing }: Channel): DeliveryDecision {
  const afresh = { ...delivery, attempts: 0, stragglers: [] }
  const to = addressees({ fleet, delivery: afresh, holders: new Set(), ramp: false, target, timing })
  if (to.length > 0) return { action: 'send', to, message: 'all', reason: 'asked for by hand' }
  return { action: 'hold', page: false, reason: 'no machine is online to deliver to' }
}

/** A command that could not be sent is not sent again at once. */
function wasRefused({ delivery, now }: DeliveryQuestion): boolean {
  return delivery.unsent !== undefined && delivery.nextAt !== undefined && now < delivery.nextAt
}

function redeliver(question: DeliveryQuestion, channel: Channel): DeliveryDecision {
  const { delivery, now } = question
  const sentAt = delivery.commands.at(-1)?.sentAt ?? now
  const until = delivery.nextAt ?? later(sentAt, channel.timing.tick)
  const reason = missingOf(delivery)
  if (now >= until) return sendTo(question, channel, 'all', reason)
  const page =
    isStopped(delivery, channel.target) || delivery.unsent !== undefined || delivery.attempts > PATIENCE
  return { action: 'hold', until, page, reason }
}

function missingOf({ members, confirmed, stragglers, unsent }: StapleDelivery): string {
  const refused = unsent === undefined ? '' : `; the last command was not sent: ${unsent}`
  const named = stragglers.slice(0, 3).map(({ id, reason }) => `${id} (${reason})`)
  const more = members - confirmed - named.length
  const who = [...named, ...(more > 0 && named.length > 0 ? [`${more} more`] : [])].join(', ')
  const standing = `${confirmed} of ${members} machines hold what they should`
  return `${standing}${who === '' ? '' : `; missing: ${who}`}${refused}`
}

export type StapleVerdict = ({ readonly confirmed: true; readonly changed: boolean } & Serving) | Unconfirmed

/** Judges one instance by the line it printed: success means that it holds what it was told of its certificates. */
export function judgeStaples(
  invocation: Invocation,
  wanted: { readonly set: string; readonly script: string },
): StapleVerdict {
  return hear(invocation, (stdout): StapleVerdict => {
    const line = parseStapleLine(stdout)
    const reason = objection(line, wanted)
    if (reason !== undefined) return refused(reason)
    return { confirmed: true, changed: line.result === 'applied', ...servingOf(line) }
  })
}

function objection(line: StapleLine, wanted: { set: string; script: string }): string | undefined {
  if (line.staples !== wanted.set) return `reports the set ${line.staples}`
  if (line.script !== wanted.script) return `ran script ${line.script}, not ${wanted.script}`
  if (line.result !== 'failed') return undefined
  return failureText(line)
}
