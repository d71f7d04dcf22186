import type { Verdict } from './verdict.ts'

/**
 * Why HAProxy would not take a response that is sound in itself; `undefined` where it would: it wants one status,
 * a nextUpdate, certificates that OpenSSL reads, and finds the certificate by the bytes of a SHA-1 CertID (src/ssl_ocsp.c, ssl_sock_load_ocsp_response).
 */
export function objectionOfHaproxy({
  singles,
  certIdHash,
  certIdHasNull,
  nextUpdate,
  unreadableCertificates,
}: Verdict): string | undefined {
  if (singles !== 1) return `it has ${singles} statuses, HAProxy takes one`
  if (certIdHash !== 'sha1')
    return `its CertID is of ${certIdHash ?? 'no known hash'}, HAProxy looks for SHA-1`
  if (certIdHasNull !== true) return 'its CertID lacks the NULL parameters that HAProxy looks for'
  if (unreadableCertificates !== undefined)
    return 'a certificate sent along with it cannot be read by OpenSSL, which HAProxy reads it with'
  return nextUpdate === undefined ? 'it has no nextUpdate, which HAProxy wants' : undefined
}
