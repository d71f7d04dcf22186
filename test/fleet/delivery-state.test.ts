import { describe, expect, it } from 'vitest'
import { type DeliveryState, isConverged, isUnderWay, standingOf } from '../../lambda/fleet/delivery-state.ts'
import {
  DELIVERY_STATE_FIELDS,
  fitDeliveryState,
  parseDeliveryState,
} from '../../lambda/fleet/delivery-state-text.ts'
import { Fields } from '../../lambda/kernel/fields.ts'
import { parameterText } from '../../lambda/kernel/parameter-text.ts'
import { delivered, failed, instant, membersOf, START, unheard } from './deliveries.ts'

const FLEET = membersOf(30)
const write = (delivery: object) => JSON.stringify(delivery)
const parse = (text: string) =>
  parseDeliveryState(Fields.ofJson(text, 'a record', 'record-malformed', DELIVERY_STATE_FIELDS))
const missing = (count: number) => FLEET.slice(0, count).map(({ id }) => unheard(id))

/** Every field that a record may have. */
const FULL: Required<DeliveryState> = {
  ...delivered(FLEET, [failed('i-1'), unheard('i-2')]),
  holders: 'AAAA',
  membership: 'abc',
  commands: [
    { id: 'c-1', sentAt: START, judged: true },
    { id: 'c-2', sentAt: instant(9), judged: false },
  ],
  scripts: ['0123456789ab', 'fedcba987654'],
  offline: 1,
  failed: 1,
  failures: [{ code: 'reload-failed', machines: 1 }],
  judgedAt: instant(1),
  releases: [{ server: 'haproxy', version: '3.2.1', machines: 27 }],
  programs: [{ version: '0123456789ab', machines: 28 }],
  reading: { command: 'c-2', next: 'page-2' },
  nextAt: instant(2),
  unsent: 'Throttled',
  convergedAt: instant(3),
}

describe('a record of a delivery', () => {
  it('is read as it was written, with each field or without', () => {
    expect(parse(write(FULL))).toEqual(FULL)
    for (const field of [
      'offline',
      'failed',
      'failures',
      'judgedAt',
      'releases',
      'programs',
      'holders',
      'reading',
    ] as const) {
      const { [field]: _, ...rest } = FULL
      expect(parse(write(rest))).toEqual(rest)
    }
    for (const field of ['scripts', 'nextAt', 'unsent', 'membership', 'convergedAt'] as const) {
      const { [field]: _, ...rest } = FULL
      expect(parse(write(rest))).toEqual(rest)
    }
  })

  it.each([
    ['attempts', -1],
    ['members', -1],
    ['confirmed', -1],
    ['offline', -1],
    ['failed', -1],
    ['failures', [{ code: 'x', machines: 0 }]],
    ['releases', [{ server: 'haproxy', version: '3', machines: 0 }]],
    ['programs', [{ version: '3.2', machines: 1 }]],
    ['programs', [{ version: '0123456789ab', machines: 0 }]],
    ['reading', { command: 'c-1' }],
    ['commands', [{ id: 'c-1', sentAt: START, judged: 'yes' }]],
    ['stragglers', [{ id: 'i-1', code: 'x', detail: '', ran: 'yes' }]],
  ])('is refused with another %s: %j', (field, value) => {
    expect(() => parse(write({ ...FULL, [field]: value }))).toThrow(
      expect.objectContaining({ code: 'record-malformed' }),
    )
  })

  it('of a machine that was not reached says nothing of whether it ran', () => {
    const [straggler] = parse(write({ ...FULL, stragglers: [{ ...unheard('i-1'), ran: false }] })).stragglers
    expect(straggler).toEqual(unheard('i-1'))
  })
})

describe('a record that a parameter has no room for', () => {
  const fitted = (delivery: DeliveryState, more = '') =>
    JSON.parse(fitDeliveryState(delivery, (each) => write({ ...each, more }))) as DeliveryState
  /** With everything but stragglers as long as a parameter may be. */
  const filler = (room: number, delivery: DeliveryState) =>
    'x'.repeat(4095 - room - Buffer.byteLength(parameterText(write({ ...delivery, more: '' }))))

  it('names twenty machines, and with details that are long their first 70 characters', () => {
    const long = { ...unheard('i-1'), detail: 'd'.repeat(90) }
    const { stragglers } = fitted(delivered(FLEET, missing(30)))
    expect(stragglers).toHaveLength(20)
    expect(fitted(delivered(FLEET, [long])).stragglers[0]?.detail).toBe(`${'d'.repeat(70)}…`)
  })

  it('has one byte less than a parameter at most', () => {
    const none = delivered(FLEET)
    expect(fitDeliveryState(none, (each) => write({ ...each, more: filler(0, none) }))).toHaveLength(4095)
    const over = (each: object) => write({ ...each, more: `${filler(0, none)}x` })
    expect(fitDeliveryState(none, over).length).toBeLessThan(4095)
    expect(JSON.parse(fitDeliveryState(none, over))).not.toHaveProperty('holders')
  })

  it('leaves out which programs run before it names fewer machines', () => {
    const twenty = delivered(FLEET, missing(20))
    const programs = [{ version: '0123456789ab', machines: 10 }]
    const full = fitted({ ...twenty, programs }, filler(0, twenty))
    expect(full).not.toHaveProperty('programs')
    expect(full.stragglers).toHaveLength(20)
  })

  it('names fewer machines first, then none', () => {
    const twenty = delivered(FLEET, missing(20))
    expect(fitted(twenty, filler(0, twenty)).stragglers).toHaveLength(20)
    expect(fitted(twenty, `${filler(0, twenty)}x`).stragglers).toHaveLength(15)
    const none = { ...twenty, stragglers: [] }
    expect(fitted(twenty, filler(0, none)).stragglers).toHaveLength(0)
  })

  it('leaves out releases next, then who holds it and where a command was read to, and then is no record', () => {
    const { releases: _, programs: __, ...bare } = { ...FULL, stragglers: [] }
    const fewer = fitted(FULL, filler(0, bare))
    expect(fewer).not.toHaveProperty('releases')
    expect(fewer).toMatchObject({ holders: FULL.holders, reading: FULL.reading, stragglers: [] })
    const least = fitted(FULL, `${filler(0, bare)}x`)
    expect(least).not.toHaveProperty('holders')
    expect(least).not.toHaveProperty('reading')
    expect(() => fitDeliveryState(FULL, () => 'x'.repeat(4096))).toThrow(RangeError)
  })
})

describe('how a delivery stands', () => {
  it('is converged once each member has confirmed, and as long as no other joined', () => {
    expect(isConverged(delivered(FLEET))).toBe(true)
    expect(isConverged(delivered(FLEET, missing(1), { convergedAt: START }))).toBe(false)
    expect(isConverged({ ...delivered(FLEET, missing(1)), confirmed: 30 })).toBe(false)
  })

  it('is under way while its last command has not been judged', () => {
    expect(isUnderWay(FULL)).toBe(true)
    expect(isUnderWay({ commands: FULL.commands.toReversed() })).toBe(false)
    expect(isUnderWay({ commands: [] })).toBe(false)
  })

  it.each([
    [0, {}, '30 of 30 machines hold it'],
    [1, {}, '29 of 30 machines hold it: i-1 (has not answered)'],
    [
      3,
      {},
      '27 of 30 machines hold it: i-1 (has not answered), i-2 (has not answered), i-3 (has not answered)',
    ],
    [
      4,
      {},
      '26 of 30 machines hold it: i-1 (has not answered), i-2 (has not answered), i-3 (has not answered) and 1 more',
    ],
    [0, { unsent: 'Throttled' }, '30 of 30 machines hold it; the last command was not sent: Throttled'],
    [0, { confirmed: 20 }, '20 of 30 machines hold it'],
  ])('is told with three of %i that are missing', (count, changes, said) => {
    expect(standingOf(delivered(FLEET, missing(count), changes), 'hold it')).toBe(said)
  })
})
