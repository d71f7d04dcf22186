import { describe, expect, it } from 'vitest'
import { emptyTally, type StapleTally, type Tally } from '../../local/rehearsal/clients/tally.ts'
import { type Evidence, problemsOf } from '../../local/rehearsal/report/problems.ts'
import type { Theft } from '../../local/rehearsal/secrecy/theft.ts'
import type { Revocation } from '../../local/rehearsal/show/revocation.ts'

const tries = { tried: 100, reused: 100, lost: 0, failed: 0 }
const tally: Tally = {
  ...emptyTally(),
  resumption: { 'TLSv1.2': tries, 'TLSv1.3': tries },
  moments: { 'at once': 50, 'during a delivery': 80, 'after the next advance': 50, 'in between': 20 },
  retired: { tried: 8, accepted: 0 },
  pairs: { 'a a TLSv1.2': 100, 'a a TLSv1.3': 100 },
}
const host = { id: 'a', server: 'nginx', address: '127.0.0.1:1', generation: 3, encryptsWith: 'ff' } as const
const counts = { asked: 10, good: 10, missing: 0, expired: 0, revoked: 0, refused: 0 }
const phase = { certificates: { www: counts }, asked: 10, rounds: 2, unexpected: 0 }
const staples: StapleTally = { hosts: { a: counts }, phases: { first: phase }, failed: 0 }
const STOLEN: Theft = { window: { readsFrom: '', readsTo: '' }, tried: 6, opened: 3, outside: 0 }
const good: Evidence = {
  wanted: { rotations: 2, members: 1, stapled: 1, deliveryShare: 0.3 },
  rotations: 2,
  generation: 3,
  hosts: [host],
  tally,
  versions: ['TLSv1.2', 'TLSv1.3'],
  pairs: ['a a TLSv1.2', 'a a TLSv1.3'],
  misread: [],
  proved: 6,
  theft: STOLEN,
  revocation: undefined,
  status: { members: 1, confirmed: 1 },
  staples,
  stapleParts: ['first'],
  stapleStatus: { members: 1, confirmed: 1 },
  findings: [],
  execs: 100,
  failures: [],
}

const REVOCATION: Revocation = {
  generation: 4,
  refused: 1,
  stillAccepting: [],
  unproven: 0,
  seconds: 2,
  tickets: { tried: 2, accepted: 0 },
}
const revocation = (bent: Partial<Revocation>) => ({ revocation: { ...REVOCATION, ...bent } })
const theft = (bent: Partial<Theft>) => ({ ...STOLEN, ...bent })
const resumption = (bent: Partial<typeof tries>) => ({
  tally: { ...tally, resumption: { ...tally.resumption, 'TLSv1.3': { ...tries, ...bent } } },
})

describe('a rehearsal', () => {
  it('is a success when nothing was lost, nothing found and enough was tried', () => {
    expect(problemsOf(good)).toEqual([])
    expect(problemsOf({ ...good, ...revocation({}) })).toEqual([])
  })

  it.each<[string, Partial<Evidence>]>([
    ['1 resumption lost', resumption({ lost: 1 })],
    ['2 connections failed twice', resumption({ failed: 2 })],
    ['nothing was tried in TLSv1.3', resumption({ tried: 0, reused: 0 })],
    ['1 retired ticket accepted', { tally: { ...tally, retired: { tried: 8, accepted: 1 } } }],
    ['no retired ticket was tried', { tally: { ...tally, retired: { tried: 0, accepted: 0 } } }],
    ['3 handshakes without a ticket', { tally: { ...tally, tickets: { taken: 9, missing: 3 } } }],
    ['1 of 2 pairs of machines', { tally: { ...tally, pairs: { 'a a TLSv1.2': 100 } } }],
    [
      'only 10 % of all tries fell into a delivery',
      { tally: { ...tally, moments: { ...tally.moments, 'during a delivery': 20 } } },
    ],
    [
      'no ticket was tried after its key was superseded',
      { tally: { ...tally, moments: { ...tally.moments, 'after the next advance': 0 } } },
    ],
    ['the ring advanced 1 time, not 2', { rotations: 1 }],
    ['a (nginx) encrypts with generation 2, not 3', { hosts: [{ ...host, generation: 2 }] }],
    ['0 of 1 machines could be looked at', { hosts: [] }],
    ['the function says that 0 of 1 machines confirmed', { status: { members: 1, confirmed: 0 } }],
    ['the function says that no of no machines confirmed', { status: undefined }],
    ['a reads the key in another byte order', { misread: ['a'] }],
    ["too few tickets' MACs were checked", { proved: 0 }],
    ["no ticket was opened with the last ring's keys", { theft: undefined }],
    ["no ticket was opened with the last ring's keys", { theft: theft({ opened: 0 }) }],
    [
      'the last ring opens 1 ticket from outside the time that status names',
      { theft: theft({ outside: 1 }) },
    ],
    ['the revoke: generation 4: after 2.0 s 0 proved', revocation({ refused: 0, unproven: 1 })],
    ['1 still accept them', revocation({ refused: 0, stillAccepting: ['a'] })],
    ['of 2 that clients brought back 1 were accepted', revocation({ tickets: { tried: 2, accepted: 1 } })],
    ['of 0 that clients brought back 0 were accepted', revocation({ tickets: { tried: 0, accepted: 0 } })],
    ['key bytes in a log: line 1', { findings: [{ kind: 'log', where: 'line 1' }] }],
    ['no exec was traced', { execs: 0 }],
    ['2 expired staples', { staples: { ...staples, hosts: { a: { ...counts, expired: 2 } } } }],
    [
      'first: 3 of 10 staples were not what they should be',
      { staples: { ...staples, phases: { first: { ...phase, unexpected: 3 } } } },
    ],
    ['1 connection that asked for a staple failed twice', { staples: { ...staples, failed: 1 } }],
    ['a was never asked for a staple', { staples: { ...staples, hosts: {} } }],
    ['no staple was asked for in the part: second', { stapleParts: ['first', 'second'] }],
    [
      'the function says that 0 of 1 machines hold their staples',
      { stapleStatus: { members: 1, confirmed: 0 } },
    ],
    ['the function was denied GetSecretValue', { failures: ['the function was denied GetSecretValue'] }],
  ])('is none: %s', (problem, bent) => {
    expect(problemsOf({ ...good, ...bent })).toEqual([expect.stringContaining(problem)])
  })

  it('of a single rotation can have no retired ticket: its keys are still in the ring', () => {
    const bent = {
      wanted: { rotations: 1, members: 1, stapled: 1, deliveryShare: 0.3 },
      tally: { ...tally, retired: { tried: 0, accepted: 0 } },
    }
    expect(problemsOf({ ...good, ...bent })).toEqual([])
  })
})
