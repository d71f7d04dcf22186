import { array, assert, constantFrom, integer, nat, property, record, uint8Array } from 'fast-check'
import { describe, expect, test } from 'vitest'

import { isRefusal } from '../../lambda/kernel/errors.ts'
import { parseCertificate } from '../../lambda/ocsp/certificate.ts'
import { parseResponse } from '../../lambda/ocsp/response.ts'
import { prepareSubject } from '../../lambda/ocsp/subject.ts'
import { validateResponse } from '../../lambda/ocsp/validation.ts'
import { certify, NO_CHECK, OCSP_SIGNING, purposes, respond, revoked, UNKNOWN } from './forge.ts'

const NOW = new Date('2026-11-21T19:00:00Z')
const issuer = certify(NOW, { subject: 'CA', serial: Buffer.of(1) })
const leaf = certify(NOW, { subject: 'leaf', extensions: [] }, issuer).certificate
const uses = [purposes(OCSP_SIGNING), NO_CHECK]
const delegate = certify(NOW, { subject: 'delegate', serial: Buffer.of(2), extensions: uses }, issuer)
const subject = prepareSubject(leaf, issuer.certificate)

const make = (status?: Buffer) =>
  respond(NOW, leaf, issuer.certificate, delegate, status === undefined ? {} : { singles: [{ status }] })
const SEEDS = {
  good: make(),
  revoked: make(revoked(NOW, 1)),
  unknown: make(UNKNOWN),
  stale: respond(NOW, leaf, issuer.certificate, delegate, {
    singles: [{ nextUpdate: new Date(NOW.getTime() - 1) }],
  }),
  sibling: respond(NOW, leaf, issuer.certificate, certify(NOW, { subject: 'web', extensions: [] }, issuer)),
}
const signedPart = (der: Uint8Array) => parseResponse(der).basic?.signed.data

interface Mutation {
  readonly kind: 'flip' | 'set' | 'insert' | 'remove' | 'repeat' | 'cut'
  readonly at: number
  readonly value: number
  readonly length: number
}

/** Turned bits, changed, inserted, removed and repeated octets, cuts: what a bad line or a bad mind does. */
const mutation = record<Mutation>({
  kind: constantFrom<Mutation['kind'][]>('flip', 'set', 'insert', 'remove', 'repeat', 'cut'),
  at: nat(),
  value: integer({ min: 0, max: 255 }),
  length: integer({ min: 1, max: 40 }),
})
function mutate(bytes: Buffer, { kind, at, value, length }: Mutation): Buffer {
  const start = at % Math.max(bytes.length, 1)
  const [before, after] = [bytes.subarray(0, start), bytes.subarray(start)]
  switch (kind) {
    case 'flip':
      return Buffer.concat([before, Buffer.of((after[0] ?? 0) ^ (1 << (value % 8))), after.subarray(1)])
    case 'set':
      return Buffer.concat([before, Buffer.of(value), after.subarray(1)])
    case 'insert':
      return Buffer.concat([before, Buffer.alloc(length, value), after])
    case 'remove':
      return Buffer.concat([before, after.subarray(length)])
    case 'repeat':
      return Buffer.concat([before, after.subarray(0, length), after])
    default:
      return before
  }
}

describe('whatever becomes of a response on its way', () => {
  test.each(Object.keys(SEEDS) as (keyof typeof SEEDS)[])(
    'a %s one never throws, and is good only if what was signed is what was signed good',
    (seed) => {
      const signed = seed === 'good' ? signedPart(SEEDS.good) : undefined
      assert(
        property(array(mutation, { minLength: 1, maxLength: 4 }), (mutations) => {
          const bytes = mutations.reduce(mutate, SEEDS[seed])
          const { verdict } = validateResponse(bytes, subject, { now: NOW })
          // Certificates sent along are not signed: they may change, and the verdict with them or not.
          if (verdict === 'good') expect(signedPart(bytes)).toEqual(signed)
          if (seed !== 'revoked') expect(verdict).not.toBe('revoked')
        }),
        { numRuns: 1500 },
      )
    },
  )

  test('each single bit of a good response, turned, leaves what was signed as it was or refuses', () => {
    for (let at = 0; at < SEEDS.good.length; at++) {
      const bytes = mutate(SEEDS.good, { kind: 'flip', at, value: at * 5, length: 1 })
      const { verdict } = validateResponse(bytes, subject, { now: NOW })
      if (verdict === 'good') expect(signedPart(bytes)).toEqual(signedPart(SEEDS.good))
    }
  })

  test('each cut of a good response is refused', () => {
    for (let length = 0; length < SEEDS.good.length; length++) {
      expect(validateResponse(SEEDS.good.subarray(0, length), subject, { now: NOW }).verdict).toBe('refused')
    }
  })

  test('random bytes are refused', () => {
    assert(
      property(uint8Array({ maxLength: 500 }), (bytes) => {
        expect(validateResponse(bytes, subject, { now: NOW }).verdict).toBe('refused')
      }),
    )
  })
})

test('a mutated certificate is read or refused with its code', () => {
  assert(
    property(array(mutation, { minLength: 1, maxLength: 3 }), (mutations) => {
      try {
        prepareSubject(
          parseCertificate(mutations.reduce(mutate, Buffer.from(delegate.certificate.der))),
          issuer.certificate,
        )
      } catch (error) {
        expect(isRefusal(error, 'certificate-malformed'), String(error)).toBe(true)
      }
    }),
    { numRuns: 1500 },
  )
})
