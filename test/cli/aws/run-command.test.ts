import { describe, expect, it } from 'vitest'
import { type Machine, type Order, type Ran, runOnMachines } from '../../../cli/aws/run-command.ts'
import { ServiceError } from '../../../cli/service-error.ts'

const ORDER: Order = {
  document: 'ticketring-edge_offboard-1',
  parameters: { Mode: 'look' },
  targets: { tag: 'ticketring', values: ['edge'] },
  comment: 'a test',
  timeout: 120,
}

interface Account {
  readonly machines: readonly Machine[]
  /** Online by the roll call, but gone. */
  readonly gone?: readonly string[]
  readonly statusOf?: (id: string) => string
  readonly never?: boolean
  readonly late?: readonly string[]
}

/** An account with these machines, three a page; a command takes two polls. */
function account({ machines, gone = [], statusOf = () => 'Success', never = false, late = [] }: Account) {
  const sent: ('all' | readonly string[])[] = []
  const told: string[] = []
  const polls = new Map<string, number>()
  let time = 0
  const page = <T>(items: readonly T[], from = 0) => ({
    items: items.slice(from, from + 3),
    next: from + 3 < items.length ? String(from + 3) : undefined,
  })
  const targetsOf = (command: string) => {
    const to = sent[Number(command)] ?? []
    return to === 'all' ? [...machines.map(({ id }) => id), ...late] : to
  }
  const run = (more: Partial<Order> = {}) =>
    runOnMachines(
      {
        machines: async (_, from) => page(machines, Number(from ?? 0)),
        send: async (_, to) => {
          if (to !== 'all' && to.some((id) => gone.includes(id))) return undefined
          return String(sent.push(to) - 1)
        },
        progress: async (command) => {
          polls.set(command, (polls.get(command) ?? 0) + 1)
          const ended = !never && polls.get(command) === 2
          return { ended, completed: ended ? targetsOf(command).length : 0 }
        },
        results: async (command, from) => {
          const results: readonly Ran[] = targetsOf(command).map((id) => ({
            id,
            status: statusOf(id),
            output: `by ${id}`,
          }))
          return page(results, Number(from ?? 0))
        },
      },
      { ...ORDER, ...more },
      {
        now: () => time,
        wait: async (ms) => {
          time += ms
        },
        onProgress: (answered, asked) => told.push(`${answered}/${asked}`),
      },
    )
  return { sent, told, polls, run, time: () => time }
}

const fleet = (count: number, offline: readonly number[] = []): readonly Machine[] =>
  Array.from({ length: count }, (_, n) => ({
    id: `i-${String(n).padStart(3, '0')}`,
    online: !offline.includes(n),
  }))

describe('a document that is run on the machines of a tag', () => {
  it('is sent once by the tag where all are online, and every page of results is read', async () => {
    const { sent, told, run } = account({ machines: fleet(8) })
    const results = await run()
    expect(sent).toEqual(['all'])
    expect(results.map(({ id, status, output }) => [id, status, output])).toEqual(
      fleet(8).map(({ id }) => [id, 'Success', `by ${id}`]),
    )
    expect(told).toEqual(['0/8', '8/8'])
  })

  it('goes to those online by name, fifty a command, where one is not, which is told all the same', async () => {
    const { sent, run } = account({ machines: fleet(120, [7]) })
    const results = await run()
    expect(sent.map((to) => to.length)).toEqual([50, 50, 19])
    expect(results).toHaveLength(120)
    expect(results.filter(({ status }) => status !== 'Success')).toEqual([
      { id: 'i-007', online: false, status: 'NotSent', output: '' },
    ])
  })

  it('reaches the others where one is gone since the roll call', async () => {
    const { run } = account({ machines: fleet(9, [0]), gone: ['i-004'] })
    const results = await run()
    expect(results.filter(({ status }) => status === 'NotSent').map(({ id }) => id)).toEqual([
      'i-000',
      'i-004',
    ])
  })

  it('tells of a machine that joined since the roll call', async () => {
    const { run } = account({ machines: fleet(2), late: ['i-900'] })
    expect((await run()).at(-1)).toMatchObject({ id: 'i-900', online: true, status: 'Success' })
  })

  it('is given up once every machine would have to be done, and what is known is told', async () => {
    const { run, time } = account({ machines: fleet(2), never: true, statusOf: () => 'InProgress' })
    expect((await run()).map(({ status }) => status)).toEqual(['InProgress', 'InProgress'])
    expect(time()).toBeGreaterThanOrEqual(270_000)
    expect(time()).toBeLessThan(275_000)
  })

  it('asks nothing of nobody', async () => {
    const { sent, run, polls } = account({ machines: fleet(2, [0, 1]) })
    expect((await run()).map(({ status }) => status)).toEqual(['NotSent', 'NotSent'])
    expect(await account({ machines: [] }).run()).toEqual([])
    expect([sent, [...polls]]).toEqual([[], []])
  })
})

describe('a document that is run on one machine', () => {
  it('goes to no other', async () => {
    const { sent, run } = account({ machines: fleet(4) })
    expect(await run({ instance: 'i-002' })).toMatchObject([{ id: 'i-002', status: 'Success' }])
    expect(sent).toEqual([['i-002']])
  })

  it('has to be of the roll call: what is nearest is named', async () => {
    const { sent, run } = account({ machines: fleet(1) })
    const failed = run({ instance: 'i-001' })
    await expect(failed).rejects.toThrow(ServiceError)
    await expect(failed).rejects.toMatchObject({
      message: 'No machine i-001 among the 1 with the tag ticketring=edge',
      next: 'Did you mean i-000?',
    })
    expect(sent).toEqual([])
  })
})
