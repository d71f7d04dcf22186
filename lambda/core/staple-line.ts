import { TicketringError } from './errors.ts'
import { Fields } from './fields.ts'

/** What an instance did with staples: the first two are a success. */
export const STAPLE_RESULTS = ['applied', 'unchanged', 'failed'] as const
export type StapleResult = (typeof STAPLE_RESULTS)[number]

/** Why an instance failed: a closed list, each with its heading in `docs/errors.md`. */
export const STAPLE_ERRORS = [
  // As for a ring
  'config-invalid',
  'tool-missing',
  'busy',
  'interrupted',
  'no-credentials',
  'access-denied',
  'clock-skew',
  'endpoint-unreachable',
  'not-tmpfs',
  'disk-full',
  'write-failed',
  'server-not-running',
  'socket-refused',
  'socket-not-admin',
  'socket-unexpected',
  'config-test-failed',
  'reload-failed',
  'verify-unreachable',
  'verify-proxy-protocol',
  'verify-client-certificate',
  // Of staples
  'certificate-unreadable',
  'staple-malformed',
  'staple-not-stored',
  'staple-mismatch',
  'staple-wrong-certificate',
  'staple-expired',
  'staple-refused',
  'verify-no-staple',
  'verify-wrong-staple',
  'verify-still-stapled',
] as const
export type StapleError = (typeof STAPLE_ERRORS)[number]

/** The one line that `apply-staple.sh` prints on standard output. Counts are of this machine's own certificates. */
export interface StapleLine {
  /** Name of the set. */
  readonly staples: string
  readonly server: string
  readonly result: StapleResult
  /** Responses put in place, and removed, by this run. */
  readonly installed: number
  readonly withdrawn: number
  /** Certificates that have their staple now. */
  readonly held: number
  readonly verified: 'handshake' | 'none'
  readonly ms: number
  /** Version of the script: the first 12 hex digits of its SHA-256. */
  readonly script: string
  readonly error?: StapleError
  readonly detail?: string
}

const MALFORMED = 'result-line-malformed'

/**
 * Reads what a script left on standard output: exactly one line.
 * @throws TicketringError `result-line-malformed`; the line itself is not repeated in it.
 */
export function parseStapleLine(output: string): StapleLine {
  const lines = output.split('\n').filter((each) => each.trim() !== '')
  const [line] = lines
  if (line === undefined || lines.length > 1) {
    throw new TicketringError(MALFORMED, {
      wanted: 'one result line on standard output',
      came: `${lines.length} lines`,
    })
  }
  const fields = Fields.ofJson(line, 'a result line', MALFORMED, [
    'v',
    'staples',
    'server',
    'result',
    'installed',
    'withdrawn',
    'held',
    'verified',
    'ms',
    'script',
    'error',
    'detail',
  ])
  if (fields.integer('v', 1) !== 1) fields.refuse('v', 'the number 1')
  const result = fields.oneOf('result', STAPLE_RESULTS)
  return {
    staples: fields.string('staples', /^[a-z0-9][a-z0-9-]{0,63}$/, 'a name of a set'),
    server: fields.string('server', /^[a-z0-9-]{0,32}$/, 'a server kind'),
    result,
    installed: fields.integer('installed', 0),
    withdrawn: fields.integer('withdrawn', 0),
    held: fields.integer('held', 0),
    verified: fields.oneOf('verified', ['handshake', 'none'] as const),
    ms: fields.integer('ms', 0),
    script: fields.string('script', /^[0-9a-f]{12}$/, '12 hex digits'),
    ...(result === 'failed' ? parseTrouble(fields) : {}),
  }
}

function parseTrouble(fields: Fields): Pick<StapleLine, 'error' | 'detail'> {
  return {
    error: fields.oneOf('error', STAPLE_ERRORS),
    ...(fields.has('detail')
      ? { detail: fields.string('detail', /^[\x20-\x7e]{0,300}$/, 'printable text') }
      : {}),
  }
}

/** The inverse of {@link parseStapleLine}. */
export function serialiseStapleLine(line: StapleLine): string {
  return JSON.stringify({ v: 1, ...line })
}
