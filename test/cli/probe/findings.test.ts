import { createHmac, randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { parseEarlierReport } from '../../../cli/probe/earlier-report.ts'
import { endpointsOf, textOf } from '../../../cli/probe/endpoint.ts'
import { type Fact, type Facts, factsOf } from '../../../cli/probe/facts.ts'
import { findingsOf } from '../../../cli/probe/findings.ts'
import type { Handshake } from '../../../cli/probe/handshake.ts'
import { knownKeyOf } from '../../../cli/probe/known-key.ts'
import { reportOf } from '../../../cli/probe/report.ts'
import { survey } from '../../../cli/probe/survey.ts'

const NOW = Date.parse('2026-11-27T12:00:00Z')
const NAME = '6dec52344ab0cc39d359bf8eed285ed0'

const fact = (over: Partial<Fact> = {}): Fact => ({
  listener: 'a:443',
  version: 'TLSv1.3',
  state: 'tickets',
  asksForCertificate: false,
  keyName: NAME,
  lifetime: 7200,
  knownKey: null,
  why: null,
  ...over,
})
const facts = (listeners: readonly Fact[], resumptions: Facts['resumptions'] = []): Facts => ({
  listeners,
  resumptions,
})
const codes = (seen: Facts, earlier?: Parameters<typeof findingsOf>[2]) =>
  findingsOf(seen, NOW, earlier).map(({ code }) => code)

describe('a look at tickets reports', () => {
  it('nothing about listeners that share a fresh key', () => {
    expect(codes(facts([fact(), fact({ listener: 'b:443' })]))).toEqual([])
  })

  it('a key that has encrypted for more than a day, of the same listener and version alone', () => {
    const earlier = { at: NOW - 86_401_000, listeners: [fact()] }
    expect(codes(facts([fact()]), earlier)).toEqual(['key-unchanged'])
    expect(codes(facts([fact()]), { ...earlier, at: NOW - 86_400_000 })).toEqual([])
    expect(codes(facts([fact({ version: 'TLSv1.2' })]), earlier)).toEqual([])
    expect(codes(facts([fact({ listener: 'b:443' })]), earlier)).toEqual([])
    expect(
      codes(facts([fact({ keyName: null })]), { ...earlier, listeners: [fact({ keyName: null })] }),
    ).toEqual([])
  })

  it('lifetimes that differ, and those of more than a day', () => {
    expect(codes(facts([fact(), fact({ listener: 'b:443', lifetime: 300 })]))).toEqual(['lifetimes-differ'])
    expect(codes(facts([fact({ lifetime: 86_400 })]))).toEqual([])
    expect(codes(facts([fact({ lifetime: 86_401 })]))).toEqual(['lifetime-long'])
  })

  it('a ticket that its own giver does not take, and one that a peer with the same key and name does not', () => {
    const two = [fact(), fact({ listener: 'b:443' })]
    const tried = (from: string, to: string) => ({ version: 'TLSv1.3', from, to, outcome: 'full' }) as const
    expect(codes(facts(two, [tried('a:443', 'a:443')]))).toEqual(['not-resumed'])
    expect(codes(facts(two, [tried('a:443', 'b:443')]))).toEqual(['not-resumed'])
    const other = [fact({ listener: 'a:443=x.test' }), fact({ listener: 'a:443=y.test' })]
    expect(codes(facts(other, [tried('a:443=x.test', 'a:443=y.test')]))).toEqual([])
    const nameless = two.map((each) => ({ ...each, keyName: null }))
    expect(codes(facts(nameless, [tried('a:443', 'b:443')]))).toEqual([])
  })

  it('a door only where the ticket is of a listener that is known to ask for no certificate', () => {
    const tried = [{ version: 'TLSv1.3', from: 'a:443', to: 'b:443', outcome: 'reused' }] as const
    const guarded = fact({ listener: 'b:443', asksForCertificate: true })
    expect(codes(facts([fact(), guarded], tried))).toEqual(['auth-bypass'])
    expect(codes(facts([fact({ asksForCertificate: null }), guarded], tried))).toEqual([])
    expect(codes(facts([fact(), { ...guarded, asksForCertificate: false }], tried))).toEqual([])
  })

  it.each([false, true, null])(
    'a door where the listener refuses who has no certificate, whatever the giver asks for (%s)',
    (asksForCertificate) => {
      const refusing = fact({ listener: 'b:443', state: 'guarded', asksForCertificate: true, keyName: null })
      const tried = [{ version: 'TLSv1.3', from: 'a:443', to: 'b:443', outcome: 'reused' }] as const
      expect(codes(facts([fact({ asksForCertificate }), refusing], tried))).toEqual(['auth-bypass'])
    },
  )

  it('a listener as away only where no version of it answers', () => {
    const away = fact({ state: 'unreachable', keyName: null, lifetime: null, why: 'no answer' })
    expect(codes(facts([away, { ...fact(), version: 'TLSv1.2' }]))).toEqual([])
    expect(codes(facts([away, { ...away, version: 'TLSv1.2' }]))).toEqual(['unreachable'])
  })
})

describe('a key that is no secret', () => {
  const ticketUnder = (key: Buffer) => {
    const body = Buffer.concat([Buffer.alloc(16, 7), Buffer.alloc(16, 9), Buffer.alloc(160, 1)])
    return Buffer.concat([body, createHmac('sha256', key).update(body).digest()])
  }
  const counting = (octets: number) => Buffer.from(Array.from({ length: octets }, (_, at) => at))

  it.each([
    ['all zero', 'all-zero', Buffer.alloc(32)],
    ['one octet throughout', 'of nothing but 41', Buffer.alloc(16, 0x41)],
    ['counting', 'that counts', counting(32)],
    ['a file of 48 that counts, of nginx', 'that counts', counting(48).subarray(16, 32)],
    ['a file of 48 that counts, of HAProxy', 'that counts', counting(48).subarray(32)],
    ['a file of 80 that counts, of nginx', 'that counts', counting(80).subarray(16, 48)],
    ['a file of 80 that counts, of HAProxy', 'that counts', counting(80).subarray(48)],
  ])('is guessed: %s', (_, name, key) => {
    expect(knownKeyOf(ticketUnder(key))).toBe(name)
  })

  it('is none that is random', () => {
    expect(knownKeyOf(ticketUnder(randomBytes(32)))).toBeUndefined()
  })
})

describe('what a person reads', () => {
  it('keeps to sixty columns where names are short, and tells a large fleet by numbers', () => {
    const listeners = Array.from({ length: 17 }, (_, at) => fact({ listener: `10.0.0.${at}:443` }))
    const resumptions = listeners.map(({ listener, version }) => ({
      version,
      from: listener,
      to: listener,
      outcome: 'reused' as const,
    }))
    const text = reportOf(facts(listeners, resumptions), [])
    expect(text).not.toContain('row: whose ticket')
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(60)
  })

  it('names twenty of a kind and counts the rest, with the fix once', () => {
    const listeners = Array.from({ length: 23 }, (_, at) =>
      fact({ listener: `10.0.0.${at}:443`, state: 'no-tickets', keyName: null }),
    )
    const seen = facts(listeners)
    const text = reportOf(seen, findingsOf(seen, NOW))
    expect(text.match(/^tickets-off: /gm)).toHaveLength(20)
    expect(text).toContain('and 3 more')
    expect(text.match(/turn session tickets on/g)).toHaveLength(1)
  })
})

describe('a survey', () => {
  const endpoints = endpointsOf(['a.test:443'], [])
  const run = (answer: (n: number) => Handshake) => {
    let n = 0
    const connect = async () => answer(n++)
    return survey(endpoints, { connect, patience: 1, hands: 1, onProgress: () => {} })
  }
  const given = (name: string): Handshake => ({
    kind: 'answered',
    reused: false,
    asksForCertificate: false,
    session: Buffer.of(1),
    ticket: Buffer.from(`${name.repeat(8)}the rest of it`),
    lifetime: 60,
  })

  it('takes tickets that begin differently for such as have no key name', async () => {
    const changing = factsOf(await run((n) => given(n % 2 === 0 ? 'ab' : 'cd')))
    expect(changing.listeners.map(({ keyName }) => keyName)).toEqual([null, null])
    const steady = factsOf(await run(() => given('ab')))
    expect(steady.listeners[0]?.keyName).toBe('6162'.repeat(8))
  })

  it('tries a ticket once more before it counts as not resumed', async () => {
    const { trials } = await run((n) => (n === 5 || n === 7 ? { ...given('ab'), reused: true } : given('ab')))
    expect(trials.map(({ outcome }) => outcome)).toEqual(['reused', 'reused'])
  })
})

describe('what is asked', () => {
  it.each([
    ['192.0.2.7:443', '192.0.2.7:443', ''],
    ['[2001:db8::7]:8443', '[2001:db8::7]:8443', ''],
    ['edge.example.com:443', 'edge.example.com:443', 'edge.example.com'],
  ])('reads %s', (word, text, serverName) => {
    const [endpoint] = endpointsOf([word], [])
    expect(endpoint?.serverName).toBe(serverName)
    expect(textOf(endpoint as NonNullable<typeof endpoint>)).toBe(text)
  })

  it('asks each address for each name once', () => {
    const all = endpointsOf(
      ['192.0.2.7:443', '192.0.2.8:443', '192.0.2.7:443'],
      ['x.test', 'y.test', 'x.test'],
    )
    expect(all.map(textOf)).toEqual([
      '192.0.2.7:443=x.test',
      '192.0.2.7:443=y.test',
      '192.0.2.8:443=x.test',
      '192.0.2.8:443=y.test',
    ])
  })

  it.each([
    '',
    'edge',
    'edge:0',
    'edge:65536',
    'edge:https',
    '2001:db8::7:443',
    'a b:1',
    '-x:1',
    'https://edge:443',
  ])('refuses %j', (word) => {
    expect(() => endpointsOf([word], [])).toThrow(/is wanted|wants the name/)
  })

  it.each([
    '',
    '[]',
    '{}',
    '{"schema":2}',
    '{"schema":1,"at":"x","listeners":[]}',
    '{"schema":1,"at":"2026-11-27","listeners":[{}]}',
  ])('takes no %j for an earlier look', (text) => {
    expect(() => parseEarlierReport(text)).toThrow('`ticketring probe --json` has printed')
  })
})
