import { excerpt } from './excerpt.ts'
import { REMEDIES } from './remedies.ts'

/** Every reason this system refuses something. `docs/errors.md` has a heading for each; a test says so. */
export const ERROR_CODES = [
  // A fault of ours, kept to what it concerns
  'internal-error',
  // What a caller sent
  'request-invalid',
  'read-only',
  'configuration-invalid',
  'token-unknown',
  // The secret and its labels
  'ring-malformed',
  'ring-of-another-schema',
  'ring-of-another-name',
  'key-weak',
  'key-repeated',
  'secret-missing',
  'secret-without-current',
  'version-conflict',
  'label-moved',
  'label-refused',
  'staged-ring-dead',
  'rotation-not-enabled',
  'rotation-in-progress',
  'rotation-held',
  'revoke-not-won',
  // The fleet
  'record-malformed',
  'control-malformed',
  'control-contended',
  'calendar-unknown',
  'result-line-malformed',
  'document-unknown',
  'instance-invalid',
  'access-denied',
  'throttled',
  // The way to AWS
  'aws-unresolved',
  'aws-unreachable',
  'aws-reset',
  'aws-timeout',
  'aws-tls',
  'aws-unavailable',
  'aws-credentials',
  'aws-refused',
  // OCSP
  'der-malformed',
  'certificate-malformed',
  // Staples: the inventory and the store
  'certificate-unknown',
  'chain-missing',
  'chain-upside-down',
  'issuer-missing',
  'store-unreadable',
  'staple-malformed',
  'staple-missing',
  'staple-too-large',
  'staple-contended',
  // Staples: the way to a responder
  'url-forbidden',
  'address-forbidden',
  'redirect-forbidden',
  'redirect-loop',
  'responder-unresolved',
  'responder-unreachable',
  'responder-reset',
  'responder-timeout',
  'responder-tls',
  'responder-not-http',
  'proxy-refused',
  'response-oversize',
  // Staples: what it answered
  'responder-http-error',
  'responder-content-type',
  'responder-malformed-request',
  'responder-internal-error',
  'responder-try-later',
  'responder-sig-required',
  'responder-unauthorized',
  'response-malformed',
  'response-not-basic',
  'response-of-another-certificate',
  'response-signer',
  'response-signature',
  'response-critical-extension',
  'response-without-end',
  'response-out-of-time',
  'response-short',
  'response-older',
  'response-unknown',
  'certificate-expired',
] as const
export type ErrorCode = (typeof ERROR_CODES)[number]

/** What was wanted, what came and what to do about it. Key bytes never belong here. */
interface Refusal {
  readonly wanted: string
  readonly came: string
  /** To the point of this case; else the code's own in {@link REMEDIES}. */
  readonly fix?: string
  readonly cause?: unknown
}

/** The one error of this system: a closed set of codes, facts as fields, the original as `cause`. */
export class TicketringError extends Error {
  override readonly name = 'TicketringError'
  readonly code: ErrorCode
  readonly wanted: string
  readonly came: string
  readonly fix: string

  constructor(code: ErrorCode, { wanted, came, fix = REMEDIES[code], cause }: Refusal) {
    super(`${code}: wanted ${wanted}; got ${came}. ${fix}`, cause === undefined ? {} : { cause })
    this.code = code
    this.wanted = wanted
    this.came = came
    this.fix = fix
  }
}

/** True for a {@link TicketringError}, of one of these codes if any are named. Never throws. */
export function isRefusal(error: unknown, ...codes: readonly ErrorCode[]): error is TicketringError {
  return error instanceof TicketringError && (codes.length === 0 || codes.includes(error.code))
}

/** Characters of an error that is none of ours: it may quote whatever it was given. */
const LONGEST_FOREIGN = 400

/** An error in a sentence, for a log or an answer: ours whole, with its remedy; any other one cut. Does not throw. */
export function messageOf(error: unknown): string {
  if (isRefusal(error)) return error.message
  return excerpt(error instanceof Error ? error.message : String(error), LONGEST_FOREIGN)
}
