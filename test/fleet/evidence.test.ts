import { describe, expect, it } from 'vitest'
import { type Heard, hear, refused, withOlder } from '../../lambda/fleet/evidence.ts'
import { TicketringError } from '../../lambda/kernel/errors.ts'

const confirmed = () => ({ confirmed: true }) as const
const heard = (status: string, output = '') => hear({ id: 'i-1', status, output }, (stdout) => stdout)

describe('a machine that had no chance to speak', () => {
  it.each([
    ['Pending', 'unheard', 'has not answered', false],
    ['In Progress', 'unheard', 'has not answered', false],
    ['DeliveryTimedOut', 'unreached', 'delivery timed out', false],
    ['Delivery Timed Out', 'unreached', 'delivery timed out', false],
    ['Execution Timed Out', 'unreached', 'the script ran out of time', true],
    ['Undeliverable', 'unreached', 'undeliverable', false],
  ])('is heard as such: %s', (status, code, detail, ran) => {
    expect(heard(status)).toEqual({ confirmed: false, code, detail, spoke: false, ran })
  })
})

describe('a machine that spoke', () => {
  it('is judged by what stands before its standard error', () => {
    expect(heard('Success', '{"a":1}')).toBe('{"a":1}')
    expect(heard('Failed', '{"a":1}\n----------ERROR-------\nfailed to run')).toBe('{"a":1}\n')
    expect(heard('Success', '{"a":"x ---ERROR---"}')).toBe('{"a":"x ---ERROR---"}')
    expect(heard('Success', '---ERROR--- and more')).toBe('---ERROR--- and more')
  })

  it.each([
    [new TicketringError('result-line-malformed', { wanted: 'a line', came: '2 lines' }), '2 lines'],
    [new TypeError('no length'), 'no line: no length'],
  ])('and cannot be understood has objected: %s', (error, came) => {
    const answer = hear({ id: 'i-1', status: 'Success', output: '' }, () => {
      throw error
    })
    expect(answer).toEqual(refused({ code: 'objected', detail: `Success: its answer was ${came}` }))
  })
})

it('the last time a machine spoke counts, and silence takes nothing back', () => {
  const silent: Heard = { confirmed: false, code: 'unheard', detail: '', spoke: false, ran: false }
  const failed = refused({ code: 'reload-failed', detail: '' })
  const joined = (newer: Heard, older: Heard) =>
    withOlder(new Map([['i-1', newer]]), new Map([['i-1', older]])).get('i-1')
  expect(joined(silent, confirmed())).toEqual(confirmed())
  expect(joined(silent, failed)).toBe(failed)
  expect(joined(failed, confirmed())).toBe(failed)
  expect(joined(confirmed(), failed)).toEqual(confirmed())
  expect(withOlder(new Map([['i-1', silent]]), new Map()).get('i-1')).toBe(silent)
})
