import { type Cause, type Failures, textOf } from './cause.ts'
import type { ProgramVersion, Release } from './releases.ts'

export interface SentCommand {
  /** Opaque: the sender's own reference. */
  readonly id: string
  readonly sentAt: Date
  /** True once the command was terminal and its results were read. */
  readonly judged: boolean
}

export interface Straggler extends Cause {
  readonly id: string
  /** True if the document ran there, so that it failed rather than was not reached. */
  readonly ran?: true
}

/** How far something has got in the fleet. */
export interface DeliveryState {
  /** The latest commands that brought it, newest last. */
  readonly commands: readonly SentCommand[]
  /** Versions of the program that these brought, newest last: a deploy may change it between two of them. */
  readonly scripts?: readonly string[]
  /** How many commands were ever sent for it. */
  readonly attempts: number
  readonly members: number
  readonly confirmed: number
  /** How many members were not online when the roll was called last. */
  readonly offline?: number
  /** How many of the missing failed; the others were not reached. */
  readonly failed?: number
  /** At most {@link MOST_STRAGGLERS} of the missing, with their causes. */
  readonly stragglers: readonly Straggler[]
  /** How many of all that are missing fail for which cause. */
  readonly failures?: readonly Failures[]
  /** When the fleet was last judged: counts and stragglers are of then. */
  readonly judgedAt?: Date
  /** How many of those that confirmed run which release of their server, where they told. */
  readonly releases?: readonly Release[]
  /** How many of them answered by which version of the machines' program. */
  readonly programs?: readonly ProgramVersion[]
  /** `packHolders` of the roll call: who confirmed. Absent where all did, or where it has no room. */
  readonly holders?: string
  /** Where a command's results are read on from. */
  readonly reading?: Reading
  /** From when on it is sent again to those that lack it. */
  readonly nextAt?: Date
  /** Why the last command could not be sent. */
  readonly unsent?: string
  /** {@link membershipOf} the roll call when the fleet was last judged. */
  readonly membership?: string
  /** When the last member that had to change its keys confirmed; stays when others join that need not. */
  readonly convergedAt?: Date
}

/** A command whose results are read as far as a page: NextToken of ListCommandInvocations. */
export interface Reading {
  readonly command: string
  readonly next: string
}

/** True if every member of the last roll call has confirmed. */
export function isConverged({ convergedAt, members, confirmed }: DeliveryState): boolean {
  return convergedAt !== undefined && confirmed >= members
}

/** True while a command has yet to be judged. */
export function isUnderWay({ commands }: Pick<DeliveryState, 'commands'>): boolean {
  return commands.at(-1)?.judged === false
}

/** Stragglers that a sentence names. */
const MOST_NAMED = 3

/** How many have what, who is missing, and why nothing was sent last, in words. @param held as `hold generation 7`. */
export function standingOf(delivery: DeliveryState, held: string): string {
  const { members, confirmed, stragglers } = delivery
  const named = stragglers.slice(0, MOST_NAMED).map((each) => `${each.id} (${textOf(each)})`)
  const missing = members - confirmed
  const others = missing > MOST_NAMED ? ` and ${missing - MOST_NAMED} more` : ''
  const who = named.length === 0 ? '' : `: ${named.join(', ')}${others}`
  return `${confirmed} of ${members} machines ${held}${who}${unsentOf(delivery)}`
}

/** Why the last command was not sent, to be put behind a sentence. */
export function unsentOf({ unsent }: Pick<DeliveryState, 'unsent'>): string {
  return unsent === undefined ? '' : `; the last command was not sent: ${unsent}`
}

export const MOST_STRAGGLERS = 20
/** As many as are sent at once, and a few before. */
export const MOST_COMMANDS = 14

/** The versions of the program that a machine may have run for it. @param now the one that would be sent now. */
export function scriptsOf({ scripts }: Pick<DeliveryState, 'scripts'>, now: string): readonly string[] {
  return scripts === undefined || scripts.length === 0 ? [now] : scripts
}

const MOST_SCRIPTS = 4

/** These, and the one that is sent now. */
export function withScript(scripts: readonly string[] = [], now: string): readonly string[] {
  return [...scripts.filter((each) => each !== now), now].slice(-MOST_SCRIPTS)
}
