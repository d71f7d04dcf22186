import { expect, it } from 'vitest'
import { totalOf } from '../../local/rehearsal/clients/tally.ts'
import { readOwnConfigurations } from '../../local/rehearsal/own/read.ts'
import { folderWith } from './own/copies.ts'
import { QUICK, rehearseWith } from './rehearsing.ts'

it('two machines with a haproxy.cfg of the user’s and two with an nginx.conf go through two rotations, and clients lose nothing at its listeners', async () => {
  const own = await readOwnConfigurations({
    haproxy: 'test/local/own/haproxy.cfg',
    nginx: 'test/local/own/nginx/nginx.conf',
  })
  const { report, problems, tally, testbed } = await rehearseWith(
    {},
    2,
    QUICK,
    { haproxy: 2, nginx: 2 },
    undefined,
    {
      own,
    },
  )

  expect(problems).toEqual([])
  expect(report).toMatchObject({ ok: true, rotations: 2, generation: 3, keyBytesFound: 0 })
  expect(totalOf(tally)).toMatchObject({ lost: 0, failed: 0 })
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
    expect(report.resumption[version].reused).toBeGreaterThan(10)
  expect(report.retired).toMatchObject({ accepted: 0 })
  // Each of two addresses is asked for all names.
  const doors = testbed.members.map(({ id }) => testbed.doors.get(id)?.length)
  expect(doors).toEqual([4, 4, 8, 8])
  expect(testbed.ring.name).toBe('edge')
}, 300_000)

it('of two kinds each is asked in the TLS versions that it takes', async () => {
  const folder = folderWith({
    'h.cfg':
      'defaults\nmode http\ntimeout client 5s\nfrontend f\nbind :443 ssl crt a\nhttp-request return status 403\n',
    'n.conf':
      'http { server { listen 443 ssl; ssl_protocols TLSv1.2; ssl_certificate a; ssl_certificate_key b; } }',
  })
  const own = await readOwnConfigurations({ haproxy: `${folder}/h.cfg`, nginx: `${folder}/n.conf` })
  const fleet = { haproxy: 2, nginx: 2 }
  const { problems, report, testbed } = await rehearseWith({}, 1, QUICK, fleet, undefined, { own })

  expect(problems).toEqual([])
  expect(report).toMatchObject({ ok: true, generation: 2 })
  const versions = testbed.members.map((machine) => testbed.versionsOf(machine).length)
  expect(versions).toEqual([2, 2, 1, 1])
}, 300_000)
