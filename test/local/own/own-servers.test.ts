import { chmodSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { planOwn } from '../../../local/rehearsal/machines/fleet.ts'
import type { Kind } from '../../../local/rehearsal/machines/kinds.ts'
import { terminatorOf } from '../../../local/rehearsal/machines/kinds.ts'
import type { Machine } from '../../../local/rehearsal/machines/machine.ts'
import { makePki } from '../../../local/rehearsal/machines/pki.ts'
import {
  type RunningServer,
  startServer,
  stopServer,
} from '../../../local/rehearsal/machines/running-server.ts'
import { startBackend } from '../../../local/rehearsal/own/backend.ts'
import { readOwnConfigurations } from '../../../local/rehearsal/own/read.ts'
import { survey } from '../../../local/rehearsal/own/survey.ts'
import type { RehearsalError } from '../../../local/rehearsal/rehearsal-error.ts'
import {
  forgetDisk,
  forgetMemory,
  openWorkspace,
  type Workspace,
} from '../../../local/rehearsal/workspace.ts'
import { Scope } from '../../../local/scope.ts'
import { isLoopback } from '../../loopback-only.mjs'
import { folderWith } from './copies.ts'

const HAPROXY = 'test/local/own/haproxy.cfg'
const NGINX = 'test/local/own/nginx/nginx.conf'

const refusalOf = async (kind: 'haproxy' | 'nginx', file: string) => {
  const error = await readOwnConfigurations({ [kind]: file }).then(
    () => undefined,
    (refused: RehearsalError) => refused,
  )
  return `${error?.message}\n${error?.next}`
}

describe('a configuration that is none', () => {
  it.each([
    ['gone', () => join(folderWith({}), 'gone'), 'there is no such file'],
    ['a folder', () => folderWith({}), 'that is no file'],
    ['empty', () => join(folderWith({ a: ' \n' }), 'a'), 'it is empty'],
    [
      'a picture',
      () => join(folderWith({ a: Buffer.from([0x89, 0x50, 0xff]) }), 'a'),
      'it is no text in UTF-8',
    ],
    ['zeros', () => join(folderWith({ a: 'a\0b' }), 'a'), 'it is no text in UTF-8'],
    ['a log', () => join(folderWith({ a: '#\n'.repeat(600_000) }), 'a'), '1200000 bytes'],
  ])('is refused: %s', async (_, make, why) => {
    for (const kind of ['haproxy', 'nginx'] as const) {
      const file = make()
      expect(await refusalOf(kind, file)).toContain(`--${kind}-config ${file}: ${why}`)
    }
  })

  // Root reads whatever it wants to.
  it.skipIf(process.getuid?.() === 0)('is refused: another user’s', async () => {
    const file = join(folderWith({ a: 'global\n' }), 'a')
    chmodSync(file, 0)
    expect(await refusalOf('haproxy', file)).toContain('it cannot be read')
  })
})

describe('HAProxy', () => {
  it('takes what becomes of a configuration of a hundred lines', async () => {
    const { haproxy } = await readOwnConfigurations({ haproxy: HAPROXY })
    expect(haproxy?.said.join('\n')).toContain(
      `${HAPROXY}:60: beside it: bind unix@/run/haproxy/edge.sock mode 600 ssl crt www.example.com.pem crt shop.example.com.pem`,
    )
  })

  it('is heard about the line that its user wrote', async () => {
    const lines = readFileSync(HAPROXY, 'utf8').replace('balance leastconn', 'balance lestconn')
    const file = join(folderWith({ 'h.cfg': lines }), 'h.cfg')
    const number = lines.split('\n').findIndex((line) => line.includes('lestconn')) + 1
    const said = await refusalOf('haproxy', file)
    expect(said).toContain(`haproxy refuses ${file}:\n`)
    expect(said).toMatch(new RegExp(`parsing \\[${file}:${number}\\] : balance only supports`))
    expect(said).not.toMatch(/i-0[0-9a-f]{16}/)
  })
})

describe('nginx', () => {
  it('takes what becomes of a tree of sites', async () => {
    const { nginx } = await readOwnConfigurations({ nginx: NGINX })
    expect(nginx?.said.join('\n')).toContain(`${NGINX}:16: in http: ssl_session_ticket_key`)
  })

  it('is heard about the file and the line that its user wrote', async () => {
    const folder = folderWith({})
    cpSync('test/local/own/nginx', folder, { recursive: true })
    const site = join(folder, 'sites-enabled/www')
    const lines = readFileSync(site, 'utf8').replace('burst=40', 'burst=many')
    writeFileSync(site, lines)
    const number = lines.split('\n').findIndex((line) => line.includes('burst=many')) + 1
    const said = await refusalOf('nginx', join(folder, 'nginx.conf'))
    expect(said).toContain(`nginx refuses ${join(folder, 'nginx.conf')}:\n`)
    expect(said).toContain(`"burst=many" in ${site}:${number}\n`)
    expect(said).not.toMatch(/i-0[0-9a-f]{16}\/nginx\.conf/)
  })
})

/** Addresses of a trace of the calls that name one. */
function reached(trace: string): readonly string[] {
  const found = trace.matchAll(
    /sin6?_addr=inet_(?:addr\("([^"]+)"\)|pton\(AF_INET6, "([^"]+)"\))|inet_pton\(AF_INET6, "([^"]+)", &sin6_addr\)/g,
  )
  return [...found].map(([, four, six, other]) => (four ?? six ?? other) as string)
}

describe('nothing leaves the machine', () => {
  let workspace: Workspace
  let scope: Scope
  const running: RunningServer[] = []
  beforeEach(() => {
    workspace = openWorkspace()
    scope = new Scope()
  })
  afterEach(async () => {
    await Promise.all(running.splice(0).map(stopServer))
    await scope.close()
    forgetMemory(workspace)
    forgetDisk(workspace)
  })

  async function start(kind: Kind, file: string, trace: string): Promise<Machine> {
    const own = (await readOwnConfigurations({ [kind]: file }))[kind]
    if (own === undefined) throw new Error(`no ${kind}`)
    const plan = { proxyProtocol: false, agent: 'current', pki: makePki(workspace.disk), workspace } as const
    const machine = await planOwn(kind, plan, own, await startBackend(scope))
    mkdirSync(machine.directory)
    mkdirSync(machine.memory)
    terminatorOf(machine).configure(machine)
    for (const keys of terminatorOf(machine).keyFiles(machine)) {
      mkdirSync(dirname(keys), { recursive: true })
      writeFileSync(keys, own.standInKeys())
    }
    const calls = 'trace=connect,sendto,sendmsg,sendmmsg'
    const wrap = (argv: readonly string[]) => ['strace', '-f', '-qq', '-e', calls, '-o', trace, '--', ...argv]
    running.push(await startServer(machine, { wrap }))
    return machine
  }

  it.each([
    ['haproxy', HAPROXY],
    ['nginx', NGINX],
  ] as const)(
    'while %s starts, answers at each listener and connects to its backends',
    async (kind, file) => {
      const trace = join(workspace.disk, 'calls')
      const machine = await start(kind, file, trace)
      const { doors, said } = await survey([machine])
      expect(said).toEqual([])
      expect(doors.get(machine.id)?.length).toBeGreaterThan(1)
      await Promise.all(running.splice(0).map(stopServer))
      const addresses = reached(readFileSync(trace, 'utf8'))
      // Its backend, at least.
      expect(addresses).toContain('127.0.0.1')
      expect(addresses.filter((address) => !isLoopback(address))).toEqual([])
    },
  )

  it('is seen by the trace that shows it', () => {
    expect(
      reached('connect(5, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("192.0.2.1")}, 16)'),
    ).toEqual(['192.0.2.1'])
    expect(
      reached(
        'connect(5, {sa_family=AF_INET6, sin6_port=htons(1), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "2001:db8::1", &sin6_addr), sin6_scope_id=0}, 28)',
      ),
    ).toEqual(['2001:db8::1'])
  })
})
