import { afterAll, describe, expect, it } from 'vitest'
import { countCalls } from '../../bench/calls.ts'
import { PAGE } from '../../bench/loopback-account.ts'
import { Scope } from '../../local/scope.ts'

const scope = new Scope()
afterAll(() => scope.close())

describe.each([
  ['schedule', 11],
  ['secrets-manager', 15],
] as const)('a rotation with the trigger %s, over the wire', (trigger, most) => {
  it.each([1, 120])(
    `takes no more than ${most} calls with %i machines, beside polls and pages`,
    async (machines) => {
      const counts = await countCalls(trigger, machines, { scope, progress: { state() {} } })
      const sum = (ours: (operation: string) => boolean) =>
        [...counts].reduce((all, [operation, count]) => all + (ours(operation) ? count : 0), 0)
      const of = (name: string) => sum((operation) => operation.split(',')[0] === name)
      const pages = Math.ceil(machines / PAGE)
      expect(of('DescribeInstanceInformation')).toBe(pages)
      expect(of('ListCommandInvocations')).toBe(pages)
      expect(of('SendCommand')).toBe(1)
      expect(sum(() => true) - of('ListCommands')).toBeLessThanOrEqual(most + 2 * pages)
    },
  )

  it('takes one more where calendars hold it', async () => {
    const progress = { state() {} }
    const counts = await countCalls(trigger, 1, { scope, progress, calendars: ['year-end', 'sale'] })
    expect(counts.get('GetCalendarState')).toBe(1)
    const without = await countCalls(trigger, 1, { scope, progress })
    const sum = (all: ReadonlyMap<string, number>) =>
      [...all].reduce((total, [operation, count]) => total + (operation === 'ListCommands' ? 0 : count), 0)
    expect(sum(counts)).toBe(sum(without) + 1)
  })
})
