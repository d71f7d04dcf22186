import { counted } from '../../lambda/kernel/count.ts'
import {
  parseRotationConfiguration,
  ROTATION_VARIABLE,
  type RotationConfiguration,
  serialiseRotationConfiguration,
} from '../../lambda/ring/configuration.ts'
import {
  parseStapleConfiguration,
  STAPLES_VARIABLE,
  type StapleConfiguration,
  type StapleTiming,
  serialiseStapleConfiguration,
} from '../../lambda/staples/configuration.ts'
import type { DurationOverride, Timed } from '../aws/contract.ts'
import { type Fleet, type Kind, kindsOf, sizeOf, TERMINATORS } from './machines/kinds.ts'
import type { Terminator } from './machines/machine.ts'

/** The durations of a rehearsal, in seconds: the one thing that differs from what is deployed. */
export interface Timing {
  /** T */
  readonly every: number
  /** L */
  readonly ticketLifetime: number
  readonly tick: number
  /** From one run of State Manager's association to the next. */
  readonly association: number
}

const FIXED: Omit<Timing, 'every'> = { ticketLifetime: 3, tick: 2, association: 60 }

/** The slowest of a fleet's kinds says how soon a rotation, and a run of State Manager, may follow another. */
export function timingFor(fleet: Fleet): Timing {
  const every = Math.max(...kindsOf(fleet).map((kind) => turnsOf(fleet, kind) * TERMINATORS[kind].pace))
  return { ...FIXED, every, association: Math.max(FIXED.association, every) }
}

/** Percent of a fleet that a first wave reaches at a time: a tenth of a few machines is one, and some kinds take minutes. */
export const WAVE = 25

/** So often a command comes to machines of a kind that it serves for minutes. */
function turnsOf(fleet: Fleet, kind: Kind): number {
  if (startOf(kind) === 0) return 1
  return Math.ceil((fleet[kind] ?? 0) / Math.max(1, Math.floor((sizeOf(fleet) * WAVE) / 100)))
}

function startOf(kind: Kind): number {
  const { start = 0 }: Terminator = TERMINATORS[kind]
  return start
}

/** Seconds that the fleet's first ring takes, for what its kinds themselves take their time. */
function startingTimeOf(fleet: Fleet): number {
  return Math.max(...kindsOf(fleet).map((kind) => turnsOf(fleet, kind) * startOf(kind)))
}

/** Seconds that a convergence may take while processors have much else to do: lighttpd then passes looks over. */
export function patienceWith(fleet: Fleet): number {
  return 300 + 2 * startingTimeOf(fleet)
}

/** How long a run will take, and which kinds make it long, for who waits for it. */
export function outlookOf(fleet: Fleet, { every }: Timing, rotations: number): string {
  const slow = kindsOf(fleet).map((kind) => TERMINATORS[kind])
  const reasons = slow.filter(({ pacedBy }) => pacedBy !== '').map(({ pacedBy }) => pacedBy)
  const minutes = Math.ceil((SETTING_UP + startingTimeOf(fleet) + rotations * every) / 60)
  const why = reasons.length === 0 ? '' : `, since ${reasons.join(' and ')}`
  return `a rotation every ${every} s or longer${why}: about ${counted(minutes, 'minute')} for ${counted(rotations, 'rotation')}`
}

/** Seconds before the first rotation and after the last one, as measured with five machines. */
const SETTING_UP = 45

/** Durations of the staples in a rehearsal, in seconds: a responder is asked as often as the function ever asks one. */
const STAPLES = { tick: 6, least: 60, most: 240 } as const
/**
 * Minutes that the responder's answers live: the function leaves five of them to HAProxy, which drops a staple that long
 * before its end.
 */
export const RESPONSE_MINUTES = 15

/** Shortens durations for a rehearsal; {@link Override.settle} gives the functions their own intervals back. */
export class Override implements DurationOverride {
  /** What the template configures, by function name. */
  readonly configured = new Map<string, RotationConfiguration>()
  /** What the template configures of staples, by function name. */
  readonly configuredStaples = new Map<string, StapleConfiguration>()
  readonly #timing: Timing
  readonly #bend: (configuration: RotationConfiguration) => RotationConfiguration
  #settled = false
  #keyAge = PATIENT

  /** @param bend what a test does to a function's durations beyond that. */
  constructor(
    timing: Timing,
    bend: (configuration: RotationConfiguration) => RotationConfiguration = (same) => same,
  ) {
    this.#timing = timing
    this.#bend = bend
  }

  /** From now on functions rotate and refresh as seldom as configured: what is due by hand alone happens. */
  settle(): void {
    this.#settled = true
  }

  /** From now on a ring may be so many intervals old. */
  limitKeyAge(intervals: number = PATIENT): void {
    this.#keyAge = intervals
  }

  /** Seconds. */
  get maxKeyAge(): number {
    return this.#keyAge * this.#timing.every
  }

  period(seconds: number, { kind, name }: Pick<Timed, 'kind' | 'name'>): number {
    if (kind === 'association') return this.#timing.association
    if (isOfStaples(name)) return STAPLES.tick
    // The reconcile tick is the schedule that fires more often than any ring may rotate.
    return seconds < LEAST_INTERVAL ? this.#timing.tick : this.#timing.every
  }

  environment(
    variables: Readonly<Record<string, string>>,
    { name }: { readonly name: string },
  ): Readonly<Record<string, string>> {
    const rotation = variables[ROTATION_VARIABLE]
    if (rotation !== undefined) return { ...variables, [ROTATION_VARIABLE]: this.#shorten(rotation, name) }
    const staples = variables[STAPLES_VARIABLE]
    if (staples !== undefined) return { ...variables, [STAPLES_VARIABLE]: this.#hasten(staples, name) }
    return variables
  }

  #shorten(text: string, name: string): string {
    const configuration = parseRotationConfiguration(text)
    if (!this.configured.has(name)) this.configured.set(name, configuration)
    const timing = { ...configuration.timing, ...this.#shortened() }
    const { canary } = configuration
    const soaking = canary === undefined ? {} : { canary: { ...canary, soak: SOAK } }
    return serialiseRotationConfiguration(this.#bend({ ...configuration, timing, ...soaking }))
  }

  #hasten(text: string, name: string): string {
    const configuration = parseStapleConfiguration(text)
    if (!this.configuredStaples.has(name)) this.configuredStaples.set(name, configuration)
    const timing = { ...configuration.timing, ...(this.#settled ? { tick: STAPLES.tick } : STAPLES) }
    return serialiseStapleConfiguration({ ...configuration, timing })
  }

  #shortened(): Partial<RotationConfiguration['timing']> {
    const { every, ticketLifetime, tick } = this.#timing
    if (this.#settled) return { ticketLifetime, tick }
    return { every, ticketLifetime, tick, maxKeyAge: this.maxKeyAge, window: WINDOW }
  }
}

/** Whether a schedule looks after staples: a set's schedules are named after its function. */
export function isOfStaples(name: string): boolean {
  return /^ticketring-.+-staples-/.test(name)
}

/**
 * Seconds by which a rotation may come before T has passed: as long as the one before it may have taken from its schedule to its
 * commit, else each would miss its time by that, and a tick would have to take it up.
 */
const WINDOW = 1

/** Seconds from the canary's proof until the others follow. */
const SOAK = 3

/** maxKeyAge in intervals: a processor that has too much to do must not pass for a machine that is gone. */
const PATIENT = 20

/** The shortest interval that a ring may have (design: 30 minutes), in seconds. */
const LEAST_INTERVAL = 1800

/** The override in a sentence, for the summary. */
export function timingInWords(shown: Timing, configured: RotationConfiguration | undefined): string {
  const was = (seconds: number | undefined) =>
    seconds === undefined ? '' : ` (configured: ${inWords(seconds)})`
  const timing = configured?.timing
  const canary = configured?.canary
  return (
    `T ${shown.every} s${was(timing?.every)}, L ${shown.ticketLifetime} s${was(timing?.ticketLifetime)}, ` +
    `tick ${shown.tick} s${was(timing?.tick)}, window ${WINDOW} s${was(timing?.window)}, maxKeyAge ${PATIENT * shown.every} s${was(timing?.maxKeyAge)}${canary === undefined ? '' : `, soak of the canary ${SOAK} s${was(canary.soak)}`}, associations every ${shown.association} s, first waves to ${WAVE} % of the machines at a time, reloads of nginx as soon as they are due, mode enforce`
  )
}

/** The override of the staples' durations in a sentence, for the summary. */
export function stapleTimingInWords(timing: StapleTiming | undefined): string {
  const was = (seconds: number | undefined) =>
    seconds === undefined ? '' : ` (configured: ${inWords(seconds)})`
  return (
    `a look every ${STAPLES.tick} s${was(timing?.tick)}, a refresh after ${STAPLES.least} s${was(timing?.least)} ` +
    `to ${STAPLES.most} s${was(timing?.most)}; the responder's answers live ${RESPONSE_MINUTES} min`
  )
}

function inWords(seconds: number): string {
  if (seconds % 3600 === 0) return `${seconds / 3600} h`
  return seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`
}
