import { isRefusal } from '../kernel/errors.ts'
import { mapConcurrently } from '../kernel/map-concurrently.ts'
import type { Pace } from '../ocsp/schedule.ts'
import type { StapleTiming } from './configuration.ts'
import { decideStaple, type Moment, nearestEndFirst, type StapleDecision } from './decision.ts'
import type { StapleEntry, StoredResponse } from './entry.ts'
import { withdrawn, withFailure, withResponse } from './entry-change.ts'
import { failureOnTheWay, type TryFailure } from './failure.ts'
import { type Asked, askAbout } from './fetch-response.ts'
import type { CertificateState } from './observation.ts'
import { type Saved, trySaving, type Unsaved } from './persist.ts'
import type { StaplePorts } from './ports.ts'
import { MOST_AT_ONCE, mayStillAsk, RunMemory } from './run-memory.ts'
import { type Turn, type Withdrawals, withdrawAll } from './withdrawal.ts'

/** What a run wants: everything that is due, or, of those named, also what is not. */
interface Wish {
  readonly forced: boolean
  /** Past the mass-withdrawal guard. */
  readonly releaseHeld: boolean
  readonly concerns: (kept: CertificateState) => boolean
}

/** What refreshing came to. */
export interface Refreshed extends Omit<Withdrawals, 'goers'> {
  /** What the store would not take: their certificates are as they were. */
  readonly unsaved: readonly Unsaved[]
}

/** Asks about whatever is due, stores what came, and withdraws what is at its end. */
export async function refresh(
  ports: StaplePorts,
  all: readonly CertificateState[],
  wish: Wish,
): Promise<Refreshed> {
  const memory = new RunMemory()
  const turns = await mapConcurrently(nearestEndFirst(all), MOST_AT_ONCE, (kept) =>
    wish.concerns(kept) ? takeTurnAlone(ports, kept, wish.forced, memory) : leftAlone(kept),
  )
  const withdrawals = await withdrawAll(ports, turns, wish.releaseHeld)
  const after = new Map(withdrawals.kept.map((kept) => [kept.entry.id, kept]))
  return {
    kept: all.map((kept) => after.get(kept.entry.id) ?? kept),
    did: [...turns.flatMap(({ did }) => did ?? []), ...withdrawals.did],
    held: withdrawals.held,
    unsaved: [...turns, ...withdrawals.goers].flatMap(({ unsaved }) => unsaved ?? []),
  }
}

async function leftAlone(kept: CertificateState): Promise<Turn> {
  return { kept }
}

/** Whatever happens to one certificate is its failure: the others are refreshed, delivered and withdrawn. */
async function takeTurnAlone(
  ports: StaplePorts,
  kept: CertificateState,
  forced: boolean,
  memory: RunMemory,
): Promise<Turn> {
  try {
    return await takeTurn(ports, kept, forced, memory)
  } catch (error) {
    return failed(ports, kept, failureOnTheWay(error))
  }
}

async function takeTurn(
  ports: StaplePorts,
  kept: CertificateState,
  forced: boolean,
  memory: RunMemory,
): Promise<Turn> {
  const decision = decide(ports, kept, askingNow(ports, forced))
  if (decision.action !== 'fetch') return leaving(kept, decision)
  const asked = await askAbout(ports, kept, memory)
  if (asked.kind === 'deferred') return leaving(kept, decide(ports, kept, 'over'))
  if (asked.kind === 'failure') return failed(ports, kept, asked.failure)
  return answered(ports, kept, asked)
}

async function answered(
  ports: StaplePorts,
  kept: CertificateState,
  { response, freshUntil }: Extract<Asked, { kind: 'response' }>,
): Promise<Turn> {
  const entry = entryAfter(ports, kept, response, freshUntil)
  const changed = entry.response !== kept.entry.response || entry.state !== kept.entry.state
  const { name, mustStaple } = entry
  const { status, source } = response
  const end = (entry.response ?? response).end.toISOString()
  ports.eventLog.record({ kind: 'fetched', certificate: name, status, end, source, changed, mustStaple })
  if (entry.state === 'withdrawn' && kept.entry.state === 'staple') return { kept, leaving: entry }
  const saved = await save(ports, kept, entry)
  if (saved.unsaved !== undefined) return { ...saved, ...leaving(kept, decide(ports, kept, 'over')) }
  return changed ? { ...saved, did: `${name}: ${status} until ${end}` } : saved
}

/** A revocation is stored however soon its response ends, but not stapled where it would end on the machines. */
function entryAfter(
  ports: StaplePorts,
  kept: CertificateState,
  response: StoredResponse,
  freshUntil: Date | undefined,
): StapleEntry {
  const pace = paceOf(ports.configuration.timing)
  const entry = withResponse(kept.entry, response, kept.setting, pace, freshUntil)
  const { action, reason } = decide(ports, { ...kept, entry }, 'over')
  return action === 'withdraw' ? withdrawn(entry, reason, false) : entry
}

async function failed(ports: StaplePorts, kept: CertificateState, failure: TryFailure): Promise<Turn> {
  const saved = await saveFailure(ports, kept, failure)
  const turn = leaving(saved.kept, decide(ports, saved.kept, 'over'))
  return { ...saved, ...turn, did: `${kept.entry.name}: ${failure.code}: ${failure.detail}` }
}

async function saveFailure(ports: StaplePorts, kept: CertificateState, failure: TryFailure): Promise<Saved> {
  const { code, rule, detail } = failure
  const entry = withFailure(kept.entry, failure, ports.clock.now())
  const { name, mustStaple, failures } = entry
  const facts = { code, detail, failures, mustStaple, ...(rule === undefined ? {} : { rule }) }
  ports.eventLog.record({ kind: 'refused', certificate: name, ...facts })
  return trySaving(ports, kept, entry)
}

/** A response that no parameter can hold is a failure like any other: what is stored stays. */
async function save(ports: StaplePorts, kept: CertificateState, entry: StapleEntry): Promise<Saved> {
  const saved = await trySaving(ports, kept, entry)
  const { error } = saved.unsaved ?? {}
  if (!isRefusal(error, 'staple-too-large')) return saved
  const { code, came: detail } = error
  return saveFailure(ports, kept, { code, detail, kind: 'permanent', remedy: 'none' })
}

function decide(
  { clock, configuration }: StaplePorts,
  kept: CertificateState,
  asking: Moment['asking'],
): StapleDecision {
  return decideStaple(kept, { now: clock.now(), timing: configuration.timing, asking })
}

function askingNow(ports: StaplePorts, forced: boolean): Moment['asking'] {
  if (!mayStillAsk(ports)) return 'over'
  return forced ? 'forced' : 'due'
}

function leaving(kept: CertificateState, { action, reason }: StapleDecision): Turn {
  return action === 'withdraw' ? { kept, leaving: withdrawn(kept.entry, reason, false) } : { kept }
}

function paceOf({ least, most }: StapleTiming): Pace {
  return { least, most }
}
