import { excerpt } from '../kernel/excerpt.ts'
import { type Extension, findExtension } from './extension.ts'
import { BASIC, type OcspResponse } from './response.ts'
import type { Transport, ValidationContext } from './validation-context.ts'
import { type Finding, fails, notApplicable, passes } from './verdict.ts'

/** Far above the 2.3 kB of the largest response seen, far below what would hurt. */
export const LARGEST_RESPONSE = 64 * 1024

/** V1: status 200, the OCSP media type (its parameters aside), a bounded body (RFC 6960 A.2, RFC 9919 §5). */
export function judgeTransport({ status, contentType = 'none', length }: Transport): Finding {
  if (status !== 200) return fails(`HTTP status ${status}`)
  const type = contentType.split(';', 1)[0]?.trim().toLowerCase()
  if (type !== 'application/ocsp-response') return fails(`content type ${excerpt(contentType, 80)}`)
  if (length > LARGEST_RESPONSE) return fails(`${length} bytes, more than ${LARGEST_RESPONSE}`)
  return passes(`HTTP 200, ${length} bytes`)
}

/** V3: the responder succeeded and sent a basic response (RFC 6960 §4.2.1). */
export function judgeKind({ status, statusNumber, type, basic }: OcspResponse): Finding {
  if (status === undefined) return fails(`responder status ${statusNumber}, which is not assigned`)
  if (status !== 'successful') return fails(`responder status ${status}`)
  if (basic === undefined) return fails(type === undefined ? 'no response bytes' : `response type ${type}`)
  return passes(`successful, ${BASIC}`)
}

/** id-pkix-ocsp-nonce (RFC 9654). */
const NONCE = '1.3.6.1.5.5.7.48.1.2'

/**
 * Extensions that do not change what a response means to us: nonce, CRL reference, archive cutoff, extended revoke
 * (RFC 6960 §4.4), reason, hold instruction and invalidity date of a CRL entry (§4.4.5), signed certificate
 * timestamps (RFC 6962 §3.3).
 */
const UNDERSTOOD = [
  NONCE,
  '1.3.6.1.5.5.7.48.1.3',
  '1.3.6.1.5.5.7.48.1.6',
  '1.3.6.1.5.5.7.48.1.9',
  '2.5.29.21',
  '2.5.29.23',
  '2.5.29.24',
  '1.3.6.1.4.1.11129.2.4.5',
]

/** V9: a critical extension that we do not know refuses, for the response and for ours (RFC 9919 §2.2.1, RFC 5280 §4.2). */
export function judgeExtensions({ basic, ours }: ValidationContext): Finding {
  const unknown = ({ critical, oid }: Extension) => critical && !UNDERSTOOD.includes(oid)
  const ofResponse = basic.extensions.find(unknown)
  if (ofResponse !== undefined)
    return fails(`the response has the unknown critical extension ${ofResponse.oid}`)
  const ofSingle = ours.flatMap((single) => single.extensions).find(unknown)
  if (ofSingle !== undefined) return fails(`the status has the unknown critical extension ${ofSingle.oid}`)
  return passes('no critical extension that is unknown')
}

/** V10: none is sent; one that comes is a cache's answer to another client, and is left alone (RFC 9654 §2, RFC 9919 §2.1.1). */
export function judgeNonce({ basic }: ValidationContext): Finding {
  const came = findExtension(basic.extensions, NONCE) !== undefined
  return notApplicable(came ? 'no nonce was sent; the one that came is left alone' : 'no nonce was sent')
}
