import { expect, it } from 'vitest'
import { totalOf } from '../../local/rehearsal/clients/tally.ts'
import { historyOf } from '../../local/rehearsal/page/history.ts'
import { pageOf } from '../../local/rehearsal/page/page.ts'
import { rehearseWith } from './rehearsing.ts'

it('a run shows a straggler, the gate that waits for it and, once all else was seen, a revoke; none of it costs a resumption', async () => {
  const said: string[] = []
  const say = (line: string, tone?: string) => said.push(`${tone ?? 'plain'} ${line}`)
  const progress = { say, state() {}, end() {} }
  const more = { show: true, progress } as const
  const result = await rehearseWith({}, 3, undefined, undefined, undefined, more)

  const { report, problems, tally, testbed } = result
  expect(problems).toEqual([])
  expect(totalOf(tally)).toMatchObject({ lost: 0, failed: 0 })
  // What the report tells of the ring is of before the revoke.
  const { rotations, generation, shown } = report
  expect(rotations).toBeGreaterThanOrEqual(3)
  expect(generation).toBe(rotations + 1)
  expect(report.hosts.map((host) => host.generation)).toEqual([
    generation,
    generation,
    generation,
    generation,
  ])

  const straggler = testbed.machines.at(-1)?.id as string
  const missing = `3 of 4 machines have confirmed generation \\d+: ${straggler} \\(endpoint-unreachable: `
  expect(shown?.straggler).toEqual([expect.stringMatching(`^nginx on ${straggler} was without .*${missing}`)])
  expect(shown?.revoke).toEqual({
    generation: generation + 1,
    refused: 4,
    stillAccepting: [],
    unproven: 0,
    seconds: expect.any(Number),
    tickets: { tried: 8, accepted: 0 },
  })
  // What its page shows of it.
  const history = historyOf(testbed, result.record, Date.now())
  const generations = Array.from({ length: generation + 1 }, (_, at) => at + 1)
  expect(history.commits.map((commit) => commit.generation)).toEqual(generations)
  expect(history.holds[0]?.reason).toMatch(new RegExp(missing))
  for (const machine of history.machines) expect(machine.generations.at(-1)?.generation).toBe(generation + 1)
  expect(history.machines.at(-1)?.runs.some(({ isGood }) => !isGood)).toBe(true)
  for (const { id } of testbed.machines) expect(pageOf(result, history)).toContain(id)

  const told = said.filter((line) => /^\w+ (straggler|gate|revoke): /.test(line))
  expect(told).toEqual([
    expect.stringMatching(`^warning straggler: Secrets Manager does not answer nginx on ${straggler}`),
    expect.stringMatching(`^warning gate: the next generation is held: ${missing}`),
    expect.stringMatching(`^good straggler: Secrets Manager answers nginx on ${straggler} again`),
    expect.stringMatching('^good gate: every machine has generation \\d+'),
    expect.stringMatching('^bad revoke: the keys have leaked'),
    expect.stringMatching(`^good revoke: generation ${generation + 1}: .* 4 proved`),
  ])
}, 600_000)
