import { expect, it } from 'vitest'
import { totalOf } from '../../local/rehearsal/clients/tally.ts'
import { readOwnConfigurations } from '../../local/rehearsal/own/read.ts'
import { QUICK, rehearseWith } from './rehearsing.ts'

it('two machines with a haproxy.cfg of the user’s go through two rotations, and clients lose nothing at its listeners', async () => {
  const own = await readOwnConfigurations({ haproxy: 'test/local/own/haproxy.cfg' })
  const { report, problems, tally, testbed } = await rehearseWith({}, 2, QUICK, { haproxy: 2 }, undefined, {
    own,
  })

  expect(problems).toEqual([])
  expect(report).toMatchObject({ ok: true, rotations: 2, generation: 3, keyBytesFound: 0 })
  expect(totalOf(tally)).toMatchObject({ lost: 0, failed: 0 })
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
    expect(report.resumption[version].reused).toBeGreaterThan(10)
  expect(report.retired).toMatchObject({ accepted: 0 })
  // Each of two addresses is asked for both names.
  for (const { id } of testbed.members) expect(testbed.doors.get(id)).toHaveLength(4)
  expect(testbed.ring.name).toBe('edge')
}, 300_000)
