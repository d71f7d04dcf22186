/** A ring is taken off a machine: on file systems of its own, with a systemctl that notes what it was asked. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { parseConfiguration } from '../../infra/app/configuration.ts'
import { readContext } from '../../infra/app/context.ts'
import { buildOffboardDocument } from '../../infra/ring/offboard.ts'
import { tmpfsDirectory } from './terminators.ts'

const scratch = tmpfsDirectory()
afterAll(() => rmSync(scratch, { recursive: true }))

/** File systems and processes of its own: others on this machine name such files too. */
const APART = ['--mount', '--pid', '--fork', '--mount-proc', '--kill-child']
const HASH = 'a'.repeat(64)
const LIBRARY = '/usr/local/lib/ticketring'
const UNITS = '/etc/systemd/system'
/** What deliveries of the rings `edge` and, if so, `api` have left. */
const DELIVERED = [
  `mkdir -p /run/ticketring/edge ${LIBRARY}/${HASH} ${UNITS}/timers.target.wants /run/systemd/system`,
  'touch /run/ticketring/edge/haproxy.keys /run/ticketring/edge/nginx.current.key /run/ticketring/edge/nginx.next.key',
  'touch /run/ticketring/edge/nginx.previous.key /run/ticketring/edge/state',
  `touch ${LIBRARY}/${HASH}/ticketring.pyz ${LIBRARY}/edge.conf ${LIBRARY}/edge.before && ln -s ${HASH} ${LIBRARY}/current-ring`,
  `touch ${UNITS}/ticketring-boot@edge.service ${UNITS}/ticketring-pull@edge.service ${UNITS}/ticketring-pull@edge.timer`,
]
const OTHER_RING = [
  `touch ${LIBRARY}/api.conf ${UNITS}/ticketring-boot@api.service`,
  'mkdir -p /run/ticketring/api && touch /run/ticketring/api/haproxy.keys',
]
const LEFT = [LIBRARY, '/run/ticketring', UNITS]

let directory: string
let machines = 0
beforeEach(() => {
  machines += 1
  directory = join(scratch, `machine-${machines}`)
  mkdirSync(join(directory, 'tools'), { recursive: true })
})

function script(mode: 'look' | 'remove'): string {
  const [first] = parseConfiguration(readContext().ticketring).rings
  if (first === undefined) throw new Error('cdk.json has no example any more')
  const { content } = buildOffboardDocument(first)
  return content.mainSteps[0].inputs.runCommand.join('\n').replaceAll('{{Mode}}', mode)
}

/** Runs it behind these lines of sh, where nothing that this machine keeps can be written. */
function offboard(mode: 'look' | 'remove', steps: readonly string[]) {
  const at = (name: string) => join(directory, name)
  writeFileSync(at('tools/systemctl'), `#!/bin/sh\necho "$*" >>${at('asked')}\n`, { mode: 0o755 })
  writeFileSync(at('asked'), '')
  writeFileSync(at('offboard'), script(mode))
  const fence = ['/run', '/etc', '/usr/local'].map((place) => `mount -t tmpfs -o mode=755 tmpfs ${place}`)
  const lines = [
    ...fence,
    `mkdir -p ${UNITS} /usr/local/lib`,
    ...steps,
    `sh ${at('offboard')} >${at('out')} || echo "exit $?" >>${at('out')}`,
    `find ${LEFT.join(' ')} ! -type d 2>/dev/null | sort >${at('left')} || true`,
  ]
  const { stderr, status } = spawnSync('unshare', [...APART, 'sh', '-ec', lines.join('\n')], {
    encoding: 'utf8',
    env: { PATH: `${at('tools')}:/usr/sbin:/usr/bin:/sbin:/bin` },
  })
  expect(status, stderr).toBe(0)
  const [line = '', ...rest] = readFileSync(at('out'), 'utf8').trim().split('\n')
  const linesOf = (name: string) => readFileSync(at(name), 'utf8').split('\n').slice(0, -1)
  return { ...JSON.parse(line), exit: rest.join(), asked: linesOf('asked'), left: linesOf('left') }
}

const named = (file: string, line: string) => [`mkdir -p "$(dirname ${file})"`, `echo '${line}' >>${file}`]

describe('a machine that is asked which lines still name the files of a ring', () => {
  it.each([
    [
      'haproxy.cfg',
      '/etc/haproxy/haproxy.cfg',
      'bind :443 ssl tls-ticket-keys /run/ticketring/edge/haproxy.keys',
    ],
    ['nginx', '/etc/nginx/conf.d/a.conf', 'ssl_session_ticket_key /run/ticketring/edge/nginx.next.key;'],
    [
      'an alias of the path',
      '/etc/nginx/nginx.conf',
      'ssl_session_ticket_key "/var/run/ticketring/edge/nginx.next.key";',
    ],
    [
      'a configuration below /usr/local',
      '/usr/local/etc/h2o.conf',
      '  file: /run/ticketring/edge/haproxy.keys',
    ],
    [
      'a path with a slash too many',
      '/etc/haproxy/haproxy.cfg',
      'bind :443 ssl tls-ticket-keys /run//ticketring/./edge/haproxy.keys',
    ],
    [
      'a word on a line of its own',
      '/etc/systemd/system/edge.service',
      '  --keys /run/ticketring/edge/haproxy.keys',
    ],
  ])('names the file and its line: %s', (_, file, line) => {
    const steps = [...DELIVERED, ...named(file, 'first'), ...named(file, line)]
    expect(offboard('look', steps)).toMatchObject({
      offboard: 'named',
      named: [`${file}:2`],
      more: 0,
      exit: 'exit 1',
    })
  })

  it('finds what another file includes from elsewhere', () => {
    const steps = [
      'mkdir -p /run/site',
      ...named('/etc/nginx/nginx.conf', 'http { include /run/site/*.conf; }'),
      ...named('/run/site/a.conf', 'ssl_session_ticket_key /run/ticketring/edge/nginx.next.key;'),
    ]
    expect(offboard('look', steps)).toMatchObject({ offboard: 'named', named: ['/run/site/a.conf:1'] })
  })

  it('finds what a server that runs was given', () => {
    const steps = [
      'mkdir -p /run/site',
      ...named('/run/site/haproxy.cfg', 'bind :443 ssl tls-ticket-keys /run/ticketring/edge/haproxy.keys'),
      'tail -f /run/site/haproxy.cfg >/dev/null 2>&1 &',
      // Until then it is the shell that starts it.
      `until [ "$(head -c 4 /proc/$!/cmdline)" = tail ]; do sleep 0.1; done`,
    ]
    expect(offboard('look', steps)).toMatchObject({ named: ['/run/site/haproxy.cfg:1'] })
  })

  it('finds what a file elsewhere includes from beside it', () => {
    const steps = [
      ...named('/etc/systemd/system/h2o.service', 'ExecStart=/usr/bin/h2o -m worker -c /run/site/h2o.conf'),
      ...named('/run/site/h2o.conf', 'include "sites/*.conf"'),
      ...named('/run/site/sites/a.conf', 'file: /run/ticketring/edge/haproxy.keys'),
    ]
    expect(offboard('look', steps)).toMatchObject({ named: ['/run/site/sites/a.conf:1'] })
  })

  it('finds what a real nginx was given, whose words are one', () => {
    const steps = [
      'echo root:x:0:0::/:/bin/sh >/etc/passwd; echo root:x:0: >/etc/group',
      ...named('/run/site/nginx.conf', 'user root root; pid /run/site/pid; error_log /dev/null; events {}'),
      // No server, so nothing listens.
      ...named(
        '/run/site/nginx.conf',
        'http { access_log off; ssl_session_ticket_key /run/ticketring/edge/nginx.next.key; }',
      ),
      'nginx -c /run/site/nginx.conf -e /dev/null',
      'until [ -s /run/site/pid ]; do sleep 0.1; done',
    ]
    expect(offboard('look', steps)).toMatchObject({ named: ['/run/site/nginx.conf:2'] })
  })

  it.each([
    ['file', '/run/ticketring/edge/haproxy.keys', '/etc/haproxy/tickets'],
    ['directory', '/run/ticketring/edge', '/etc/nginx/tickets'],
  ])('finds a link to a %s of it', (_, target, link) => {
    const steps = [`mkdir -p $(dirname ${link})`, `ln -s ${target} ${link}`]
    expect(offboard('look', steps)).toMatchObject({ offboard: 'named', named: [link] })
  })

  it('finds that a container was given its directory', () => {
    const steps = [
      ...DELIVERED,
      'mkdir -p /run/box/usr /run/box/keys && mount -t tmpfs tmpfs /run/box && mkdir /run/box/usr /run/box/keys',
      'mount --bind /usr /run/box/usr && mount --bind /run/ticketring/edge /run/box/keys',
      'ln -s usr/lib /run/box/lib && ln -s usr/lib64 /run/box/lib64 && ln -s usr/bin /run/box/bin',
      'touch /run/box/log && unshare --mount chroot /run/box tail -f /log >/dev/null 2>&1 &',
      `until [ "$(head -c 4 /proc/$!/cmdline)" = tail ]; do sleep 0.1; done`,
    ]
    expect(offboard('look', steps)).toMatchObject({
      offboard: 'named',
      named: [expect.stringMatching(/^\/proc\/\d+\/mountinfo:\d+$/)],
    })
  })

  it.each([
    ['a comment', '# tls-ticket-keys /run/ticketring/edge/haproxy.keys'],
    ["another ring's file", 'tls-ticket-keys /run/ticketring/edge2/haproxy.keys'],
    ['a file of the same directory of another ring', 'tls-ticket-keys /run/ticketring/edge.d/haproxy.keys'],
  ])('passes over %s, and removes nothing', (_, line) => {
    const found = offboard('look', [...DELIVERED, ...named('/etc/haproxy/haproxy.cfg', line)])
    expect(found).toMatchObject({ offboard: 'clear', exit: '' })
    expect(found.left).toContain('/run/ticketring/edge/haproxy.keys')
    expect(found.asked).toEqual([])
  })

  it("goes by the machine's own settings too", () => {
    const steps = [
      ...named('/etc/ticketring/edge.conf', 'HAPROXY_KEYS=/run/mine/tickets'),
      ...named('/etc/haproxy/haproxy.cfg', 'bind :443 ssl tls-ticket-keys /run/mine/tickets'),
    ]
    expect(offboard('look', steps)).toMatchObject({
      offboard: 'named',
      named: ['/etc/haproxy/haproxy.cfg:1'],
    })
  })
})

describe('a machine that is to remove a ring', () => {
  it('removes nothing while one line names a file of it', () => {
    const line = 'bind :443 ssl tls-ticket-keys /run/ticketring/edge/haproxy.keys'
    const found = offboard('remove', [...DELIVERED, ...named('/etc/haproxy/haproxy.cfg', line)])
    expect(found).toMatchObject({ offboard: 'named', exit: 'exit 1', asked: [] })
    expect(found.left).toContain('/run/ticketring/edge/haproxy.keys')
    expect(found.left).toContain(`${UNITS}/ticketring-boot@edge.service`)
  })

  it('removes units, keys, settings and the program, and leaves nothing', () => {
    const found = offboard('remove', DELIVERED)
    expect(found).toMatchObject({ offboard: 'removed', exit: '', left: [] })
    expect(found.removed).toContain('/run/ticketring/edge/nginx.previous.key')
    expect(found.asked).toEqual([
      'disable --now ticketring-boot@edge.service ticketring-pull@edge.timer',
      'daemon-reload',
    ])
  })

  it('leaves what another ring needs', () => {
    const { left } = offboard('remove', [...DELIVERED, ...OTHER_RING])
    expect(left).toEqual(
      [
        `${UNITS}/ticketring-boot@api.service`,
        '/run/ticketring/api/haproxy.keys',
        `${LIBRARY}/${HASH}/ticketring.pyz`,
        `${LIBRARY}/api.conf`,
        `${LIBRARY}/current-ring`,
      ].sort(),
    )
  })

  it('leaves the keys of another ring that its settings name', () => {
    const steps = [...DELIVERED, ...OTHER_RING]
    const path = '/run/ticketring/api/haproxy.keys'
    const found = offboard('remove', [...steps, ...named(`${LIBRARY}/edge.conf`, `HAPROXY_KEYS=${path}`)])
    expect(found).toMatchObject({ offboard: 'failed', error: 'path-unsafe', asked: [] })
    expect(found.left).toContain(path)
    expect(found.left).toContain('/run/ticketring/edge/haproxy.keys')
  })

  it('leaves the keys elsewhere that another ring has too', () => {
    const steps = [...DELIVERED, ...OTHER_RING, 'mkdir /run/both && touch /run/both/tickets']
    const both = ['edge', 'api'].flatMap((ring) =>
      named(`${LIBRARY}/${ring}.conf`, 'HAPROXY_KEYS=/run/both/tickets'),
    )
    expect(offboard('remove', [...steps, ...both])).toMatchObject({
      offboard: 'failed',
      error: 'path-unsafe',
      detail: expect.stringContaining('/run/both/tickets'),
      asked: [],
    })
  })

  it('removes nothing from a machine that its owner holds', () => {
    const found = offboard('remove', [...DELIVERED, 'echo sale >/run/ticketring/hold'])
    expect(found).toMatchObject({ offboard: 'failed', error: 'held-on-machine', asked: [] })
    expect(found.left).toContain('/run/ticketring/edge/haproxy.keys')
  })

  it('can be asked again', () => {
    expect(offboard('remove', [...DELIVERED, `sh ${join(directory, 'offboard')}`])).toMatchObject({
      offboard: 'removed',
      removed: [],
      exit: '',
      left: [],
    })
  })

  it('follows no link of another user on its way', () => {
    const steps = [
      ...DELIVERED,
      'mkdir -p /run/hers && touch /run/hers/haproxy.keys && chown -R 1234 /run/hers',
      'mv /run/ticketring/edge /run/ticketring/was && ln -s /run/hers /run/ticketring/edge && chown -h 1234 /run/ticketring/edge',
    ]
    expect(offboard('remove', steps)).toMatchObject({
      offboard: 'failed',
      error: 'path-unsafe',
      exit: 'exit 1',
    })
  })
})
