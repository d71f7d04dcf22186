import { type CertId, readCertId } from './cert-id.ts'
import { DerReader, dotted, readDer, readUnexamined, sequenceOf, smallInteger, wholeOctets } from './der.ts'
import { contextTag, type Element, refuseDer, TAG } from './der-element.ts'
import { examineDer } from './der-examination.ts'
import { type Extension, readExtensions } from './extension.ts'
import { type Name, readName } from './name.ts'
import { readAlgorithm, type Signed } from './signature.ts'
import { generalizedTime } from './time.ts'

/** What a responder says of the exchange as a whole (RFC 6960 §4.2.1), by its number. */
const RESPONDER_STATUSES = {
  0: 'successful',
  1: 'malformedRequest',
  2: 'internalError',
  3: 'tryLater',
  5: 'sigRequired',
  6: 'unauthorized',
} as const
export type ResponderStatus = (typeof RESPONDER_STATUSES)[keyof typeof RESPONDER_STATUSES]

/** An OCSPResponse. Nothing in it is verified. */
export interface OcspResponse {
  /** `undefined` for a number that the RFC does not assign. */
  readonly status: ResponderStatus | undefined
  readonly statusNumber: number
  /** OID of the response type; `undefined` where no response bytes came. */
  readonly type: string | undefined
  /** There where the type is {@link BASIC}. */
  readonly basic: BasicResponse | undefined
}

export interface BasicResponse {
  /** The tbsResponseData exactly as received, and its signature. */
  readonly signed: Signed
  readonly responder: ResponderId
  readonly producedAt: Date
  readonly singles: readonly SingleResponse[]
  readonly extensions: readonly Extension[]
  /** DER of each certificate sent along. Unsigned, unverified. */
  readonly certificates: readonly Uint8Array[]
}

export type ResponderId =
  | { readonly by: 'name'; readonly name: Name }
  | { readonly by: 'key'; readonly sha1: Uint8Array }

export type CertificateStatus =
  | { readonly kind: 'good' }
  | { readonly kind: 'revoked'; readonly at: Date; readonly reason: string | undefined }
  | { readonly kind: 'unknown' }

export interface SingleResponse {
  readonly certId: CertId
  readonly status: CertificateStatus
  readonly thisUpdate: Date
  readonly nextUpdate: Date | undefined
  readonly extensions: readonly Extension[]
}

/** id-pkix-ocsp-basic. */
export const BASIC = '1.3.6.1.5.5.7.48.1.1'

/**
 * Reads an OCSPResponse in strict DER.
 * @throws TicketringError `der-malformed`.
 */
export function parseResponse(der: Uint8Array): OcspResponse {
  const fields = sequenceOf(readDer(der, 'an OCSPResponse'), 'an OCSPResponse')
  const statusNumber = smallInteger(fields.read(TAG.enumerated, 'responseStatus'), 'responseStatus')
  const status = (RESPONDER_STATUSES as Readonly<Record<number, ResponderStatus>>)[statusNumber]
  const bytes = fields.explicit(0, TAG.sequence, 'responseBytes')
  fields.end()
  if (bytes === undefined) return { status, statusNumber, type: undefined, basic: undefined }
  const inner = sequenceOf(bytes, 'responseBytes')
  const type = dotted(inner.read(TAG.oid, 'responseType'))
  const response = inner.read(TAG.octetString, 'response').content
  inner.end()
  return { status, statusNumber, type, basic: type === BASIC ? parseBasic(response) : undefined }
}

function parseBasic(der: Uint8Array): BasicResponse {
  const fields = sequenceOf(readUnexamined(der, 'a BasicOCSPResponse'), 'a BasicOCSPResponse')
  const data = examineDer(fields.read(TAG.sequence, 'tbsResponseData'))
  const algorithm = readAlgorithm(examineDer(fields.read(TAG.sequence, 'signatureAlgorithm')))
  const signature = wholeOctets(examineDer(fields.read(TAG.bitString, 'a signature')), 'a signature')
  // Certificates are not signed along: one that is looked for among them is examined then, the others are left alone.
  const list = fields.explicit(0, TAG.sequence, 'certs')
  const certificates = list === undefined ? [] : sequenceOf(list, 'certs').all()
  fields.end()
  return {
    signed: { data: data.bytes, algorithm, signature },
    ...readData(sequenceOf(data, 'tbsResponseData')),
    certificates: certificates.map(({ bytes }) => bytes),
  }
}

function readData(fields: DerReader): Omit<BasicResponse, 'signed' | 'certificates'> {
  // X.690 §11.5 leaves a default out; responders that spell version 1 out exist, and it changes nothing.
  const version = fields.explicit(0, TAG.integer, 'version')
  if (version !== undefined && smallInteger(version, 'version') !== 0)
    refuseDer('version 1', 'another version')
  const responder = readResponder(fields.any())
  const producedAt = generalizedTime(fields.read(TAG.generalizedTime, 'producedAt'), 'producedAt')
  const singles = sequenceOf(fields.read(TAG.sequence, 'responses'), 'responses')
  const extensions = (list: DerReader) => readExtensions(list, 1, 'responseExtensions')
  const read = {
    responder,
    producedAt,
    singles: singles.rest(TAG.sequence, 'a SingleResponse').map(readSingle),
  }
  const data = { ...read, extensions: extensions(fields) }
  fields.end()
  return data
}

function readResponder(element: Element): ResponderId {
  const inner = new DerReader(element, 'responderID')
  const byName = element.tag === contextTag(1)
  if (!byName && element.tag !== contextTag(2)) refuseDer('responderID by name or by key', 'another choice')
  const value = inner.read(byName ? TAG.sequence : TAG.octetString, 'responderID')
  inner.end()
  return byName ? { by: 'name', name: readName(value) } : { by: 'key', sha1: value.content }
}

function readSingle(element: Element): SingleResponse {
  const fields = sequenceOf(element, 'a SingleResponse')
  const certId = readCertId(fields.read(TAG.sequence, 'certID'))
  const status = readStatus(fields.any())
  const thisUpdate = generalizedTime(fields.read(TAG.generalizedTime, 'thisUpdate'), 'thisUpdate')
  const next = fields.explicit(0, TAG.generalizedTime, 'nextUpdate')
  const nextUpdate = next === undefined ? undefined : generalizedTime(next, 'nextUpdate')
  const extensions = readExtensions(fields, 1, 'singleExtensions')
  fields.end()
  return { certId, status, thisUpdate, nextUpdate, extensions }
}

function readStatus(element: Element): CertificateStatus {
  if (element.tag === contextTag(1)) return readRevocation(new DerReader(element, 'revoked'))
  const kind = ({ [contextTag(0, 'primitive')]: 'good', [contextTag(2, 'primitive')]: 'unknown' } as const)[
    element.tag
  ]
  if (kind === undefined) refuseDer('certStatus good, revoked or unknown', 'another choice')
  if (element.content.length > 0)
    refuseDer(`certStatus ${kind} without content`, `${element.content.length} octets`)
  return { kind }
}

/** CRLReason (RFC 5280 §5.3.1) by its number. */
const REASONS: Readonly<Record<number, string>> = {
  0: 'unspecified',
  1: 'keyCompromise',
  2: 'cACompromise',
  3: 'affiliationChanged',
  4: 'superseded',
  5: 'cessationOfOperation',
  6: 'certificateHold',
  8: 'removeFromCRL',
  9: 'privilegeWithdrawn',
  10: 'aACompromise',
}

function readRevocation(fields: DerReader): CertificateStatus {
  const at = generalizedTime(fields.read(TAG.generalizedTime, 'revocationTime'), 'revocationTime')
  const reason = fields.explicit(0, TAG.enumerated, 'revocationReason')
  fields.end()
  const number = reason === undefined ? undefined : smallInteger(reason, 'revocationReason')
  return {
    kind: 'revoked',
    at,
    reason: number === undefined ? undefined : (REASONS[number] ?? `reason ${number}`),
  }
}
