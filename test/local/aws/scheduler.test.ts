import { afterEach, expect, test } from 'vitest'
import type { LoopbackAws } from '../../../local/aws/loopback.ts'
import { startAccount } from './fixture.ts'
import { template } from './template.ts'

let aws: LoopbackAws
afterEach(() => aws.close())

/** What the probe was told by its schedule, as it came back in its answers' place: the calls that were queued. */
function handedOver() {
  return aws.history.calls.filter(({ operation, kind }) => operation === 'Invoke' && kind === 'service')
}

function tick() {
  const schedule = aws.schedules.find(({ kind }) => kind === 'schedule')
  if (!schedule) throw new Error('no schedule')
  return schedule
}

function target({ Resources }: ReturnType<typeof template>): Record<string, unknown> {
  return Resources.Schedule?.Properties.Target as Record<string, unknown>
}

/** The schedule prints its event, so that the log shows what the function got. */
function printing() {
  const changed = template()
  target(changed).Input = '{"do":"print","text":"<aws.scheduler.scheduled-time>"}'
  return changed
}

function printed(): string[] {
  return aws.history.logs
    .filter(({ stream, text }) => stream === 'stdout' && text.includes('T'))
    .map(({ text }) => text.trim())
}

test('a rate fires at once and then every period, with its scheduled time in the input', async () => {
  aws = await startAccount({ template: printing(), schedules: 'running', timing: { period: () => 1 } })
  expect(tick().period).toBe(1)
  const gaps = () => {
    const times = printed().map((text) => Date.parse(text))
    return times.slice(1).map((time, n) => time - (times[n] ?? 0))
  }
  // A period in which the function is still busy, as at its first start on a busy processor, has no firing.
  await expect.poll(gaps).toContain(1000)
  expect(gaps().filter((gap) => gap < 1000 || gap % 1000 !== 0)).toEqual([])
  expect(printed()[0]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
})

test('a rate waits for its last event where the function ends before its configured period is over', async () => {
  const sleeping = template()
  target(sleeping).Input = '{"do":"sleep","milliseconds":2500}'
  const timing = { period: () => 1 }
  aws = await startAccount({ template: sleeping, schedules: 'running', timing })
  await expect.poll(() => handedOver().length).toBeGreaterThanOrEqual(2)
  const [first, second] = handedOver().map(({ at }) => at)
  expect(Number(second) - Number(first)).toBeGreaterThan(2400)
})

test('a paused schedule fires only when it is told to', async () => {
  aws = await startAccount({ template: printing() })
  await tick().fire(new Date('2026-11-21T19:00:00.000Z'))
  await aws.idle()
  expect(printed()).toEqual(['2026-11-21T19:00:00Z'])
})

test('delivery is at least once: a duplicate carries the same scheduled time', async () => {
  aws = await startAccount({ template: printing() })
  aws.faults.duplicates = 1
  await tick().fire(new Date('2026-11-21T19:00:00.000Z'))
  await aws.idle()
  expect(printed()).toEqual(['2026-11-21T19:00:00Z', '2026-11-21T19:00:00Z'])
})

test('the schedule invokes as its own role, which has to be allowed to', async () => {
  const denied = template()
  const Target = target(denied)
  Object.assign(Target, {
    Arn: { 'Fn::GetAtt': ['Rotation', 'Arn'] },
    RetryPolicy: { MaximumRetryAttempts: 0 },
  })
  aws = await startAccount({ template: denied })
  await tick().fire()
  expect(handedOver()).toMatchObject([{ error: 'AccessDeniedException', decisions: [{ allowed: false }] }])
  expect(handedOver()[0]?.principal).toMatch(/:assumed-role\/loopback-SchedulerRole-/)
})

test('an event that cannot be handed over goes to the dead-letter queue, if the role may write there', async () => {
  const changed = template()
  const Target = target(changed)
  const Arn = { 'Fn::GetAtt': ['Queue', 'Arn'] }
  Object.assign(Target, { DeadLetterConfig: { Arn }, RetryPolicy: { MaximumRetryAttempts: 0 } })
  changed.Resources.Queue = { Type: 'AWS::SQS::Queue', Properties: {} }
  const role = changed.Resources.SchedulerRole?.Properties.Policies as {
    PolicyDocument: { Statement: object[] }
  }[]
  aws = await startAccount({ template: changed })
  aws.faults.add({ operation: 'Invoke', when: 'before', effect: 'throttle', times: 9 })
  await tick().fire()
  expect(aws.history.failedEvents).toEqual([])
  await aws.close()
  role[0]?.PolicyDocument.Statement.push({ Effect: 'Allow', Action: 'sqs:SendMessage', Resource: Arn })
  aws = await startAccount({ template: changed })
  aws.faults.add({ operation: 'Invoke', when: 'before', effect: 'throttle', times: 9 })
  await tick().fire()
  expect(aws.history.failedEvents).toMatchObject([{ source: 'tick', event: { do: 'tick' } }])
})
