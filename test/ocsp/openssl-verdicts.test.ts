import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { CASES, type Case, DELEGATED_CASES } from './cases.ts'
import { build, GROUPS, type Group, NOW } from './groups.ts'
import { Bench, opensslVerdict, pem } from './openssl.ts'

const bench = new Bench()
beforeAll(() => {
  for (const [id, { issuer, leaf }] of Object.entries(GROUPS)) {
    bench.file(`${id}.ca.pem`, pem(issuer.certificate.der))
    bench.file(`${id}.leaf.pem`, pem(leaf.der))
  }
})
afterAll(() => bench.remove())

async function compare(id: string, bent: Case): Promise<void> {
  const from = GROUPS[id] as Group
  const response = build(from, bent)
  const how = { now: NOW, hash: bent.hash }
  const theirs = await opensslVerdict(bench, response, `${id}.leaf.pem`, `${id}.ca.pem`, how)
  expect(theirs.verdict, theirs.said).toBe(bent.openssl?.says ?? bent.verdict)
}

describe.each(Object.keys(GROUPS))('%s', { concurrent: true }, (id) => {
  test.each(CASES)('$what: $verdict', (bent) => compare(id, bent))
})

describe('the same by a delegate', { concurrent: true }, () => {
  test.each(DELEGATED_CASES)('$what: $verdict', (bent) => compare('P-256', bent))
})
