/** Throwaway certificates of the servers, each with an authority of its own. */
import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { contextTag } from '../../lambda/ocsp/der-element.ts'
import { encode, encodeOid, encodeSequence } from '../../lambda/ocsp/der-writer.ts'
import { certify, extension, type Party } from '../ocsp/forge.ts'

export const SERVER_NAME = 'edge.test'
const DNS_NAME = contextTag(2, 'primitive')

/** Files of a server's certificate, who it is and who issued it. */
export interface Identity {
  readonly certificate: string
  readonly key: string
  readonly site: string
  readonly leaf: Party
  readonly authority: Party
  /** The responder that the certificate names. */
  readonly responder: string | undefined
}

/** Writes `cert.pem` (certificate and issuer), `key.pem` and `site.pem` (all of it, as HAProxy wants it). */
export function makeCertificate(
  directory: string,
  authority = certify(new Date(), { subject: `authority of ${directory}` }),
  responder?: string,
): Identity {
  const names = encodeSequence(encode(DNS_NAME, Buffer.from(SERVER_NAME)))
  // The first bit of the serial number is set, so that DER has a zero before it.
  const serial = Buffer.concat([Buffer.of(0, 0xf1), randomBytes(15)])
  const extensions = [
    extension('2.5.29.17', names),
    ...(responder === undefined
      ? []
      : [extension('1.3.6.1.5.5.7.1.1', encodeSequence(ocspAccess(responder)))]),
  ]
  const spec = { subject: SERVER_NAME, serial, extensions }
  const leaf = certify(new Date(), spec, authority)
  const [certificate, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')]
  const site = join(directory, 'certificates', 'site.pem')
  const chain = pemOf(leaf) + pemOf(authority)
  const secret = String(leaf.pair.privateKey.export({ type: 'pkcs8', format: 'pem' }))
  mkdirSync(dirname(site), { recursive: true })
  writeFileSync(certificate, chain)
  writeFileSync(key, secret, { mode: 0o600 })
  writeFileSync(site, chain + secret, { mode: 0o600 })
  return { certificate, key, site, leaf, authority, responder }
}

/** An AccessDescription. Source: RFC 5280, section 4.2.2.1. */
function ocspAccess(url: string): Buffer {
  return encodeSequence(encodeOid('1.3.6.1.5.5.7.48.1'), encode(contextTag(6, 'primitive'), Buffer.from(url)))
}

/** A party's certificate as files have it. */
export function pemOf({ certificate }: Party): string {
  const lines =
    Buffer.from(certificate.der)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n')
}
