import type { Certificate } from '../lambda/ocsp/certificate.ts'
import type { CertificateSetting, StapleConfiguration } from '../lambda/staples/configuration.ts'
import { certify, ecPair, type Pair, type Party, SCHEMES, type Scheme } from '../test/ocsp/forge.ts'

/** A staple function's configuration, as a deploy would write it. */
export function stapleConfiguration(certificates: readonly CertificateSetting[]): StapleConfiguration {
  return {
    set: 'edge',
    certificates,
    document: { name: 'ticketring-staples-edge-0123456789ab', version: '1', script: '0123456789ab' },
    target: { tag: 'ticketring', values: ['edge'], minInstances: 1 },
    store: '/ticketring/staples/edge',
    record: '/ticketring/staples/edge/delivery',
    timing: { tick: 900, least: 3600, most: 86_400, delivery: 120, execution: 120 },
    haproxy: true,
    allow: [],
  }
}

/** An authority and certificates that it issued, throwaway. */
export interface Authority {
  readonly issuer: Party
  readonly leaves: readonly Certificate[]
}

/** Issues `count` certificates with serial numbers of their own; their keys do not matter and are one. */
export function issue(now: Date, count: number, pair: Pair, scheme: Scheme): Authority {
  const issuer = certify(now, { subject: 'bench CA', pair, scheme, serial: Buffer.of(1) })
  const common = { pair: ecPair('prime256v1'), scheme: SCHEMES.p256, extensions: [] }
  const leaves = Array.from({ length: count }, (_, index) => {
    const serial = Buffer.alloc(4)
    serial.writeUInt32BE(0x10000000 + index)
    return certify(now, { ...common, subject: `host-${index}`, serial }, issuer).certificate
  })
  return { issuer, leaves }
}
