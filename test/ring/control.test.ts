import { describe, expect, it } from 'vitest'
import { inForce, parseControl, serialiseControl } from '../../lambda/ring/control.ts'

const NOW = new Date('2026-11-21T19:00:00.000Z')
const SET = { until: '2026-11-22T07:00:00.000Z', reason: 'sale', by: 'ada' }
const MACHINE = { instance: 'i-0123456789abcdef0', ...SET }
const DOCUMENT = 'ticketring-edge-0123456789ab'
const BACK = { document: DOCUMENT, reason: 'slow', by: 'ada' }
const text = (fields: object) => JSON.stringify({ version: 1, ...fields })
const parse = (fields: object) => parseControl(text(fields), NOW)

describe('what operators set', () => {
  it('is read as it was written, and written as it was read', () => {
    const control = parse({ paused: SET, quarantine: [MACHINE] })
    const until = new Date(SET.until)
    expect(control).toEqual({ paused: { ...SET, until }, quarantine: [{ ...MACHINE, until }] })
    expect(parseControl(serialiseControl(control), NOW)).toEqual(control)
    expect(parse({})).toEqual({ quarantine: [] })
  })

  it('ends by itself, to the second', () => {
    const control = parse({ paused: SET, quarantine: [MACHINE] })
    const [before, end] = [new Date(Date.parse(SET.until) - 1000), new Date(SET.until)]
    expect(inForce(control, before, DOCUMENT)).toEqual(control)
    expect(inForce(control, end, DOCUMENT)).toEqual({ quarantine: [] })
  })

  it('is of one document: another that is deployed ends a way back, and no time does', () => {
    const control = parse({ rolledBack: BACK })
    expect(control).toEqual({ rolledBack: BACK, quarantine: [] })
    expect(parseControl(serialiseControl(control), NOW)).toEqual(control)
    expect(inForce(control, new Date('2036-01-01T00:00:00Z'), DOCUMENT)).toEqual(control)
    expect(inForce(control, NOW, 'ticketring-edge-ba9876543210')).toEqual({ quarantine: [] })
  })

  it('may quote what Parameter Store would take for a reference', () => {
    const control = parse({ paused: { ...SET, reason: 'see {{runbook}}' } })
    expect(serialiseControl(control)).not.toContain('{{')
    expect(parseControl(serialiseControl(control), NOW)).toEqual(control)
  })

  it.each([
    ['no JSON', 'paused', 'as JSON'],
    ['no version', '{"paused":{}}', '"version"'],
    ['another version', '{"version":2}', '"version" as the number 1'],
    ['an unknown field', text({ pause: SET }), 'the unknown field "pause"'],
    ['a pause without a reason', text({ paused: { ...SET, reason: undefined } }), '"reason"'],
    ['a reason of spaces', text({ paused: { ...SET, reason: ' ' } }), '"reason"'],
    ['a pause that names no operator', text({ paused: { ...SET, by: '' } }), '"by"'],
    ['a pause without an end', text({ paused: { ...SET, until: undefined } }), '"until"'],
    ['an end of no time', text({ paused: { ...SET, until: 'tomorrow' } }), '"until"'],
    ['an end after a week', text({ paused: { ...SET, until: '2026-11-28T19:05:01Z' } }), 'within 7 days'],
    ['a machine without an id', text({ quarantine: [{ ...MACHINE, instance: 'web-1' }] }), '"instance"'],
    ['a way back from no document', text({ rolledBack: { ...BACK, document: '*' } }), '"document"'],
    ['a way back without a reason', text({ rolledBack: { ...BACK, reason: undefined } }), '"reason"'],
    ['a way back with an end', text({ rolledBack: { ...BACK, until: SET.until } }), 'unknown field "until"'],
    ['one machine twice', text({ quarantine: [MACHINE, MACHINE] }), 'names each machine once'],
    ['machines that are no list', text({ quarantine: MACHINE }), 'a list'],
  ])('is refused with %s', (_, given, why) => {
    const refused = expect.objectContaining({
      code: 'control-malformed',
      message: expect.stringContaining(why),
    })
    expect(() => parseControl(given, NOW)).toThrow(refused)
  })

  it('is measured from its writing: a week is a week, whenever it is read', () => {
    const until = '2026-11-28T19:00:00Z'
    expect(parse({ paused: { ...SET, until } }).paused?.until).toEqual(new Date(until))
  })

  it('is refused before it is written where it fits no parameter', () => {
    const quarantine = Array.from({ length: 20 }, (_, n) => ({
      ...MACHINE,
      until: new Date(SET.until),
      instance: `i-${n}`,
      reason: 'r'.repeat(200),
    }))
    expect(() => serialiseControl({ quarantine })).toThrow('4096 bytes')
  })
})
