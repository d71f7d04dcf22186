/** A ring with a Change Calendar, deployed in the loopback AWS: what it may, what it is told, what it does then. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Synthesis, synthesise } from '../../infra/app/build-app.ts'
import type { Answer } from '../../lambda/ring/answer.ts'
import { type LoopbackAws, startLoopbackAws } from '../../local/aws/loopback.ts'
import { Override } from '../../local/rehearsal/timing.ts'
import { exampleRing } from '../infra/app/example.ts'

const SHARED = 'arn:aws:ssm:us-east-1:444455556666:document/bank-holidays'
const NOT_MINE = 'arn:aws:ssm:us-east-1:444455556666:document/not-shared'
const PACE = { every: 600, ticketLifetime: 1, tick: 1, association: 600 }
const HOUR = 3_600_000

let folder: string
let synthesis: Synthesis
let aws: LoopbackAws

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ticketring-calendars-'))
  const rotation = { calendars: ['year-end', SHARED] }
  synthesis = synthesise({ rings: [exampleRing({ rotation })] }, join(folder, 'cdk.out'))
  aws = await startLoopbackAws({
    template: synthesis.template,
    assembly: synthesis.assembly,
    roles: ['terminators'],
    timing: new Override(PACE),
    schedules: 'paused',
  })
  for (const each of [SHARED, NOT_MINE]) aws.setCalendar(each, { type: 'DEFAULT_OPEN', events: [] })
}, 120_000)
afterAll(async () => {
  await aws.close()
  rmSync(folder, { recursive: true })
})

const [ACTS, LOOKS] = ['ticketring-edge-rotation', 'ticketring-edge-status']

async function ask(name: string, event: object): Promise<Answer> {
  const { payload, functionError } = await aws.invoke(name, event)
  expect(functionError).toBeUndefined()
  return payload as Answer
}

/** How often a calendar was asked for since the account is there. */
const asked = () => aws.history.calls.filter(({ operation }) => operation === 'GetCalendarState').length

it('is held while it cannot read one, held while one is closed, and goes on by the tick after it opens', async () => {
  const unread = await ask(ACTS, { action: 'reconcile' })
  expect(unread).toMatchObject({
    decision: { action: 'hold', reason: expect.stringContaining('calendar-unknown: InvalidDocument') },
    calendars: { names: ['year-end', SHARED], state: 'unread' },
  })

  const end = Math.ceil(Date.now() / 1000) * 1000 + HOUR
  aws.setCalendar('year-end', { type: 'DEFAULT_OPEN', events: [{ from: end - 2 * HOUR, to: end }] })
  const until = new Date(end).toISOString()
  const held = `held by one of the calendars year-end, ${SHARED}, until ${until}`
  for (const event of [{ action: 'reconcile' }, { action: 'rotate' }])
    expect((await ask(ACTS, event)).decision).toEqual({
      action: 'hold',
      waitsFor: 'calendar',
      reason: held,
      until,
    })
  expect(await ask(LOOKS, { action: 'status' })).toMatchObject({ calendars: { state: 'closed', until } })
  expect(aws.secretVersions('ticketring/edge')).toHaveLength(1)

  aws.setCalendar('year-end', { type: 'DEFAULT_OPEN', events: [] })
  const before = asked()
  expect(await ask(ACTS, { action: 'reconcile' })).toMatchObject({
    generation: 1,
    calendars: { state: 'open' },
  })
  expect(asked()).toBe(before + 1)
  await ask(ACTS, { action: 'reconcile' })
  expect(asked()).toBe(before + 1)
}, 120_000)

it('is allowed by the calendars’ own statement, for those that are named alone', () => {
  const calls = aws.history.calls.filter(({ operation }) => operation === 'GetCalendarState')
  const allowed = calls.flatMap(({ decisions }) => decisions)
  expect(new Set(allowed.map(({ resource }) => resource))).toEqual(
    new Set([`arn:aws:ssm:us-east-1:111122223333:document/year-end`, SHARED]),
  )
  const used = new Set(allowed.flatMap(({ statements }) => statements))
  const uses = aws.statements().filter(({ sid }) => sid === 'SeeWhetherCalendarsAreOpen')
  expect(uses).toHaveLength(2)
  expect(used).toEqual(new Set(uses.map(({ policy, index }) => `${policy}#${index}`)))
})
