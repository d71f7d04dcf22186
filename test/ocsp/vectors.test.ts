import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'

import { parseCertificates } from '../../lambda/ocsp/pem.ts'
import { findIssuer, prepareSubject } from '../../lambda/ocsp/subject.ts'
import { validateResponse } from '../../lambda/ocsp/validation.ts'
import { brokenRules } from '../../lambda/ocsp/verdict.ts'

/**
 * Folder with OpenSSL's own test set (58 responses of 2012, over SHA-1) and a `manifest.tsv` of response, issuer,
 * certificate, time, expected (GOOD or REJECT) and case. They are not ours to ship: `faults.test.ts` makes their kinds anew.
 */
const { OCSP_VECTORS: VECTORS } = process.env

interface Vector {
  readonly response: string
  readonly issuer: string
  readonly certificate: string
  readonly time: string
  readonly expected: string
  readonly what: string
}

function manifest(): Vector[] {
  const [, ...lines] = readFileSync(join(VECTORS ?? '', 'manifest.tsv'), 'utf8')
    .trim()
    .split('\n')
  return lines.map((line) => {
    const [response, issuer, certificate, time, expected, what] = line.split('\t') as [
      string,
      string,
      string,
      string,
      string,
      string,
    ]
    return { response, issuer, certificate, time, expected, what }
  })
}

const certificates = (file: string) => parseCertificates(readFileSync(join(VECTORS ?? '', file)))

function judge({ response, issuer, certificate, time, what }: Vector) {
  const [leaf] = certificates(certificate)
  // The one case over a cross-signed chain: OpenSSL is handed the intermediate apart. It is the issuer of the plain case.
  const beside = what.includes('untrusted=') ? certificates('ND1_Issuer_ICA.pem') : []
  const anchors = [...certificates(issuer), ...beside]
  const subject = prepareSubject(leaf, findIssuer(leaf, anchors) ?? (anchors[0] as (typeof anchors)[0]))
  const options = { now: new Date(time), heldAt: new Date('2026-01-01T00:00:00Z'), allowSha1: true }
  return validateResponse(readFileSync(join(VECTORS ?? '', response)), subject, options)
}

test('a tester who has published responses names their folder, and no other', () => {
  expect(VECTORS === undefined || existsSync(join(VECTORS, 'manifest.tsv'))).toBe(true)
})

if (VECTORS !== undefined)
  describe('published responses', () => {
    test('all 58 are there', () => expect(manifest()).toHaveLength(58))

    test.each(manifest())('$response with $issuer is $expected: $what', (vector) => {
      const verdict = judge(vector)
      expect(verdict.verdict, JSON.stringify(brokenRules(verdict))).toBe(
        vector.expected === 'GOOD' ? 'good' : 'refused',
      )
    })

    const RULE_OF: Record<string, string> = {
      ISOP: 'V8',
      WRID: 'V6',
      WINH: 'V4',
      WIKH: 'V4',
      WKDOSC: 'V6',
      ISDOSC: 'V6',
      WSNIC: 'V16',
      WKIC: 'V16',
    }
    test.each(manifest().filter(({ expected }) => expected !== 'GOOD'))(
      '$response with $issuer breaks the rule that it was made to break',
      (vector) => {
        const kind =
          Object.keys(RULE_OF).find((each) => `${vector.response} ${vector.issuer}`.includes(each)) ?? ''
        expect(brokenRules(judge(vector)).map(({ rule }) => rule)).toContain(RULE_OF[kind])
      },
    )
  })
