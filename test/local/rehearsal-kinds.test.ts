import { expect, it } from 'vitest'
import { totalOf } from '../../local/rehearsal/clients/tally.ts'
import { timingFor } from '../../local/rehearsal/timing.ts'
import { rehearseWith } from './rehearsing.ts'

it('one rotation over Traffic Server, H2O and dnsdist, beside an nginx, loses nothing, and those that staple do', async () => {
  const fleet = { nginx: 1, trafficserver: 2, h2o: 2, dnsdist: 2 }
  const { report, problems, incidents, tally, testbed } = await rehearseWith({}, 1, timingFor(fleet), fleet)

  expect(problems).toEqual([])
  expect(incidents.examples).toEqual([])
  expect(report).toMatchObject({ ok: true, rotations: 1, generation: 2, keyBytesFound: 0 })
  expect(report.hosts.map(({ server, generation }) => `${server} ${generation}`)).toEqual([
    'nginx 2',
    'trafficserver 2',
    'trafficserver 2',
    'h2o 2',
    'h2o 2',
    'dnsdist 2',
    'dnsdist 2',
  ])
  expect(totalOf(tally)).toMatchObject({ lost: 0, failed: 0 })
  // Only machines that staple were delivered staples, and asked for them.
  const asked = testbed.ids.filter((id) => (report.staples[id]?.asked ?? 0) > 0)
  expect(asked).toEqual(testbed.stapled.map(({ id }) => id))
  expect(testbed.stapled.map(({ server }) => server)).toEqual(['nginx', 'trafficserver', 'trafficserver'])
}, 600_000)

it('a fleet without any machine that staples has no staples to show, and says so', async () => {
  const fleet = { dnsdist: 2 }
  const { report, problems, staples, said } = await rehearseWith({}, 1, timingFor(fleet), fleet)

  expect(problems).toEqual([])
  expect(report).toMatchObject({ ok: true, generation: 2 })
  expect([said, staples.phases]).toEqual([[], {}])
}, 600_000)
