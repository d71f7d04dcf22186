import type { ResponderStatus } from './response.ts'

export const RULES = [
  'V1',
  'V2',
  'V3',
  'V4',
  'V5',
  'V6',
  'V7',
  'V8',
  'V9',
  'V10',
  'V11',
  'V12',
  'V13',
  'V14',
  'V15',
  'V16',
  'V17',
] as const
/** Rules of the validation list; each is one function that carries its name and its clause. */
export type Rule = (typeof RULES)[number]

/** What a rule found. `ok` is null where there was nothing to judge: `detail` says why. */
export interface Finding {
  readonly ok: boolean | null
  readonly detail: string
}

export interface Outcome extends Finding {
  readonly rule: Rule
}

/** Who signed, once V6 has accepted them. */
export interface Signer {
  readonly kind: 'issuer' | 'delegate'
  /** Subject in one line. */
  readonly name: string
  readonly notAfter: Date
}

/** A response judged. `outcomes` names every rule, in order: who asks why nothing is stapled finds it there. */
export interface Verdict {
  /** Anything but `refused` is a status that is signed, in time and about this certificate. */
  readonly verdict: 'good' | 'revoked' | 'unknown' | 'refused'
  readonly outcomes: readonly Outcome[]
  /** Nothing to refuse for, but worth knowing. */
  readonly warnings: readonly string[]
  /** Until when it may be stapled (V13). */
  readonly effectiveEnd?: Date
  readonly thisUpdate?: Date
  readonly nextUpdate?: Date
  readonly producedAt?: Date
  readonly signer?: Signer
  readonly revoked?: { readonly at: Date; readonly reason?: string }
  /** What the responder said of the exchange; a schedule tells a transient error by it (S3). */
  readonly responderStatus?: ResponderStatus
  /** Certificates sent along that OpenSSL cannot read, if there are any. */
  readonly unreadableCertificates?: number
  /** Number of SingleResponses, ours and others. */
  readonly singles: number
  /** Hash of the CertID of ours, such as `sha1`. */
  readonly certIdHash?: string
  /** Whether NULL parameters stand beside it. */
  readonly certIdHasNull?: boolean
}

export function passes(detail: string): Finding {
  return { ok: true, detail }
}

export function fails(detail: string): Finding {
  return { ok: false, detail }
}

/** Nothing to judge here. */
export function notApplicable(detail: string): Finding {
  return { ok: null, detail }
}

/** Rules that refused. */
export function brokenRules({ outcomes }: Verdict): readonly Outcome[] {
  return outcomes.filter(({ ok }) => ok === false)
}
