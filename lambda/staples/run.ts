import { TicketringError } from '../kernel/errors.ts'
import { validateResponse } from '../ocsp/validation.ts'
import { answer, desiredFrom, measure, reasonOf, type StapleAnswer } from './answer.ts'
import { type DeliveryResult, deliverStaples, nextStep, progressTowards } from './deliver.ts'
import type { DeliveryProgress } from './delivery-decision.ts'
import type { StapleEntry } from './entry.ts'
import { withdrawn } from './entry-change.ts'
import { type Explanation, explanationOf } from './explanation.ts'
import { optionsOf } from './fetch-response.ts'
import { subjectOf } from './issuer.ts'
import { type CertificateState, observeStaples, type StapleSituation } from './observation.ts'
import { saveEntry } from './persist.ts'
import type { StaplePorts } from './ports.ts'
import { type Refreshed, refresh } from './refresh.ts'
import type { StapleRequest } from './request.ts'
import { RunMemory } from './run-memory.ts'

/** What `explain` answers: a verdict with every rule's outcome, and what it is about. */
export interface ExplainAnswer extends Explanation {
  readonly certificate: string
  readonly id: string
  readonly state: StapleEntry['state']
  readonly reason: string
}

/**
 * Looks at what is, asks about what is due, stores it, delivers what changed and withdraws what ends.
 * Can be killed at any point and run again.
 */
export async function runStaples(
  ports: StaplePorts,
  request: StapleRequest,
): Promise<StapleAnswer | ExplainAnswer> {
  const { action, reason } = request
  if (reason !== undefined) ports.eventLog.record({ kind: 'asked', action, reason })
  const situation = accepted(await observeStaples(ports), request, ports.clock.now())
  if (request.certificate !== undefined) refuseUnknown(situation, request.certificate)
  switch (request.action) {
    case 'explain':
      return explain(ports, named(situation, request.certificate ?? ''), request.response)
    case 'status':
      return status(ports, situation, request)
    case 'refresh':
    case 'deliver':
    case 'withdraw':
      return work(ports, situation, request)
  }
}

/** An operator who delivers with a reason has looked at a fleet that shrank, and takes it as it is. */
function accepted(situation: StapleSituation, { reason }: StapleRequest, now: Date): StapleSituation {
  const { fleet, record } = situation
  if (reason === undefined || !fleet.known) return situation
  const carried = { ...record.carried, baseline: { members: fleet.members.length, at: now } }
  return { ...situation, record: { ...record, carried } }
}

async function work(
  ports: StaplePorts,
  situation: StapleSituation,
  request: StapleRequest,
): Promise<StapleAnswer> {
  const done = await change(ports, situation, request)
  const progress = progressTowards(situation, desiredFrom(situation.kept), desiredFrom(done.kept))
  const brought = await bringOrMeasure(ports, situation, done, progress, request.action === 'deliver')
  measure(ports, situation, done, brought.progress)
  // Everything else has been looked after; what the store refused still fails the invocation.
  const [refused] = done.unsaved
  if (refused !== undefined) throw refused.error
  return answer(ports, situation, request, done, brought)
}

/** How long staples live is worth knowing above all where they cannot be delivered. */
async function bringOrMeasure(
  ports: StaplePorts,
  situation: StapleSituation,
  done: Refreshed,
  progress: DeliveryProgress,
  forced: boolean,
): Promise<DeliveryResult> {
  try {
    return await deliverStaples(ports, progress, forced)
  } catch (error) {
    measure(ports, situation, done, progress)
    throw error
  }
}

async function change(
  ports: StaplePorts,
  situation: StapleSituation,
  { action, certificate, force }: StapleRequest,
): Promise<Refreshed> {
  const { kept } = situation
  if (action === 'deliver') return { kept, did: [], held: [], unsaved: [] }
  if (action === 'withdraw' && certificate !== undefined) return withdrawByHand(ports, situation, certificate)
  return refresh(ports, kept, {
    forced: action === 'refresh' && force,
    releaseHeld: action === 'withdraw' && force,
    // What was withdrawn by hand comes back by its name alone.
    concerns: ({ setting, entry }) =>
      certificate === undefined ? entry.byHand !== true : setting.name === certificate,
  })
}

async function withdrawByHand(
  ports: StaplePorts,
  situation: StapleSituation,
  name: string,
): Promise<Refreshed> {
  const kept = named(situation, name)
  const reason = 'withdrawn by hand'
  const after = await saveEntry(ports, kept, withdrawn(kept.entry, reason, true))
  ports.eventLog.record({ kind: 'withdrawn', certificate: name, reason, mustStaple: kept.mustStaple })
  return {
    kept: situation.kept.map((each) => (each === kept ? after : each)),
    did: [`${name}: ${reason}`],
    held: [],
    unsaved: [],
  }
}

async function explain(
  ports: StaplePorts,
  kept: CertificateState,
  given: Uint8Array | undefined,
): Promise<ExplainAnswer> {
  const { name, id, state, response, lastFailure } = kept.entry
  const der = given ?? response?.der
  if (der === undefined) {
    const why = lastFailure === undefined ? '' : `; the last try: ${lastFailure.code}: ${lastFailure.detail}`
    throw new TicketringError('staple-missing', {
      wanted: `a stored response for ${name}, or one in "response"`,
      came: `none${why}`,
    })
  }
  const subject = await subjectOf(ports, kept, new RunMemory())
  const { stored, ...options } = optionsOf(kept, ports.clock.now())
  // The stored response is not held against itself.
  const against = given === undefined || stored === undefined ? {} : { stored }
  const verdict = validateResponse(der, subject, { ...options, ...against })
  return { certificate: name, id, state, reason: reasonOf(ports, kept), ...explanationOf(verdict) }
}

function status(ports: StaplePorts, situation: StapleSituation, request: StapleRequest): StapleAnswer {
  const holding = desiredFrom(situation.kept)
  const progress = progressTowards(situation, holding, holding)
  const brought = { progress, decision: nextStep(ports, progress, false), did: [] }
  const looked = { kept: situation.kept, did: [], held: [], unsaved: [] }
  return answer(ports, situation, request, looked, brought)
}

/** @throws TicketringError `certificate-unknown`, or what keeps the certificate from being read. */
function refuseUnknown({ kept, lost }: StapleSituation, name: string): void {
  const trouble = lost.find(({ setting }) => setting.name === name)?.trouble
  if (trouble !== undefined) throw trouble
  const names = kept.map(({ setting }) => setting.name)
  if (names.includes(name)) return
  throw new TicketringError('certificate-unknown', {
    wanted: `one of ${names.slice(0, 20).join(', ')}${names.length > 20 ? ', …' : ''}`,
    came: JSON.stringify(name.slice(0, 64)),
  })
}

function named({ kept }: StapleSituation, name: string): CertificateState {
  const found = kept.find(({ setting }) => setting.name === name)
  if (found === undefined) throw new RangeError(`${name} was known a moment ago`)
  return found
}
