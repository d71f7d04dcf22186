import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ChangeCalendars } from '../../lambda/aws/change-calendars.ts'
import type { LoopbackAws } from '../../local/aws/loopback.ts'
import { clients, joinMachine, removeFolders, startAccount } from '../local/aws/fixture.ts'

const SHARED = 'arn:aws:ssm:us-east-1:444455556666:document/bank-holidays'
const NOON = Date.parse('2026-12-24T12:00:00Z')
const HOUR = 3_600_000
const hours = (from: number, to: number) => ({ from: NOON + from * HOUR, to: NOON + to * HOUR })
const at = (hour: number) => new Date(NOON + hour * HOUR)

let aws: LoopbackAws
let now = NOON
beforeAll(async () => {
  aws = await startAccount({ clock: () => now })
  aws.setCalendar('freeze', { type: 'DEFAULT_OPEN', events: [hours(1, 5), hours(4, 8)] })
  aws.setCalendar(SHARED, { type: 'DEFAULT_CLOSED', events: [hours(-2, 3), hours(9, 10)] })
  aws.setCalendar('quiet', { type: 'DEFAULT_OPEN', events: [] })
})
afterAll(async () => {
  await aws.close()
  removeFolders()
})

/** The clients sign by this machine's clock: so does the account, but for what a calendar says. */
function stateAt(hour: number, ...names: string[]) {
  now = NOON + hour * HOUR
  const { ssm } = clients(aws)
  Object.assign(ssm.config, { systemClockOffset: now - Date.now() })
  return new ChangeCalendars(ssm).state(names)
}

describe('Change Calendars over the wire', () => {
  it.each([
    [0, ['freeze'], 'open', 1],
    [1, ['freeze'], 'closed', 8],
    [4.5, ['freeze'], 'closed', 8],
    [8, ['freeze'], 'open', undefined],
    [0, [SHARED], 'open', 3],
    [3, [SHARED], 'closed', 9],
    [11, [SHARED], 'closed', undefined],
    [0, ['quiet'], 'open', undefined],
    [0, ['freeze', SHARED], 'open', 1],
    [2, ['freeze', SHARED], 'closed', 9],
    [9, ['freeze', SHARED, 'quiet'], 'open', 10],
  ] as const)('at hour %d %j are %s, until hour %s', async (hour, names, state, until) => {
    expect(await stateAt(hour, ...names)).toEqual({
      state,
      ...(until === undefined ? {} : { until: at(until) }),
    })
  })

  it('refuse one that is not there by its code', async () => {
    await expect(stateAt(0, 'freeze', 'year-end')).rejects.toMatchObject({
      code: 'calendar-unknown',
      wanted: 'the state of the calendars freeze, year-end',
      came: expect.stringContaining('InvalidDocument'),
    })
  })

  it('are not told to who may not ask', async () => {
    now = Date.now()
    const machine = joinMachine(aws, { id: 'i-0000000000000000a' })
    const { ssm } = clients(aws, machine.credentials())
    await expect(new ChangeCalendars(ssm).state(['freeze'])).rejects.toMatchObject({
      code: 'access-denied',
      came: expect.stringContaining('ssm:GetCalendarState'),
    })
  })
})
