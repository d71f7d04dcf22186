import { COMMON_ERRORS, type Failed, parseLine, type ScriptOutput } from '../fleet/result-line.ts'

/**
 * What an instance did: the first three are a success. `local-ring`: it could fetch none, and serves with random keys of
 * its own.
 */
const RESULTS = ['applied', 'unchanged', 'reset', 'stale', 'failed', 'local-ring'] as const
export type Result = (typeof RESULTS)[number]

/** Why an instance failed: a closed list, each with its heading in `docs/errors.md`. */
export const INSTANCE_ERRORS = [
  ...COMMON_ERRORS,
  'secret-missing',
  'no-ring',
  'ring-invalid',
  'ring-mismatch',
  'generation-behind',
  'verify-wrong-key',
  'tickets-off',
  'lifetime-exceeded',
  'old-ticket-accepted',
  'auth-bypass',
  'health-check-failed',
  'local-ring',
  'ring-stale',
] as const
export type InstanceError = (typeof INSTANCE_ERRORS)[number]

/** What a run that only looked would have come to. */
const PROSPECTS = ['applied', 'unchanged', 'reset'] as const
export type Prospect = (typeof PROSPECTS)[number]

/** `none`: no hook waited for the instance. */
const LAUNCHES = ['completed', 'none', 'failed'] as const
export type Launch = (typeof LAUNCHES)[number]

/** The one line that a run for a ring prints on standard output. */
export interface ResultLine extends ScriptOutput, Failed<InstanceError> {
  readonly ring: string
  /** Empty only in a line that has an error: the instance never got as far as reading a ring. */
  readonly lineage: string
  /** 0 only in such a line, as for `lineage`. */
  readonly generation: number
  readonly result: Result
  /** Name of the key the server was seen to encrypt with, 32 hex digits; empty where `verified` is none. */
  readonly encryptsWith: string
  /** The longest lifetime of a ticket that one of its listeners announced, in seconds (RFC 5077 §3.3, RFC 8446 §4.6.1). */
  readonly lifetime?: number
  /** Its generation, where the instance's timer brought it and not a command. */
  readonly pulled?: number
  /** True where the ring took the place of one of the instance's own. */
  readonly afterLocalRing?: boolean
  /** How often it was put right where it had been changed meanwhile, this run included, since a command told last. */
  readonly drifted?: number
  /** The run only looked: nothing was loaded, and the line is no confirmation. */
  readonly mode?: 'observe'
  /** What a run that loads would have come to, as far as can be told without loading; of such a line that is no failure. */
  readonly would?: Prospect
  /** True where a listener encrypts with a key of this ring, of such a line. */
  readonly inUse?: true
  /** What became of its launch hook in its Auto Scaling group, where it had one to complete. */
  readonly launch?: Launch
  /** How many processes of its server hold keys that the ring no longer has, where it shows them. */
  readonly oldProcesses?: number
  /** And since when the oldest of them has run, in seconds. */
  readonly oldestSeconds?: number
}

const OWN = [
  'ring',
  'lineage',
  'generation',
  'encryptsWith',
  'lifetime',
  'pulled',
  'afterLocalRing',
  'drifted',
  'launch',
  'mode',
  'would',
  'inUse',
  'oldProcesses',
  'oldestSeconds',
] as const

/** As `parseLine`. @throws TicketringError `result-line-malformed`. */
export function parseResultLine(output: string): ResultLine {
  return parseLine(output, {
    own: OWN,
    results: RESULTS,
    errors: INSTANCE_ERRORS,
    read: (fields) => ({
      ring: fields.name('ring', 'a ring name'),
      lineage: fields.string('lineage', /^([0-9a-f-]{36})?$/, 'a UUID'),
      generation: fields.integer('generation', 0),
      encryptsWith: fields.string('encryptsWith', /^([0-9a-f]{32})?$/, '32 hex digits'),
      ...(fields.has('lifetime') ? { lifetime: fields.integer('lifetime', 1) } : {}),
      ...(fields.has('pulled') ? { pulled: fields.integer('pulled', 1) } : {}),
      ...(fields.has('oldProcesses') ? { oldProcesses: fields.integer('oldProcesses', 1) } : {}),
      ...(fields.has('oldestSeconds') ? { oldestSeconds: fields.integer('oldestSeconds', 0) } : {}),
      ...(fields.has('afterLocalRing') ? { afterLocalRing: fields.boolean('afterLocalRing') } : {}),
      ...(fields.has('drifted') ? { drifted: fields.integer('drifted', 1) } : {}),
      ...(fields.has('mode') ? { mode: fields.oneOf('mode', ['observe'] as const) } : {}),
      ...(fields.has('would') ? { would: fields.oneOf('would', PROSPECTS) } : {}),
      ...(fields.has('inUse') && fields.boolean('inUse') ? { inUse: true as const } : {}),
      ...(fields.has('launch') ? { launch: fields.oneOf('launch', LAUNCHES) } : {}),
    }),
  })
}
