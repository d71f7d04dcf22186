import { TicketringError } from '../kernel/errors.ts'
import { Fields } from '../kernel/fields.ts'
import { parameterText } from '../kernel/parameter-text.ts'
import { parseLine } from '../kernel/reason.ts'
import { later } from '../kernel/time.ts'

/** What an operator has set for a while: it ends by itself. */
export interface SetUntil {
  readonly until: Date
  readonly reason: string
  /** Who set it, in that operator's own word. */
  readonly by: string
}

/** A machine that does not hold the others up. */
export interface Quarantine extends SetUntil {
  readonly instance: string
}

/** A document that machines are to go back from; one that a deploy brings after it is another. */
export interface RolledBack {
  readonly document: string
  readonly reason: string
  readonly by: string
}

/** What operators have set for one ring. */
export interface Control {
  /** No new generation until then, but for a revoke. */
  readonly paused?: SetUntil
  readonly rolledBack?: RolledBack
  readonly quarantine: readonly Quarantine[]
}

export const NOTHING_SET: Control = { quarantine: [] }

const MALFORMED = 'control-malformed'
const DAY = 24 * 3600
/** For how long anything may be set (s): what is forgotten ends by itself. */
export const LONGEST_SET = 7 * DAY
/** Seconds that the clocks of an operator and of Parameter Store may differ. */
const CLOCKS_DIFFER = 300
const MOST_BY = 100
/** Bytes of a standard parameter. */
const PARAMETER_LIMIT = 4096
/** Source: CreateDocument, Name. */
const DOCUMENT = /^[A-Za-z0-9_.-]{3,128}$/
/** An id of EC2, or of a hybrid machine. */
export const INSTANCE = /^m?i-[0-9a-f]{1,17}$/

/**
 * What an operator wrote, by this program or by hand.
 * @param modifiedAt when: nothing is set for longer than {@link LONGEST_SET} from then.
 * @throws TicketringError `control-malformed`.
 */
export function parseControl(text: string, modifiedAt: Date): Control {
  const fields = Fields.ofJson(text, 'a control parameter', MALFORMED, [
    'version',
    'paused',
    'rolledBack',
    'quarantine',
  ])
  if (fields.integer('version', 1) !== 1) fields.refuse('version', 'the number 1')
  const latest = later(modifiedAt, LONGEST_SET + CLOCKS_DIFFER)
  const quarantine = fields.has('quarantine')
    ? fields.list('quarantine', (each) => parseQuarantine(each, latest))
    : []
  const ids = quarantine.map(({ instance }) => instance)
  if (new Set(ids).size < ids.length) fields.refuse('quarantine', 'a list that names each machine once')
  return {
    ...(fields.has('paused') ? { paused: parsePause(fields.raw('paused'), latest) } : {}),
    ...(fields.has('rolledBack') ? { rolledBack: parseRolledBack(fields.raw('rolledBack')) } : {}),
    quarantine,
  }
}

function parseRolledBack(value: unknown): RolledBack {
  const fields = Fields.of(value, 'rolledBack', MALFORMED, ['document', 'reason', 'by'])
  const document = fields.string('document', DOCUMENT, 'the name of a document')
  return { document, reason: parseLine(fields, 'reason'), by: parseLine(fields, 'by', MOST_BY) }
}

function parsePause(value: unknown, latest: Date): SetUntil {
  return parseSet(Fields.of(value, 'paused', MALFORMED, ['until', 'reason', 'by']), latest)
}

function parseQuarantine(value: unknown, latest: Date): Quarantine {
  const fields = Fields.of(value, 'a machine in quarantine', MALFORMED, ['instance', 'until', 'reason', 'by'])
  return { instance: fields.string('instance', INSTANCE, "a machine's id"), ...parseSet(fields, latest) }
}

function parseSet(fields: Fields, latest: Date): SetUntil {
  const until = fields.time('until')
  if (until > latest) {
    const shape = `a time within 7 days of the writing, ${latest.toISOString()} at the latest`
    fields.refuse('until', shape, until.toISOString())
  }
  return { until, reason: parseLine(fields, 'reason'), by: parseLine(fields, 'by', MOST_BY) }
}

/**
 * The inverse of {@link parseControl}.
 * @throws TicketringError `request-invalid` where it is more than a parameter holds.
 */
export function serialiseControl({ quarantine, ...others }: Control): string {
  const text = parameterText(JSON.stringify({ version: 1, ...others, quarantine }))
  if (Buffer.byteLength(text) <= PARAMETER_LIMIT) return text
  throw new TicketringError('request-invalid', {
    wanted: `a control parameter of ${PARAMETER_LIMIT} bytes at most`,
    came: `${Buffer.byteLength(text)}`,
    fix: 'Give shorter reasons, or take machines out of quarantine',
  })
}

/** Without what has ended. @param document that would be sent now. */
export function inForce({ paused, rolledBack, quarantine }: Control, now: Date, document: string): Control {
  return {
    ...(rolledBack?.document === document ? { rolledBack } : {}),
    ...(paused !== undefined && paused.until > now ? { paused } : {}),
    quarantine: quarantine.filter(({ until }) => until > now),
  }
}

/** A pause in a sentence. */
export function pauseText({ until, reason, by }: SetUntil): string {
  return `paused until ${until.toISOString()} by ${by}: ${reason}`
}
