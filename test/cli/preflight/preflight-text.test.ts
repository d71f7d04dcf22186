import { describe, expect, it } from 'vitest'
import type { MachineResult } from '../../../cli/aws/run-command.ts'
import { type Look, lookOf } from '../../../cli/preflight/look.ts'
import { exitCodeOf, preflightText } from '../../../cli/preflight/preflight-text.ts'
import { FOUND_BESIDE, remedyFor } from '../../../cli/preflight/remedies.ts'
import { INSTANCE_ERRORS } from '../../../lambda/ring/result-line.ts'

const ONE = 'i-0123456789abcdef1'
const HEAD = '{"v":1,"check":"edge","script":"0123456789ab"'
const SOUND = `${HEAD},"python":"3.11.2","server":"haproxy","openssl":"3.0.19","clock":0,"generation":7,"serverVersion":"2.8.1","listeners":{"open":1,"guarded":0},"lifetime":7200,"ms":41,"problems":[]}`
const said = (output: string, more: Partial<MachineResult> = {}) =>
  lookOf('edge', { id: ONE, online: true, status: 'Success', output, ...more })

describe('what a machine says of itself', () => {
  it('is read whole, whatever else its agent prints behind it', () => {
    expect(said(`${SOUND}\n\n----------ERROR-------\nfailed to run commands: exit status 1`)).toEqual({
      instance: ONE,
      answered: true,
      problems: [],
      facts: {
        python: '3.11.2',
        openssl: '3.0.19',
        server: 'haproxy',
        serverVersion: '2.8.1',
        generation: 7,
        clock: 0,
        lifetime: 7200,
        open: 1,
        guarded: 0,
      },
    })
  })

  it('is one problem where its Python is too old to look', () => {
    const detail = 'wanted Python 3.9 or later with its standard library: found 3.6.8'
    expect(said(`${HEAD},"ms":0,"error":"tool-missing","detail":"${detail}"}`)).toMatchObject({
      answered: true,
      problems: [{ code: 'tool-missing', detail }],
    })
  })

  it.each([
    ['nothing', '', { status: 'DeliveryTimedOut' }, 'unanswered'],
    ['nothing since it is offline', '', { online: false, status: 'NotSent' }, 'offline'],
    ['no JSON', 'Segmentation fault', {}, 'answer-malformed'],
    ['a line that was cut', SOUND.slice(0, 99), {}, 'answer-malformed'],
    ['a line of another ring', SOUND.replace('edge', 'quay'), {}, 'answer-malformed'],
    ['a field that is none', SOUND.replace('"ms"', '"min"'), {}, 'answer-malformed'],
    [
      'a detail of control characters',
      SOUND.replace('[]', '[{"code":"busy","detail":"\\u001b[2J"}]'),
      {},
      'answer-malformed',
    ],
    [
      'a code that is none',
      SOUND.replace('[]', '[{"code":"__proto__","detail":""}]'),
      {},
      'answer-malformed',
    ],
  ])('is no answer where it says %s', (_, output, more, code) => {
    expect(said(output, more)).toMatchObject({ answered: false, problems: [{ code }], facts: {} })
  })

  it.each(['none', 'offline', 'unanswered'])('is no answer where it gives itself the code %s', (code) => {
    const output = SOUND.replace('[]', `[{"code":"${code}","detail":""}]`)
    expect(said(output)).toMatchObject({ answered: false, problems: [{ code: 'answer-malformed' }] })
  })

  it('is shown in one line where it is no answer', () => {
    expect(said('\u001b[2Jroot\nx').problems[0]?.detail).toBe('Success: ?[2Jroot?x')
  })
})

const machine = (number: number, problems: Look['problems'] = [], more: Partial<Look> = {}): Look => ({
  instance: `i-${String(number).padStart(17, '0')}`,
  answered: true,
  problems,
  facts: {},
  ...more,
})
const LONG = {
  code: 'socket-unexpected',
  detail:
    'wanted a bind line that names /run/ticketring/edge/haproxy.keys, found none in the running configuration',
}
const SWAP = { code: 'swap-unencrypted', detail: '/dev/sda2 is swap that may not be encrypted' }
const TMPFS = { code: 'not-tmpfs', detail: 'wanted /run on a tmpfs, found ext4' }
const OFFLINE = { code: 'offline', detail: 'Systems Manager has lost it, so it was not asked' }
const FLEET = [
  machine(1, [], { facts: { server: 'nginx', serverVersion: '1.26.3', open: 2, lifetime: 7200, clock: -3 } }),
  machine(2, [SWAP, TMPFS], { name: 'web-2' }),
  machine(3, [OFFLINE], { answered: false }),
  machine(4, [LONG, TMPFS]),
]
const AGAIN = 'ticketring preflight edge'
const textIn = (columns: number | undefined, looks: readonly Look[] = FLEET) =>
  preflightText('edge', looks, { columns, again: AGAIN })

describe('what an operator reads', () => {
  it('is a table: what stops a run first, then what is found besides, who was not heard, who could take it', () => {
    expect(textIn(undefined).split('\n')).toEqual([
      'edge: 1 of 4 machines could take the ring as they are, something is to be done on 2, of 1 it cannot be told',
      '',
      'PROBLEM            MACHINE                      FOUND',
      'not-tmpfs          i-00000000000000002 (web-2)  wanted /run on a tmpfs, found ext4',
      'not-tmpfs          i-00000000000000004          wanted /run on a tmpfs, found ext4',
      `socket-unexpected  i-00000000000000004          ${LONG.detail}`,
      `swap-unencrypted   i-00000000000000002 (web-2)  ${SWAP.detail}`,
      `offline            i-00000000000000003          ${OFFLINE.detail}`,
      'none               i-00000000000000001          nginx 1.26.3, 2 open listeners, tickets of 2h, clock -3 s',
      '',
      'What to do:',
      ...['not-tmpfs', 'socket-unexpected', 'swap-unencrypted', 'offline'].flatMap((code) => [
        `  ${code}:`,
        `    ${remedyFor(code)}`,
      ]),
      '',
      'next: mend what is named, then ticketring preflight edge   (docs/first-machine.md)',
    ])
  })

  it.each([60, 80, 120])('fits a terminal of %d columns, and nothing of it is cut', (columns) => {
    const text = textIn(columns)
    const [table = ''] = text.split('\n\n').slice(1)
    for (const line of [table, ...(text.split('What to do:')[1]?.split('\n\n')[0]?.split('\n') ?? [])]
      .join('\n')
      .split('\n'))
      expect(line.length, line).toBeLessThanOrEqual(columns)
    const words = text.replaceAll(/\s+/g, ' ')
    if (columns < 90) expect(words).toContain(`i-00000000000000004 ${LONG.detail}`)
    for (const { instance } of FLEET) expect(text).toContain(instance)
    for (const word of LONG.detail.split(' ')) expect(words).toContain(word)
  })

  it('tells what to type next in whole commands, where it is well too', () => {
    for (const line of textIn(60, [said(SOUND)]).split('\n'))
      expect(line.length, line).toBeLessThanOrEqual(60)
    expect(textIn(60, [said(SOUND)])).toContain('ticketring deliver edge, then ticketring status edge')
  })

  it('has below 90 columns a heading for each problem', () => {
    expect(textIn(60)).toContain(
      'not-tmpfs: 2 machines\n  i-00000000000000002 (web-2)\n    wanted /run on a tmpfs, found ext4\n  i-00000000000000004\n',
    )
  })

  it('names each of hundreds', () => {
    const many = Array.from({ length: 340 }, (_, at) => machine(at, at % 3 === 0 ? [TMPFS] : []))
    for (const columns of [60, undefined]) {
      const text = textIn(columns, many)
      for (const { instance } of many) expect(text).toContain(instance)
    }
  })

  it('says what is next where all could take it, and where there is no machine', () => {
    expect(textIn(80, [machine(1)])).toMatch(
      /\nnext: ticketring deliver edge, then ticketring status edge\s+\(/,
    )
    expect(textIn(80, [])).toBe(
      `edge: no machine under Systems Manager has its tag\nnext: give it to one machine, then ${AGAIN}   (docs/first-machine.md)`,
    )
  })

  it.each<[string, readonly Look[], number]>([
    ['all could take it', [machine(1), machine(2)], 0],
    ['something is in the way', FLEET, 1],
    ['one is offline', [machine(1), machine(3, [OFFLINE], { answered: false })], 2],
    ['there is none', [], 2],
  ])('ends where %s as it should', (_, looks, code) => {
    expect(exitCodeOf(looks)).toBe(code)
  })
})

describe('what to do', () => {
  it.each([...INSTANCE_ERRORS, ...Object.keys(FOUND_BESIDE), 'offline', 'unanswered', 'answer-malformed'])(
    'is known of %s',
    (code) => expect(remedyFor(code)?.length).toBeGreaterThan(5),
  )

  it('is not known of what is no code', () => expect(remedyFor('toString')).toBeUndefined())
})
