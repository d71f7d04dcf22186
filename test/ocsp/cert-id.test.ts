import { expect, test } from 'vitest'
import { certIdOf, encodeCertId, readCertId } from '../../lambda/ocsp/cert-id.ts'
import { readDer } from '../../lambda/ocsp/der.ts'
import { SHA1, SHA256 } from './forge.ts'
import { P256 } from './groups.ts'

const named = (hash: string) => certIdOf(P256.leaf, P256.issuer.certificate, hash)

test('what is written is read back, with and without NULL parameters', () => {
  for (const hash of [SHA1, SHA256])
    for (const hasNull of [true, false]) {
      const certId = { hash, hasNull, ...bytesOf(hash) }
      const read = readCertId(readDer(encodeCertId(certId), 'a CertID'))
      expect({ ...read, ...plain(read) }).toEqual({ ...certId, ...plain(certId) })
    }
})

test('a request names the certificate with NULL parameters, which HAProxy compares', () => {
  for (const hash of [SHA1, SHA256]) expect(named(hash)).toMatchObject({ hash, hasNull: true })
  expect(named('1.2.3')).toBeUndefined()
})

type Bytes = Pick<NonNullable<ReturnType<typeof named>>, 'issuerNameHash' | 'issuerKeyHash' | 'serial'>

function bytesOf(hash: string): Bytes {
  const { issuerNameHash, issuerKeyHash, serial } = named(hash) as Bytes
  return { issuerNameHash, issuerKeyHash, serial }
}

function plain({ issuerNameHash, issuerKeyHash, serial }: Bytes) {
  return [issuerNameHash, issuerKeyHash, serial].map((each) => Buffer.from(each).toString('hex'))
}
