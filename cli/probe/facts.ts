import { type Endpoint, textOf } from './endpoint.ts'
import type { Handshake, Version } from './handshake.ts'
import { knownKeyOf } from './known-key.ts'
import type { Sight, Survey, Trial } from './survey.ts'

/** Octets of a key's name at the head of a ticket (RFC 5077 §4). */
const NAME = 16

/** What one listener does with tickets in one version. */
export interface Fact {
  readonly listener: string
  readonly version: Version
  /**
   * `tickets`: it gives them. `no-tickets`: it gives none. `guarded`: it refuses a client without a certificate.
   * `version-off`: it speaks the other version alone. `unreachable`: no TLS came back.
   */
  readonly state: 'tickets' | 'no-tickets' | 'guarded' | 'version-off' | 'unreachable'
  /** Whether it asks for a client certificate; null where that was not seen. */
  readonly asksForCertificate: boolean | null
  /** 32 hex digits; null where its tickets do not begin with one (newer Go). */
  readonly keyName: string | null
  /** Seconds, as announced. */
  readonly lifetime: number | null
  /** What the key is called under which its tickets verify though it is no secret. */
  readonly knownKey: string | null
  /** Why there is nothing to tell. */
  readonly why: string | null
}

/** A trial in words. */
export interface Resumption {
  readonly version: Version
  readonly from: string
  readonly to: string
  readonly outcome: Trial['outcome']
}

/** What was seen, without the sessions. */
export interface Facts {
  readonly listeners: readonly Fact[]
  readonly resumptions: readonly Resumption[]
}

export function factsOf({ endpoints, sights, trials }: Survey): Facts {
  return {
    listeners: endpoints.flatMap((endpoint) =>
      sights.filter((each) => each.endpoint === endpoint).map((each) => factOf(each, sights)),
    ),
    resumptions: trials.map(({ from, to, ...rest }) => ({ ...rest, from: textOf(from), to: textOf(to) })),
  }
}

function factOf(sight: Sight, sights: readonly Sight[]): Fact {
  const { endpoint, version, first, second } = sight
  const asks = asksOf(endpoint, sights)
  const about = { listener: textOf(endpoint), version, asksForCertificate: asks }
  const none = { keyName: null, lifetime: null, knownKey: null, why: null }
  if (first.kind !== 'answered') {
    return { ...about, ...none, state: stateOf(first), why: first.why }
  }
  if (first.ticket === undefined) return { ...about, ...none, state: 'no-tickets' }
  const other = second.kind === 'answered' ? second.ticket : undefined
  return {
    ...about,
    state: 'tickets',
    keyName: keyNameOf(first.ticket, other),
    lifetime: first.lifetime ?? null,
    knownKey: knownKeyOf(first.ticket) ?? null,
    why: null,
  }
}

function stateOf(handshake: Exclude<Handshake, { kind: 'answered' }>): Fact['state'] {
  if (handshake.kind === 'refused' && handshake.asksForCertificate) return 'guarded'
  return /another version|alert protocol version/.test(handshake.why) ? 'version-off' : 'unreachable'
}

/** In TLS 1.3 what is asked is not seen unless it ends the handshake: what TLS 1.2 showed stands for both. */
function asksOf(endpoint: Endpoint, sights: readonly Sight[]): boolean | null {
  const seen = sights.filter((each) => each.endpoint === endpoint)
  const asked = seen.flatMap(({ first }) => (first.kind === 'failed' ? [] : [first.asksForCertificate]))
  if (asked.some((each) => each)) return true
  const isSure = seen.some(({ version, first }) => version === 'TLSv1.2' && first.kind === 'answered')
  return isSure ? false : null
}

/** Two tickets of one key begin alike; where they do not, a ticket has no name or the key changed between the two. */
function keyNameOf(ticket: Buffer, other: Buffer | undefined): string | null {
  if (other !== undefined && !other.subarray(0, NAME).equals(ticket.subarray(0, NAME))) return null
  return ticket.subarray(0, NAME).toString('hex')
}
