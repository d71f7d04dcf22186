import { TicketringError } from '../kernel/errors.ts'
import { Fields } from '../kernel/fields.ts'
import { type Cause, objected } from './cause.ts'

const MALFORMED = 'result-line-malformed'

/** Why a run failed, beside what is a matter of rings or of staples alone. */
export const COMMON_ERRORS = [
  'config-invalid',
  'tool-missing',
  'busy',
  'held-on-machine',
  'interrupted',
  'no-credentials',
  'access-denied',
  'clock-skew',
  'endpoint-unresolved',
  'endpoint-unreachable',
  'endpoint-tls',
  'endpoint-proxy',
  'throttled',
  'path-unsafe',
  'program-damaged',
  'program-unsafe',
  'program-missing',
  'not-tmpfs',
  'disk-full',
  'write-failed',
  'server-not-running',
  'socket-refused',
  'socket-not-admin',
  'socket-unexpected',
  'config-test-failed',
  'reload-deferred',
  'config-changed-by-others',
  'reload-failed',
  'reload-not-taken',
  'verify-unreachable',
  'verify-proxy-protocol',
  'verify-client-certificate',
  'internal-error',
] as const
export type CommonError = (typeof COMMON_ERRORS)[number]

/** What every result line says, whichever run printed it. */
export interface ScriptOutput {
  /** Kind of the server; empty where the run did not get as far. */
  readonly server: string
  readonly verified: 'handshake' | 'none'
  readonly ms: number
  /** Version of the program: the first 12 hex digits of its SHA-256. */
  readonly script: string
  /** Version of the running server, where it told. */
  readonly serverVersion?: string
}

/** What runs on an instance: the program that answered, and the server, where it told its version. */
export type Serving = Partial<Pick<ScriptOutput, 'server' | 'serverVersion' | 'script'>>

export function servingOf({ server, serverVersion, script }: ScriptOutput): Serving {
  return { script, ...(serverVersion === undefined ? {} : { server, serverVersion }) }
}

const COMMON_FIELDS = [
  'v',
  'result',
  'server',
  'verified',
  'ms',
  'script',
  'serverVersion',
  'error',
  'detail',
  'retryAfter',
]

/** What a capability's own line is made of, beside the fields that all have. */
export interface LineShape<R extends string, E extends string, O> {
  readonly own: readonly string[]
  readonly results: readonly R[]
  readonly errors: readonly E[]
  readonly read: (fields: Fields) => O
}

/** Of a line whose result is `failed`. */
export interface Failed<E> {
  readonly error?: E
  readonly detail?: string
  /** Seconds after which it may go well, where the machine knows. */
  readonly retryAfter?: number
}

export type Line<R extends string, E extends string, O> = O &
  ScriptOutput & { readonly result: R } & Failed<E>

/**
 * Reads what the program left on standard output: exactly one line.
 * @throws TicketringError `result-line-malformed`; the line itself is not repeated in it.
 */
export function parseLine<R extends string, E extends string, O>(
  output: string,
  { own, results, errors, read }: LineShape<R, E, O>,
): Line<R, E, O> {
  const fields = readLine(output, own)
  const result = fields.oneOf('result', results)
  const failure = result === 'failed' || result === 'local-ring' ? parseFailure(fields, errors) : {}
  return { ...read(fields), result, ...parseScriptOutput(fields), ...failure }
}

/** The inverse of {@link parseLine}. */
export function serialiseLine<L extends ScriptOutput>(line: L): string {
  return JSON.stringify({ v: 1, ...line })
}

function readLine(output: string, own: readonly string[]): Fields {
  const lines = output.split('\n').filter((line) => line.trim() !== '')
  const [line] = lines
  if (line === undefined || lines.length > 1) {
    throw new TicketringError(MALFORMED, {
      wanted: 'one result line on standard output',
      came: `${lines.length} lines`,
    })
  }
  const fields = Fields.ofJson(line, 'a result line', MALFORMED, [...COMMON_FIELDS, ...own])
  if (fields.integer('v', 1) !== 1) fields.refuse('v', 'the number 1')
  return fields
}

function parseScriptOutput(fields: Fields): ScriptOutput {
  return {
    server: fields.string('server', /^[a-z0-9-]{0,32}$/, 'a server kind'),
    verified: fields.oneOf('verified', ['handshake', 'none'] as const),
    ms: fields.integer('ms', 0),
    script: fields.string('script', /^[0-9a-f]{12}$/, '12 hex digits'),
    ...(fields.has('serverVersion')
      ? { serverVersion: fields.string('serverVersion', /^[\w.+~-]{1,64}$/, 'a version') }
      : {}),
  }
}

function parseFailure<E extends string>(fields: Fields, errors: readonly E[]): Failed<E> {
  return {
    error: fields.oneOf('error', errors),
    ...(fields.has('detail')
      ? { detail: fields.string('detail', /^[\x20-\x7e]{0,300}$/, 'printable text') }
      : {}),
    ...(fields.has('retryAfter') ? { retryAfter: fields.integer('retryAfter', 1) } : {}),
  }
}

/** Why a failed line says that it failed. */
export function causeOf({ error, detail, retryAfter }: Failed<string>): Cause {
  const due = retryAfter === undefined ? {} : { retryAfter }
  return { code: error ?? 'internal-error', detail: detail ?? '', ...due }
}

/** It ran a program that no command brought. */
export function otherScript({ script }: Pick<ScriptOutput, 'script'>, wanted: readonly string[]): Cause {
  return objected(`ran script ${script}, not ${wanted.join(' or ')}`)
}
