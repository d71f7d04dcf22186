import { type Certificate, parseCertificate } from '../ocsp/certificate.ts'
import { isOutage, type TryFailure } from './failure.ts'
import type { StaplePorts } from './ports.ts'

/** Milliseconds kept back for withdrawals and delivery: no responder is asked any more. */
const RESERVE = 60_000

/** False once what is left of this run belongs to withdrawals and delivery. */
export function mayStillAsk({ clock }: Pick<StaplePorts, 'clock'>): boolean {
  return clock.remaining() > RESERVE
}

/** Certificates in work at the same time. */
export const MOST_AT_ONCE = 64

/** URLs of one kind that a certificate is asked about at in one run: it may name any number. */
export const MOST_URLS = 4

/** What a URL for issuers brought. */
export type Fetched = { readonly certificates: readonly Certificate[] } | { readonly failure: TryFailure }

/** Failures in a row after which a responder is left alone for the rest of a run. */
const MOST_OUTAGES = 16

/** What one run has learnt: issuers it fetched, and responders that do not answer. */
export class RunMemory {
  readonly issuers = new Map<string, Promise<Fetched>>()
  readonly #outages = new Map<string, number>()
  readonly #parsed = new Map<string, Certificate>()

  /** Certificates of one CA come with the same issuers. @throws TicketringError `certificate-malformed`. */
  readonly parse = (der: Uint8Array): Certificate => {
    const key = Buffer.from(der).toString('latin1')
    const parsed = this.#parsed.get(key) ?? parseCertificate(der)
    this.#parsed.set(key, parsed)
    return parsed
  }

  isDown(url: string): boolean {
    return (this.#outages.get(hostOf(url)) ?? 0) >= MOST_OUTAGES
  }

  note(url: string, failure: TryFailure | undefined): void {
    const host = hostOf(url)
    const down = failure !== undefined && isOutage(failure)
    this.#outages.set(host, down ? (this.#outages.get(host) ?? 0) + 1 : 0)
  }
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url
}
