import { COMMON_ERRORS, type Failed, parseLine, type ScriptOutput } from '../fleet/result-line.ts'

/** What an instance did with staples: the first two are a success. */
const STAPLE_RESULTS = ['applied', 'unchanged', 'failed'] as const
type StapleResult = (typeof STAPLE_RESULTS)[number]

/** Why an instance failed: a closed list, each with its heading in `docs/errors.md`. */
export const STAPLE_ERRORS = [
  ...COMMON_ERRORS,
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

/** The one line that a run for staples prints on standard output. Counts are of this machine's own certificates. */
export interface StapleLine extends ScriptOutput, Failed<StapleError> {
  /** Name of the set. */
  readonly staples: string
  readonly result: StapleResult
  /** Responses put in place, and removed, by this run. */
  readonly installed: number
  readonly withdrawn: number
  /** Certificates that have their staple now. */
  readonly held: number
  /** How many were put right that had been changed meanwhile, this run included, since a command told last. */
  readonly drifted?: number
}

/** As `parseLine`. @throws TicketringError `result-line-malformed`. */
export function parseStapleLine(output: string): StapleLine {
  return parseLine(output, {
    own: ['staples', 'installed', 'withdrawn', 'held', 'drifted'],
    results: STAPLE_RESULTS,
    errors: STAPLE_ERRORS,
    read: (fields) => ({
      staples: fields.name('staples', 'a name of a set'),
      installed: fields.integer('installed', 0),
      withdrawn: fields.integer('withdrawn', 0),
      held: fields.integer('held', 0),
      ...(fields.has('drifted') ? { drifted: fields.integer('drifted', 1) } : {}),
    }),
  })
}
