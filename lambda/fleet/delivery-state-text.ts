/** A delivery state as it stands in a delivery record. */
import { excerpt } from '../kernel/excerpt.ts'
import { Fields } from '../kernel/fields.ts'
import { parameterText } from '../kernel/parameter-text.ts'
import type { Failures } from './cause.ts'
import {
  type DeliveryState,
  MOST_STRAGGLERS,
  type Reading,
  type SentCommand,
  type Straggler,
} from './delivery-state.ts'
import type { Baseline } from './expected-members.ts'
import type { ProgramVersion, Release } from './releases.ts'

/** Bytes of a standard parameter. */
const PARAMETER_LIMIT = 4096
const LONGEST_DETAIL = 70
const MALFORMED = 'record-malformed'
const SCRIPT = /^[0-9a-f]{12}$/

/**
 * Leaves out details' ends, then which programs run, then stragglers, then releases, then what can be asked again, until what
 * `write` makes of it fits a standard parameter.
 */
export function fitDeliveryState<D extends DeliveryState>(
  delivered: D,
  write: (fitting: D) => string,
): string {
  const { programs: _, ...told } = delivered
  const { releases: __, ...fewer } = told
  const { holders: ___, reading: ____, ...asked } = fewer
  const fits = (kept: object, most: number) => {
    const stragglers = delivered.stragglers.slice(0, most).map(shorten)
    const text = parameterText(write({ ...(kept as D), stragglers }))
    return Buffer.byteLength(text) < PARAMETER_LIMIT ? text : undefined
  }
  const whole = fits(delivered, MOST_STRAGGLERS)
  if (whole !== undefined) return whole
  for (const kept of [told, fewer, asked]) {
    for (let most = MOST_STRAGGLERS; most >= 0; most -= 5) {
      const text = fits(kept, most)
      if (text !== undefined) return text
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
  'programs',
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
    ...(fields.has('programs') ? { programs: fields.list('programs', parseProgram) } : {}),
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

export function parseScript(value: unknown): string {
  return Fields.of({ script: value }, 'a script', MALFORMED, ['script']).string(
    'script',
    SCRIPT,
    '12 hex digits',
  )
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

function parseProgram(value: unknown): ProgramVersion {
  const fields = Fields.of(value, 'a program', MALFORMED, ['version', 'machines'])
  return {
    version: fields.string('version', SCRIPT, '12 hex digits'),
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
