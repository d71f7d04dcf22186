import { excerpt } from '../kernel/excerpt.ts'
import { Fields } from '../kernel/fields.ts'
import { parameterText } from '../kernel/parameter-text.ts'
import { type Cause, type Failures, textOf } from './cause.ts'
import type { Baseline } from './expected-members.ts'
import type { Release } from './releases.ts'

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
/** Bytes of a standard parameter. */
const PARAMETER_LIMIT = 4096
const LONGEST_DETAIL = 70
const MALFORMED = 'record-malformed'
const SCRIPT = /^[0-9a-f]{12}$/

/**
 * Leaves out details' ends, then stragglers, then releases, then what can be asked again, until what `write` makes of it
 * fits a standard parameter.
 */
export function fitDeliveryState<D extends DeliveryState>(
  delivered: D,
  write: (fitting: D) => string,
): string {
  const { releases: _, ...fewer } = delivered
  const { holders: __, reading: ___, ...asked } = fewer
  for (const kept of [delivered, fewer as D, asked as D]) {
    for (let most = MOST_STRAGGLERS; most >= 0; most -= 5) {
      const stragglers = delivered.stragglers.slice(0, most).map(shorten)
      const text = parameterText(write({ ...kept, stragglers }))
      if (Buffer.byteLength(text) < PARAMETER_LIMIT) return text
    }
  }
  throw new RangeError('a delivery record without stragglers exceeds a parameter')
}

function shorten(straggler: Straggler): Straggler {
  return { ...straggler, detail: excerpt(straggler.detail, LONGEST_DETAIL) }
}

/** Fields of {@link DeliveryState}, to be named as allowed. */
export const DELIVERY_STATE_FIELDS = [
  'commands',
  'scripts',
  'attempts',
  'members',
  'confirmed',
  'offline',
  'failed',
  'stragglers',
  'failures',
  'judgedAt',
  'releases',
  'holders',
  'reading',
  'nextAt',
  'unsent',
  'membership',
  'convergedAt',
] as const

export function parseDeliveryState(fields: Fields): DeliveryState {
  return {
    commands: fields.list('commands', parseCommand),
    ...(fields.has('scripts') ? { scripts: fields.list('scripts', parseScript) } : {}),
    attempts: fields.integer('attempts', 0),
    members: fields.integer('members', 0),
    confirmed: fields.integer('confirmed', 0),
    ...(fields.has('offline') ? { offline: fields.integer('offline', 0) } : {}),
    ...(fields.has('failed') ? { failed: fields.integer('failed', 0) } : {}),
    stragglers: fields.list('stragglers', parseStraggler),
    ...(fields.has('failures') ? { failures: fields.list('failures', parseFailures) } : {}),
    ...(fields.has('judgedAt') ? { judgedAt: fields.time('judgedAt') } : {}),
    ...(fields.has('releases') ? { releases: fields.list('releases', parseRelease) } : {}),
    ...(fields.has('holders') ? { holders: fields.string('holders') } : {}),
    ...(fields.has('reading') ? { reading: parseReading(fields.raw('reading')) } : {}),
    ...(fields.has('nextAt') ? { nextAt: fields.time('nextAt') } : {}),
    ...(fields.has('unsent') ? { unsent: fields.string('unsent') } : {}),
    ...(fields.has('membership') ? { membership: fields.string('membership') } : {}),
    ...(fields.has('convergedAt') ? { convergedAt: fields.time('convergedAt') } : {}),
  }
}

function parseCommand(value: unknown): SentCommand {
  const fields = Fields.of(value, 'a command', MALFORMED, ['id', 'sentAt', 'judged'])
  return { id: fields.string('id'), sentAt: fields.time('sentAt'), judged: fields.boolean('judged') }
}

function parseScript(value: unknown): string {
  return Fields.of({ script: value }, 'a script', MALFORMED, ['script']).string(
    'script',
    SCRIPT,
    '12 hex digits',
  )
}

/** The versions of the program that a machine may have run for it. @param now the one that would be sent now. */
export function scriptsOf({ scripts }: Pick<DeliveryState, 'scripts'>, now: string): readonly string[] {
  return scripts === undefined || scripts.length === 0 ? [now] : scripts
}

const MOST_SCRIPTS = 4

/** These, and the one that is sent now. */
export function withScript(scripts: readonly string[] = [], now: string): readonly string[] {
  return [...scripts.filter((each) => each !== now), now].slice(-MOST_SCRIPTS)
}

function parseStraggler(value: unknown): Straggler {
  const fields = Fields.of(value, 'a straggler', MALFORMED, ['id', 'code', 'detail', 'ran', 'retryAfter'])
  const ran = fields.has('ran') && fields.boolean('ran')
  return {
    id: fields.string('id'),
    code: fields.string('code'),
    detail: fields.string('detail', /^/, 'text'),
    ...(ran ? { ran } : {}),
    ...(fields.has('retryAfter') ? { retryAfter: fields.integer('retryAfter', 1) } : {}),
  }
}

function parseRelease(value: unknown): Release {
  const fields = Fields.of(value, 'a release', MALFORMED, ['server', 'version', 'machines'])
  return {
    server: fields.string('server'),
    version: fields.string('version'),
    machines: fields.integer('machines', 1),
  }
}

function parseReading(value: unknown): Reading {
  const fields = Fields.of(value, 'reading', MALFORMED, ['command', 'next'])
  return { command: fields.string('command'), next: fields.string('next') }
}

export function parseBaseline(value: unknown): Baseline {
  const fields = Fields.of(value, 'baseline', MALFORMED, ['members', 'at', 'fewerSince'])
  return {
    members: fields.integer('members', 0),
    at: fields.time('at'),
    ...(fields.has('fewerSince') ? { fewerSince: fields.time('fewerSince') } : {}),
  }
}

function parseFailures(value: unknown): Failures {
  const fields = Fields.of(value, 'failures', MALFORMED, ['code', 'machines'])
  return { code: fields.string('code'), machines: fields.integer('machines', 1) }
}
