import { TicketringError } from './errors.ts'
import { Fields } from './fields.ts'

/** What an instance did: the first three are a success. */
export const RESULTS = ['applied', 'unchanged', 'reset', 'stale', 'failed'] as const
export type Result = (typeof RESULTS)[number]

/** Why an instance failed: a closed list, each with its heading in `docs/errors.md`. */
export const INSTANCE_ERRORS = [
  'config-invalid',
  'tool-missing',
  'busy',
  'interrupted',
  'no-credentials',
  'access-denied',
  'clock-skew',
  'endpoint-unreachable',
  'secret-missing',
  'no-ring',
  'ring-invalid',
  'ring-mismatch',
  'generation-behind',
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
  'verify-wrong-key',
  'verify-proxy-protocol',
  'verify-client-certificate',
  'tickets-off',
  'lifetime-exceeded',
  'old-ticket-accepted',
] as const
export type InstanceError = (typeof INSTANCE_ERRORS)[number]

/** The one line that the instance's script prints on standard output. */
export interface ResultLine {
  readonly ring: string
  /** Empty only in a failed line: the instance never got as far as reading a ring. */
  readonly lineage: string
  /** 0 only in a failed line, as for `lineage`. */
  readonly generation: number
  readonly server: string
  readonly result: Result
  /** Name of the key the server was seen to encrypt with, 32 hex digits; empty where `verified` is none. */
  readonly encryptsWith: string
  readonly verified: 'handshake' | 'none'
  readonly ms: number
  /** Version of the script: the first 12 hex digits of its SHA-256. */
  readonly script: string
  readonly error?: InstanceError
  readonly detail?: string
}

const FIELDS = [
  'v',
  'ring',
  'lineage',
  'generation',
  'server',
  'result',
  'encryptsWith',
  'verified',
  'ms',
  'script',
  'error',
  'detail',
]

/**
 * Reads what a script left on standard output: exactly one line.
 * @throws TicketringError `result-line-malformed`; the line itself is not repeated in it.
 */
export function parseResultLine(output: string): ResultLine {
  const lines = output.split('\n').filter((line) => line.trim() !== '')
  const [text] = lines
  if (text === undefined || lines.length > 1) {
    throw new TicketringError('result-line-malformed', {
      wanted: 'one result line on standard output',
      came: `${lines.length} lines`,
    })
  }
  const fields = Fields.ofJson(text, 'a result line', 'result-line-malformed', FIELDS)
  if (fields.integer('v', 1) !== 1) fields.refuse('v', 'the number 1')
  const result = fields.oneOf('result', RESULTS)
  const line = {
    ring: fields.string('ring', /^[a-z0-9][a-z0-9-]{0,63}$/, 'a ring name'),
    lineage: fields.string('lineage', /^([0-9a-f-]{36})?$/, 'a UUID'),
    generation: fields.integer('generation', 0),
    server: fields.string('server', /^[a-z0-9-]{0,32}$/, 'a server kind'),
    result,
    encryptsWith: fields.string('encryptsWith', /^([0-9a-f]{32})?$/, '32 hex digits'),
    verified: fields.oneOf('verified', ['handshake', 'none'] as const),
    ms: fields.integer('ms', 0),
    script: fields.string('script', /^[0-9a-f]{12}$/, '12 hex digits'),
  }
  if (result !== 'failed') return line
  return {
    ...line,
    error: fields.oneOf('error', INSTANCE_ERRORS),
    ...(fields.has('detail')
      ? { detail: fields.string('detail', /^[\x20-\x7e]{0,300}$/, 'printable text') }
      : {}),
  }
}

/** The inverse of {@link parseResultLine}. */
export function serialiseResultLine(line: ResultLine): string {
  return JSON.stringify({ v: 1, ...line })
}
