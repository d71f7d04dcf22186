import { describe, expect, it } from 'vitest'
import type { Placed } from '../../../cli/ring/placed.ts'
import { isWell, stateOf } from '../../../cli/ring/state.ts'
import { statusText } from '../../../cli/ring/status-text.ts'
import { ServiceError } from '../../../cli/service-error.ts'
import { tellEach } from '../../../cli/tell-each.ts'
import type { Answer } from '../../../lambda/ring/answer.ts'

type Fleet = NonNullable<Answer['fleet']>
const FLEET: Fleet = {
  judgedAt: '2026-11-27T11:46:00.000Z',
  members: 300,
  confirmed: 300,
  stragglers: [],
  now: { members: 300, online: 299 },
}
const answer = (over: Partial<Answer> = {}, fleet: Partial<Fleet> = {}): Answer => ({
  action: 'status',
  ring: 'edge',
  decision: { action: 'hold', reason: 'the interval is not over', until: '2026-11-27T14:10:00.000Z' },
  asOf: '2026-11-27T12:00:00.000Z',
  did: [],
  generation: 7,
  version: 'v',
  encryptsWith: '6dec52344ab0cc39d359bf8eed285ed0',
  rotatedAt: '2026-11-27T10:10:00.000Z',
  dueAt: '2026-11-27T14:10:00.000Z',
  forcedAt: '2026-11-27T22:10:00.000Z',
  fleet: { ...FLEET, ...fleet },
  ...over,
})
const STRAGGLER = {
  id: 'i-0123456789abcdef0',
  reason: 'verify-wrong-key: wanted 6dec…',
  fix: 'See the listener',
}

it('a ring that is not well tells what its machines run, servers and programs', () => {
  const releases = [{ server: 'haproxy', version: '2.6.12', machines: 299 }]
  const programs = [
    { version: '0123456789ab', machines: 290 },
    { version: 'ba9876543210', machines: 9 },
  ]
  const given = answer({}, { confirmed: 299, stragglers: [STRAGGLER], releases, programs })
  expect(statusText(given)).toContain(
    '\n  releases: haproxy 2.6.12 on 299\n  programs: 0123456789ab on 290, ba9876543210 on 9\n',
  )
})

describe('a ring that observes', () => {
  const looked = (observed: number, stragglers: Fleet['stragglers'] = []) =>
    answer({ mode: 'observe' }, { confirmed: 0, observed, stragglers })

  it('is well where every machine would take it, and says what to type next', () => {
    const given = looked(300)
    expect(stateOf(given)).toBe('observing')
    expect(isWell(given)).toBe(true)
    expect(statusText(given)).toContain('300 of 300 machines would take it, none is to load it')
    expect(statusText(given)).toContain('  next: "mode": "enforce" for edge in cdk.json, then deploy')
  })

  it('is not where one would not, which it names', () => {
    const given = looked(299, [STRAGGLER])
    expect(isWell(given)).toBe(false)
    expect(statusText(given)).toContain('299 of 300 machines would take it')
    expect(statusText(given)).toContain(`  ${STRAGGLER.id}  ${STRAGGLER.reason}\n    ${STRAGGLER.fix}\n`)
    expect(statusText(given)).toContain('  next: mend what is named, then ticketring deliver edge')
    expect(statusText(given)).not.toContain('more')
  })

  it('is not where no machine has said anything', () => {
    expect(
      isWell(
        answer(
          { mode: 'observe' },
          { members: 0, confirmed: 0, observed: 0, now: { members: 0, online: 0 } },
        ),
      ),
    ).toBe(false)
  })
})

describe('a generation whose command could not be sent', () => {
  it('is not said to be proved by none of none', () => {
    const { judgedAt: _, ...fleet } = { ...FLEET, members: 0, confirmed: 0 }
    const { now: __, ...unread } = fleet
    const text = statusText({ ...answer(), fleet: unread })
    expect(text).toContain('delivered to no machine yet; who is there now could not be read')
    expect(text).not.toContain('0 of 0')
  })

  it('is sent again once machines are online: where none is, that comes first', () => {
    const { judgedAt: _, ...fleet } = { ...FLEET, members: 0, confirmed: 0 }
    const text = (online: number) =>
      statusText({ ...answer(), fleet: { ...fleet, now: { members: 3, online } } })
    expect(text(0)).toContain('delivered to no machine yet; online now 0 of 3')
    expect(text(0)).toContain('next: see why no machine is online, then ticketring deliver edge ')
    expect(text(1)).toContain('next: ticketring deliver edge ')
  })
})

describe('a canary', () => {
  const canary = {
    held: true,
    machines: ['i-0123456789abcdef0'],
    documentPassed: false,
    document: 'edge-2222',
    passed: 'edge-1111',
  } as const
  const one = { confirmed: 0, stragglers: [STRAGGLER] }

  it('that fails is said with its machine, what the others do, and what to type', () => {
    const text = statusText(answer({ canary }, one))
    expect(stateOf(answer({ canary }, one))).toBe('canary')
    expect(text).toContain(
      'canary: i-0123456789abcdef0: not proved yet; the others stay on the generation before',
    )
    expect(text).toContain('verify-wrong-key: wanted 6dec…')
    expect(text).toContain(
      'mend it, then ticketring deliver edge; or ticketring promote edge   (docs/runbook.md#canary-failed)',
    )
    expect(text).not.toContain('299 machines more')
  })

  it('that has yet to prove a document is said with its name, and with that of the one before', () => {
    const names = /document on its way: edge-2222\n {2}document that passed the canary last: edge-1111\n/
    for (const held of [true, false])
      expect(statusText(answer({ canary: { ...canary, held } }, one))).toMatch(names)
    const { passed: _, ...first } = canary
    expect(statusText(answer({ canary: first }, one))).toContain('passed the canary last: none\n')
    const proved = { ...canary, documentPassed: true }
    expect(statusText(answer({ canary: proved }, one))).not.toContain('edge-2222')
  })

  it('that soaks is said with its end', () => {
    const soaking = {
      ...canary,
      provedAt: '2026-11-27T11:50:00.000Z',
      soaksUntil: '2026-11-27T12:05:00.000Z',
    }
    expect(statusText(answer({ canary: soaking }, { confirmed: 1 }))).toContain(
      'proved, soaks until 2026-11-27T12:05:00.000Z (in 5 min)',
    )
  })

  it('that has passed leaves one line, also while a document has not', () => {
    expect(statusText(answer({ canary: { ...canary, held: false } })).split('\n')).toHaveLength(1)
  })
})

describe('what operators set', () => {
  const paused = { until: '2026-11-28T12:00:00.000Z', reason: 'sale', by: 'ada' }

  it('is said of a paused ring: until when, by whom, why, and how to end it', () => {
    const given = answer({ paused })
    expect(stateOf(given)).toBe('paused')
    for (const part of [
      'edge: PAUSED: generation 7, made 1 h 50 min ago, 300 of 300 machines encrypt with 6dec52344ab0cc39d359bf8eed285ed0',
      '  paused until 2026-11-28T12:00:00.000Z (in 24 h) by ada: sale\n',
      'due in 2 h 10 min; too old, and paging, in 10 h 10 min',
      '  next: ticketring resume edge   (docs/runbook.md#rotation-held)',
    ])
      expect(statusText(given)).toContain(part)
  })

  it('is said of machines that are set aside, and of those that are not waited for', () => {
    const quarantine = [{ instance: STRAGGLER.id, ...paused, reason: 'disk' }]
    const behind = { confirmed: 298, stragglers: [STRAGGLER, { ...STRAGGLER, id: 'i-7' }], lagging: ['i-7'] }
    const text = statusText(answer({ quarantine }, behind))
    expect(text).toContain(
      `  ${STRAGGLER.id} is set aside until 2026-11-28T12:00:00.000Z (in 24 h) by ada: disk\n`,
    )
    expect(text).toMatch(/ {2}i-7 {2}.*\n.*\n {4}Not waited for, as Systems Manager has lost it: .* are lost/)
    expect(text.match(/Not waited for/g)).toHaveLength(1)
  })

  it('is not well where the control parameter is nonsense, whatever counts meanwhile', () => {
    const given = answer({ paused, controlProblem: 'control-malformed: wanted it as JSON' })
    expect(stateOf(given)).toBe('control invalid')
    for (const part of ['paused until', 'what was set before counts: control-malformed', '#control-invalid'])
      expect(statusText(given)).toContain(part)
  })
})

describe('a calendar', () => {
  const until = '2026-11-28T12:00:00.000Z'
  const names = ['year-end']
  const closed = { names, state: 'closed', until } as const
  const unread = { names, state: 'unread', problem: 'calendar-unknown: no' } as const

  it('that is closed while nothing is due leaves one line, which says what is to come', () => {
    const text = statusText(answer({ calendars: closed }))
    expect(text).toMatch(
      /^edge: .*, next rotation in 2 h 10 min, calendar year-end closed until .* \(in 24 h\)$/,
    )
    expect(statusText(answer({ calendars: { names, state: 'open', until } }))).not.toContain('calendar')
    expect(statusText(answer({ calendars: unread }))).toMatch(/^edge: .*, calendar year-end cannot be read$/)
  })

  it('that holds what is due is said with its name and end, and nothing is to be typed', () => {
    const decision = { action: 'hold', reason: `held by calendar year-end, until ${until}`, until } as const
    const given = answer({ decision, dueAt: '2026-11-27T11:00:00.000Z', calendars: closed })
    expect(stateOf(given)).toBe('held')
    for (const part of [
      'edge: HELD: generation 7',
      `now: hold: held by calendar year-end, until ${until}`,
      'due 1 h ago; too old, and paging, in 10 h 10 min',
      'next: nothing: it goes on once the calendar opens; a revoke does not wait   (docs/runbook.md#rotation-held)',
    ])
      expect(statusText(given)).toContain(part)
    expect(statusText({ ...given, calendars: unread })).toContain('next: mend `rotation.calendars`')
  })
})

describe('a ring that was revoked', () => {
  const proof = { refused: 298, stillAccepting: ['i-3'], unproven: 1 }

  it('says who refuses old tickets, who does not, and how clients are kept from it', () => {
    const given = answer({ proof }, { confirmed: 298, stragglers: [STRAGGLER] })
    expect(stateOf(given)).toBe('revoked')
    for (const part of [
      'edge: REVOKED: generation 7',
      '298 refuse tickets from before, 1 have not proved it',
      'STILL ACCEPTS OLD TICKETS: i-3\n',
      'deregister-targets --target-group-arn <its target group> --targets Id=i-3',
    ])
      expect(statusText(given)).toContain(part)
  })

  it('is one line once all have proved it', () => {
    const given = answer({ proof: { refused: 300, stillAccepting: [], unproven: 0 } })
    expect(stateOf(given)).toBe('healthy')
    expect(statusText(given)).toMatch(
      /^edge: .*revoked 1 h 50 min ago, and all refuse tickets from before.*$/,
    )
  })
})

describe('a rotation that is due and waits', () => {
  it('is held, until when and why', () => {
    const decision = { action: 'hold', reason: '298 of 300 machines have confirmed generation 7' } as const
    const given = answer({ decision, dueAt: '2026-11-27T11:00:00.000Z' }, { confirmed: 298 })
    expect(stateOf(given)).toBe('held')
    expect(statusText(given)).toContain('HELD: generation 7')
    expect(statusText(given)).toContain('due 1 h ago')
    expect(statusText(given)).toContain('docs/runbook.md#rotation-held')
  })
})

describe('a rotation that is due, and that nothing holds', () => {
  const due = (dueAt: string) =>
    answer({ decision: { action: 'advance', reason: 'every machine holds generation 7' }, dueAt })

  it('is well while the next tick may make it', () => {
    expect(stateOf(due('2026-11-27T11:50:00.000Z'))).toBe('healthy')
  })

  it('is not overdue while something else comes first', () => {
    const decision = { action: 'unlabel', reason: 'AWSPREVIOUS is to be erased' } as const
    expect(stateOf(answer({ decision, dueAt: '2026-11-27T11:00:00.000Z' }))).toBe('healthy')
  })

  it('is overdue once three ticks have not: the function does not run', () => {
    const given = due('2026-11-27T11:40:00.000Z')
    expect(stateOf(given)).toBe('overdue')
    expect(isWell(given)).toBe(false)
    for (const part of [
      'edge: OVERDUE: generation 7',
      'due 20 min ago',
      'the rotation function does not run: nothing holds the rotation, and no tick has made it',
      'ticketring rotate edge shows its error   (docs/runbook.md#key-age)',
    ])
      expect(statusText(given)).toContain(part)
  })
})

describe('how a ring stands', () => {
  it('is one line where all is well', () => {
    expect(statusText(answer())).toBe(
      'edge: generation 7, all 300 machines encrypt with 6dec5234…, last proved 14 min ago, next rotation in 2 h 10 min',
    )
    expect(stateOf(answer())).toBe('healthy')
  })

  it('speaks of one machine as of one', () => {
    const one = { members: 1, confirmed: 1, now: { members: 1, online: 1 } }
    expect(statusText(answer({}, one))).toContain('generation 7, the one machine encrypts with 6dec5234…, ')
  })

  it('names each machine that has not proved it, with its cause, what to do there, and what to type next', () => {
    const degraded = answer({}, { confirmed: 299, stragglers: [STRAGGLER] })
    const text = statusText(degraded)
    expect(stateOf(degraded)).toBe('degraded')
    for (const part of [
      'DEGRADED: generation 7, made 1 h 50 min ago, 299 of 300 machines encrypt with 6dec52344ab0cc39d359bf8eed285ed0',
      'now: hold: the interval is not over, until 2026-11-27T14:10:00.000Z',
      'due in 2 h 10 min; forced, though machines are missing, in 10 h 10 min',
      'online now 299 of 300',
      'i-0123456789abcdef0  verify-wrong-key: wanted 6dec…\n    See the listener',
      'next: ticketring deliver edge   (docs/runbook.md#stragglers)',
    ])
      expect(text).toContain(part)
  })

  it('cuts no list of machines, and counts those that the record has no name for', () => {
    const stragglers = Array.from({ length: 20 }, (_, at) => ({ ...STRAGGLER, id: `i-${at}` }))
    const text = statusText(answer({}, { confirmed: 270, stragglers }))
    expect(text.match(/^ {2}i-\d+ /gm)).toHaveLength(20)
    expect(text).toContain('and 10 machines more')
  })

  it('says first that a door is open, then that the ring is too old, then that machines are behind', () => {
    const behind: Partial<Fleet> = { confirmed: 299, stragglers: [STRAGGLER] }
    const old = { forcedAt: '2026-11-27T11:00:00.000Z' }
    expect(stateOf(answer(old, { ...behind, authBypass: ['i-1'] }))).toBe('auth-bypass')
    expect(stateOf(answer(old, behind))).toBe('held')
    expect(stateOf(answer({}, behind))).toBe('degraded')
    expect(statusText(answer(old))).toContain('forced, though machines are missing, 1 h ago')
  })

  it('is not well where the roll call of now is another than the one that was judged, or cannot be read', () => {
    expect(stateOf(answer({}, { now: { members: 200, online: 200 } }))).toBe('degraded')
    expect(stateOf(answer({}, { now: { members: 301, online: 301 } }))).toBe('degraded')
    const { now: _, ...unread } = FLEET
    const blind = answer({ fleet: unread })
    expect(stateOf(blind)).toBe('degraded')
    expect(statusText(blind)).toContain('who is there now could not be read')
  })

  it('is not well without machines, as where a tag is misspelt', () => {
    const empty = answer({}, { members: 0, confirmed: 0, now: { members: 0, online: 0 } })
    expect(stateOf(empty)).toBe('no machines')
    expect(statusText(empty)).toContain('NO MACHINES')
    expect(statusText(empty)).toContain('compare the tag')
  })

  it('says that there is no ring yet, and how to make one', () => {
    const { generation: _, fleet: __, ...none } = answer()
    expect(stateOf(none)).toBe('no ring')
    expect(statusText(none)).toContain('edge: NO RING on record yet')
    const next = (over: Partial<Answer>) =>
      statusText({ ...none, ...over })
        .split('\n')
        .at(-1)
    const genesis = { action: 'genesis', reason: 'the secret holds no ring yet' } as const
    expect(next({ decision: genesis })).toBe(
      '  next: nothing: the next tick makes it   (docs/runbook.md#rotation-held)',
    )
    const held = { action: 'hold', waitsFor: 'operator', reason: 'AWSCURRENT holds {}, though …' } as const
    expect(next({ decision: held })).toContain('next: what is said above')
    expect(next({ decision: { ...held, waitsFor: 'calendar' } })).toContain('once the calendar opens')
    expect(next({ decision: { ...held, waitsFor: 'unread-calendar' } })).toContain(
      'mend `rotation.calendars`',
    )
    const paused = { until: '2026-11-28T12:00:00.000Z', reason: 'sale', by: 'ada' }
    expect(next({ decision: { ...held, waitsFor: 'pause' }, paused })).toContain('ticketring resume edge')
  })
})

describe('what to type next', () => {
  const nexts = (given: Answer) =>
    statusText(given)
      .split('\n')
      .flatMap((line) => /^ {2}next: (.*?)(?: {3}\(.*\))?$/.exec(line)?.[1] ?? [])
  const behind = { confirmed: 299, stragglers: [STRAGGLER] }
  const paused = { until: '2026-11-28T12:00:00.000Z', reason: 'sale', by: 'ada' }
  const old = { dueAt: '2026-11-27T10:00:00.000Z' }
  const waiting = (waitsFor: NonNullable<Answer['decision']['waitsFor']>) =>
    ({ ...old, decision: { action: 'hold', waitsFor, reason: 'it waits' } }) as const

  it('mends a machine that is behind also where the ring is paused, frozen or its parameter nonsense', () => {
    expect(nexts(answer({ paused }, behind))).toEqual(['ticketring resume edge', 'ticketring deliver edge'])
    expect(nexts(answer({ paused }))).toEqual(['ticketring resume edge'])
    expect(nexts(answer({ controlProblem: 'control-malformed' }, behind))).toEqual([
      'write /ticketring/edge/control anew',
      'ticketring deliver edge',
    ])
    const calendars = { names: ['year-end'], state: 'closed' } as const
    expect(nexts(answer({ ...waiting('convergence'), calendars }, behind))).toEqual([
      expect.stringContaining('once the calendar opens'),
      'ticketring deliver edge',
    ])
  })

  it('is what a held ring waits for, and no delivery that would change nothing', () => {
    expect(nexts(answer(waiting('convergence'), behind))).toEqual(['ticketring deliver edge'])
    expect(nexts(answer(waiting('ticket-lifetime')))).toEqual(['nothing: it goes on by itself'])
    expect(nexts(answer(waiting('operator')))).toEqual(['what is said above'])
    expect(nexts(answer(waiting('fleet')))).toEqual([
      'see who has left; of a fleet made smaller on purpose ticketring deliver edge --reason TEXT',
    ])
  })

  it('of a bypass is to close it', () => {
    expect(nexts(answer({}, { ...behind, authBypass: ['i-1'] }))).toEqual([
      'close one of the two listeners or give it keys of its own, then ticketring deliver edge',
    ])
  })

  it('of a ring that is past its age while nothing holds it is that the function does not run', () => {
    const late = { ...old, forcedAt: '2026-11-27T11:40:00.000Z' }
    const forced = answer({ ...late, decision: { action: 'advance', reason: 'past maxKeyAge' } }, behind)
    expect(stateOf(forced)).toBe('overdue')
    expect(nexts(forced)).toEqual([expect.stringContaining('its schedules')])
    const within = { ...forced, forcedAt: '2026-11-27T11:50:00.000Z' }
    expect(stateOf(within)).toBe('held')
  })
})

describe('what a machine is called in a command', () => {
  const proof = { refused: 1, stillAccepting: ['i-0123456789abcdef0', 'mi-0123456789abcdef0'], unproven: 0 }

  it('is its id in a target group, unless it is none of EC2', () => {
    const text = statusText(answer({ proof }, { confirmed: 298 }))
    expect(text).toContain('--targets Id=i-0123456789abcdef0\n')
    expect(text).toContain('--targets Id=<its address>\n')
  })
})

describe('machines that are set aside', () => {
  it('are counted where all is well', () => {
    const quarantine = [
      { instance: 'i-1', until: '2026-11-28T12:00:00.000Z', reason: 'disk', by: 'ada' },
    ] as const
    expect(statusText(answer({ quarantine }))).toMatch(
      /^edge: .*, next rotation in 2 h 10 min, 1 machine set aside$/,
    )
  })
})

describe('how several rings stand', () => {
  const told = async (answers: Readonly<Record<string, Answer | undefined>>) => {
    const lines = { out: [] as string[], error: [] as string[] }
    const tell = async (ring: string) => {
      const found = answers[ring]
      if (found === undefined) throw new ServiceError(`ticketring-${ring}-status failed`, 'Read its log')
      lines.out.push(statusText(found))
      return isWell(found) ? 0 : 1
    }
    const error = (text: string) => lines.error.push(text)
    return { code: await tellEach(Object.keys(answers), tell, { error }), ...lines }
  }

  it('is told of all, though one does not answer', async () => {
    const { code, out, error } = await told({
      a: undefined,
      b: answer({ ring: 'b' }),
      c: answer({ ring: 'c' }),
    })
    expect(code).toBe(2)
    expect(error).toEqual(['ticketring-a-status failed\nRead its log'])
    expect(out.map((line) => line.slice(0, 2))).toEqual(['b:', 'c:'])
  })

  it('is 1 where one is not well, and 0 where all are', async () => {
    const behind = answer({}, { confirmed: 299, stragglers: [STRAGGLER] })
    expect((await told({ a: answer(), b: behind })).code).toBe(1)
    expect((await told({ a: answer(), b: answer() })).code).toBe(0)
  })
})

describe('a machine that has not proved it', () => {
  const named = { ...STRAGGLER, name: 'edge-7.example.com' }
  const behind = { confirmed: 299, stragglers: [named] }
  const called = (places?: Placed['places']) =>
    /\n {2}i-0123456789abcdef0(.*) {2}verify-wrong-key: wanted 6dec…\n {4}See the listener\n/.exec(
      statusText({ ...answer({}, behind), ...(places === undefined ? {} : { places }) }),
    )?.[1]

  it.each<[Placed['places'], string]>([
    [undefined, ' (edge-7.example.com)'],
    [{}, ' (edge-7.example.com)'],
    [{ [STRAGGLER.id]: { zone: 'eu-west-1b' } }, ' (edge-7.example.com, eu-west-1b)'],
    [{ [STRAGGLER.id]: { name: 'web 7', zone: 'eu-west-1b' } }, ' (web 7, eu-west-1b)'],
    [{ 'i-1': { name: 'other' } }, ' (edge-7.example.com)'],
  ])('is told by its tag, or else by what it calls itself, and by its zone: %j', (places, who) => {
    expect(called(places)).toBe(who)
  })

  it('is told without them where that is not told, which is said once', () => {
    const text = statusText({ ...answer({}, behind), placesProblem: 'The profile ops may not: …; Give it …' })
    expect(text).toMatch(
      /\n {2}names and zones of machines are not told: The profile ops may not: …; Give it …\n {2}next: /,
    )
  })
})
