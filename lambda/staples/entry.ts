import { createHash } from 'node:crypto'
import { type ErrorCode, TicketringError } from '../kernel/errors.ts'
import { excerpt } from '../kernel/excerpt.ts'
import { Fields } from '../kernel/fields.ts'
import { parameterText } from '../kernel/parameter-text.ts'
import type { Certificate } from '../ocsp/certificate.ts'
import { RULES, type Rule } from '../ocsp/verdict.ts'

/** What machines are told about a certificate: nothing yet, staple this response, or remove what you have. */
const STAPLE_STATES = ['none', 'staple', 'withdrawn'] as const
export type StapleState = (typeof STAPLE_STATES)[number]

/** A response that passed every rule when it was stored, and what its verdict said. */
export interface StoredResponse {
  readonly der: Uint8Array
  readonly thisUpdate: Date
  readonly nextUpdate?: Date
  /** Effective end: until then it may be stapled (V13). */
  readonly end: Date
  readonly status: 'good' | 'revoked'
  /** Why HAProxy would not take it; null where it would. */
  readonly haproxy: string | null
  readonly fetchedAt: Date
  /** URL of the responder that gave it. */
  readonly source: string
}

/** The latest try that failed. */
export interface FailedTry {
  readonly at: Date
  readonly code: ErrorCode
  /** The rule that refused a response that came. */
  readonly rule?: Rule
  readonly detail: string
}

/** What the store holds of one certificate: one parameter, read by the function and by every machine that has it. */
export interface StapleEntry {
  /** The owner's name for the certificate. */
  readonly name: string
  /** {@link certificateIdOf} the certificate. */
  readonly id: string
  readonly state: StapleState
  /** Clients insist on a staple (RFC 7633). */
  readonly mustStaple: boolean
  /** There in state `staple`; in state `withdrawn` for an operator who asks why. */
  readonly response?: StoredResponse
  /** Why it was withdrawn, in a sentence. */
  readonly reason?: string
  /** Withdrawn by an operator: only an operator's refresh puts it back. */
  readonly byHand?: true
  /** When to ask the responder again; absent while it was never asked. */
  readonly nextTry?: Date
  /** Tries that failed since the last success. */
  readonly failures: number
  readonly lastFailure?: FailedTry
}

/**
 * A certificate's identity, the same on the function and on each machine: the first 32 hex digits of SHA-256 over its
 * SubjectPublicKeyInfo in DER and its serial number, unsigned, without leading zeros.
 */
export function certificateIdOf({ publicKey, serial }: Pick<Certificate, 'publicKey' | 'serial'>): string {
  const key = publicKey().export({ type: 'spki', format: 'der' })
  const first = serial.findIndex((octet) => octet !== 0)
  const number = first < 0 ? new Uint8Array() : serial.subarray(first)
  return createHash('sha256').update(key).update(number).digest('hex').slice(0, 32)
}

/** SHA-256 of a response, 64 hex digits: what a machine is told to hold. */
export function digestOf(der: Uint8Array): string {
  return createHash('sha256').update(der).digest('hex')
}

/** Bytes of the largest value that Parameter Store takes (advanced tier). */
export const LARGEST_ENTRY = 8192
const LONGEST_TEXT = 300

const MALFORMED = 'staple-malformed'
const RESPONSE_FIELDS = [
  'response',
  'sha256',
  'thisUpdate',
  'nextUpdate',
  'end',
  'status',
  'haproxy',
  'fetchedAt',
  'source',
]
const ENTRY_FIELDS = [
  'v',
  'name',
  'id',
  'state',
  'mustStaple',
  ...RESPONSE_FIELDS,
  'reason',
  'byHand',
  'nextTry',
  'failures',
  'lastFailure',
]

/** @throws TicketringError `staple-malformed`. */
export function parseEntry(text: string): StapleEntry {
  const fields = Fields.ofJson(text, 'a staple', MALFORMED, ENTRY_FIELDS)
  if (fields.integer('v', 1) !== 1) fields.refuse('v', 'the number 1')
  const state = fields.oneOf('state', STAPLE_STATES)
  const hasResponse = state === 'staple' || RESPONSE_FIELDS.some((name) => fields.has(name))
  return {
    name: fields.string('name'),
    id: fields.string('id', /^[0-9a-f]{32}$/, '32 hex digits'),
    state,
    mustStaple: fields.boolean('mustStaple'),
    ...(hasResponse ? { response: parseStored(fields) } : {}),
    ...(fields.has('reason') ? { reason: fields.string('reason') } : {}),
    ...(fields.has('byHand') && fields.boolean('byHand') ? { byHand: true } : {}),
    ...(fields.has('nextTry') ? { nextTry: fields.time('nextTry') } : {}),
    failures: fields.integer('failures', 0),
    ...(fields.has('lastFailure') ? { lastFailure: parseFailedTry(fields.raw('lastFailure')) } : {}),
  }
}

/**
 * The inverse of {@link parseEntry}.
 * @throws TicketringError `staple-too-large` where no parameter can hold it.
 */
export function serialiseEntry(entry: StapleEntry): string {
  const text = parameterText(JSON.stringify(writtenOf(entry)))
  const bytes = Buffer.byteLength(text)
  if (bytes <= LARGEST_ENTRY) return text
  throw new TicketringError('staple-too-large', {
    wanted: `an entry for ${entry.name} of at most ${LARGEST_ENTRY} bytes, which an advanced parameter holds`,
    came: `${bytes} bytes around a response of ${entry.response?.der.length ?? 0}`,
    fix: 'Have the responder leave out certificates that are not needed, or use a shorter key for its signer',
  })
}

function writtenOf({ name, id, state, mustStaple, response, reason, lastFailure, ...rest }: StapleEntry) {
  const short = (text: string) => excerpt(text, LONGEST_TEXT)
  return {
    v: 1,
    name,
    id,
    state,
    mustStaple,
    ...(response === undefined ? {} : flatten(response)),
    ...(reason === undefined ? {} : { reason: short(reason) }),
    ...rest,
    ...(lastFailure === undefined
      ? {}
      : { lastFailure: { ...lastFailure, detail: short(lastFailure.detail) } }),
  }
}

function flatten({ der, ...facts }: StoredResponse) {
  return { response: Buffer.from(der).toString('base64'), sha256: digestOf(der), ...facts }
}

function parseStored(fields: Fields): StoredResponse {
  const base64 = fields.string('response', /^[A-Za-z0-9+/]+={0,2}$/, 'base64')
  const der = Buffer.from(base64, 'base64')
  if (fields.string('sha256') !== digestOf(der)) fields.refuse('sha256', 'the SHA-256 of the response')
  return {
    der,
    thisUpdate: fields.time('thisUpdate'),
    ...(fields.has('nextUpdate') ? { nextUpdate: fields.time('nextUpdate') } : {}),
    end: fields.time('end'),
    status: fields.oneOf('status', ['good', 'revoked'] as const),
    haproxy: fields.raw('haproxy') === null ? null : fields.string('haproxy'),
    fetchedAt: fields.time('fetchedAt'),
    source: fields.string('source'),
  }
}

function parseFailedTry(value: unknown): FailedTry {
  const fields = Fields.of(value, 'lastFailure', MALFORMED, ['at', 'code', 'rule', 'detail'])
  return {
    at: fields.time('at'),
    // Written by another release, perhaps: a code that is gone is still worth showing.
    code: fields.string('code', /^[a-z-]+$/, 'an error code') as ErrorCode,
    ...(fields.has('rule') ? { rule: fields.oneOf('rule', RULES) } : {}),
    detail: fields.string('detail'),
  }
}
