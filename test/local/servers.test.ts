import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readContext } from '../../infra/app/build-app.ts'
import { serialiseRequest } from '../../lambda/ocsp/request.ts'
import { toLayout } from '../../lambda/ring/layouts.ts'
import { genesis, keysOf, type Ring } from '../../lambda/ring/ring.ts'
import type { TicketKey } from '../../lambda/ring/ticket-key.ts'
import { isUnderKey, keyNameOf } from '../../local/rehearsal/clients/ticket.ts'
import {
  askForStaple,
  TLS_VERSIONS,
  type TlsVersion,
  visit,
} from '../../local/rehearsal/clients/tls-client.ts'
import { hostOf, planFleet } from '../../local/rehearsal/machines/fleet.ts'
import { isStapled, KINDS, type Kind, terminatorOf } from '../../local/rehearsal/machines/kinds.ts'
import type { Machine } from '../../local/rehearsal/machines/machine.ts'
import { makePki, type Pki } from '../../local/rehearsal/machines/pki.ts'
import { freePorts } from '../../local/rehearsal/machines/ports.ts'
import { type RunningServer, startServer, stopServer } from '../../local/rehearsal/machines/running-server.ts'
import { ExecTrace } from '../../local/rehearsal/secrecy/exec-trace.ts'
import { judgeSighting, subjectOfChain } from '../../local/rehearsal/staples/observed-staple.ts'
import { Responder } from '../../local/rehearsal/staples/responder.ts'
import { forgetDisk, forgetMemory, openWorkspace } from '../../local/rehearsal/workspace.ts'
import { dnsdistKeys } from '../agent/dnsdist.ts'
import { h2oKeys } from '../agent/h2o.ts'
import { lighttpdKey } from '../agent/lighttpd.ts'
import { trafficserverKeys } from '../agent/trafficserver.ts'

const workspace = openWorkspace()
const trace = new ExecTrace(workspace.traces)
const ring = genesis('edge', '00000000-0000-4000-8000-000000000000', {
  parent: 'p',
  now: new Date(0),
  random: randomBytes,
})
const servers: RunningServer[] = []
const FLEET = Object.fromEntries(KINDS.map((kind) => [kind, 2]))
let pki: Pki
let machines: readonly Machine[]

/** What each kind reads its keys from, in the order of its files. */
const CONTENTS: Readonly<Record<Kind, (ring: Ring) => readonly (string | Buffer)[]>> = {
  haproxy: (ring) => [
    keysOf(ring)
      .map((key) => `${toLayout(key, 'haproxy-80').toString('base64')}\n`)
      .join(''),
  ],
  nginx: ({ previous, current, next }) => [current, next, previous].map((key) => toLayout(key, 'nginx-80')),
  trafficserver: (ring) => [trafficserverKeys(ring)],
  h2o: (ring) => [h2oKeys(ring)],
  dnsdist: (ring) => [dnsdistKeys(ring)],
  lighttpd: (ring) => [lighttpdKey(ring)],
}
/** Neither puts a session-id context into its tickets, so that each takes the other's. */
const WITHOUT_CONTEXT: readonly Kind[] = ['h2o', 'dnsdist']

/** Of the others H2O does without a header, and Traffic Server waits for one for as long as its client. */
const DEMANDING: readonly Kind[] = ['haproxy', 'nginx', 'lighttpd']

/** What the instance's script does: the files that a server reads its keys from. */
function placeKeys(machine: Machine, ring: Ring): void {
  const files = terminatorOf(machine).keyFiles(machine)
  for (const file of files) mkdirSync(dirname(file), { recursive: true })
  for (const [at, content] of CONTENTS[machine.server](ring).entries())
    writeFileSync(files[at] as string, content)
}

/** What the instance's script does: the file that a server staples from. */
function placeStaple(machine: Machine, response: Buffer): void {
  const file =
    machine.server === 'haproxy'
      ? join(machine.directory, 'certificates', 'www.pem.ocsp')
      : join(machine.directory, 'staples', 'www.ocsp')
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, response)
  if (machine.server === 'nginx')
    writeFileSync(`${file}.conf`, `ssl_stapling on;\nssl_stapling_file ${file};\n`)
}

/** What the staple function does: a response for www. */
async function fetchResponse(): Promise<Buffer> {
  const [port] = (await freePorts(1)) as [number]
  const log = join(workspace.disk, 'responder.log')
  const responder = new Responder({ files: pki.responder, port, minutes: 15, log })
  await responder.start()
  const headers = { 'content-type': 'application/ocsp-request', connection: 'close' }
  const body = new Uint8Array(serialiseRequest(subjectOf(pki), 'sha1'))
  const response = await fetch(responder.url, { method: 'POST', headers, body })
  const der = Buffer.from(await response.arrayBuffer())
  await responder.stop()
  return der
}

const subjectOf = ({ certificate }: Pick<Pki, 'certificate'>) =>
  subjectOfChain(readFileSync(certificate, 'utf8'))

beforeAll(async () => {
  // Nothing listens there: Traffic Server staples for no certificate that names no responder.
  pki = makePki(workspace.disk, 'http://127.0.0.1:9/')
  const response = await fetchResponse()
  machines = await planFleet(FLEET, { name: 'edge', ticketLifetime: 7200 }, pki, workspace)
  for (const machine of machines) {
    placeKeys(machine, ring)
    if (isStapled(machine.server)) placeStaple(machine, response)
    servers.push(await startServer(machine, trace))
    while ((await nameAt(machine)) !== ring.current.name) await pause(25)
  }
})

afterAll(async () => {
  await Promise.all(servers.map(stopServer))
  forgetMemory(workspace)
  forgetDisk(workspace)
})

const target = (machine: Machine, plain = false) =>
  plain ? { ...hostOf(machine), port: machine.plainPort, proxyProtocol: false } : hostOf(machine)
const come = (machine: Machine, version: TlsVersion, session?: Buffer) =>
  visit(target(machine), { authority: pki.authority, version, ...(session === undefined ? {} : { session }) })
/** Of the key that a machine encrypts with: a server may read its file after it has begun to serve. */
const nameAt = async (machine: Machine) =>
  keyNameOf((await come(machine, 'TLSv1.3')).ticket ?? Buffer.alloc(0))
const isMac = (ticket: Buffer | undefined, key: TicketKey) => ticket !== undefined && isUnderKey(ticket, key)

describe.each(TLS_VERSIONS)('a client in %s', (version) => {
  it('gets from every machine a ticket whose name and MAC are those of the current key', async () => {
    for (const machine of machines) {
      const { ticket, reused } = await come(machine, version)
      expect(reused).toBe(false)
      expect(keyNameOf(ticket as Buffer)).toBe(ring.current.name)
      expect(isMac(ticket, ring.current)).toBe(true)
      expect(isMac(ticket, ring.previous)).toBe(false)
    }
  })

  it('resumes on every machine of the kind, behind PROXY protocol or not, and on none of another kind but where neither has a context', async () => {
    for (const from of machines) {
      const { session } = await come(from, version)
      for (const to of machines) {
        const { reused } = await come(to, version, session)
        const isAlike =
          from.server === to.server || [from, to].every(({ server }) => WITHOUT_CONTEXT.includes(server))
        expect(reused, `${from.server} to ${to.server}`).toBe(isAlike)
      }
    }
  })

  it('is given by every machine that staples the staple of the certificate it names, and none where there is no file', async () => {
    for (const machine of machines.filter(({ server }) => isStapled(server))) {
      for (const certificate of machine.pki.certificates) {
        const { name, serverName } = certificate
        const asked = { authority: pki.authority, version }
        const staple = await askForStaple({ ...target(machine), serverName }, asked)
        const { outcome } = judgeSighting(staple, subjectOf(certificate), new Date())
        expect(outcome, `${name} on ${machine.server}`).toBe(name === 'www' ? 'good' : 'missing')
      }
    }
  })

  it('fails without the PROXY header where one is demanded, and sees the same key on the plain listener beside it', async () => {
    for (const machine of machines.filter(({ proxyProtocol }) => proxyProtocol)) {
      const bare = { ...target(machine), proxyProtocol: false }
      if (DEMANDING.includes(machine.server))
        await expect(visit(bare, { authority: pki.authority, version })).rejects.toThrow()
      const { ticket } = await visit(target(machine, true), { authority: pki.authority, version })
      expect(isMac(ticket, ring.current)).toBe(true)
    }
  })
})

it('of each kind that can be the last machine is behind PROXY protocol, and one has an old agent', () => {
  expect(machines.map(({ server, proxyProtocol, agent }) => `${server} ${proxyProtocol} ${agent}`)).toEqual([
    'haproxy false current',
    'haproxy true old',
    'nginx false current',
    'nginx true old',
    'trafficserver false current',
    'trafficserver true old',
    'h2o false current',
    'h2o true old',
    'dnsdist false current',
    'dnsdist false old',
    'lighttpd false current',
    'lighttpd true old',
  ])
})

it('the execs of the servers were traced with their arguments', () => {
  const texts = trace.collect(true).map(({ text }) => text.toString())
  expect(texts).toContain('haproxy')
  expect(texts).toContain('nginx')
  expect(texts).toContain('traffic_manager')
  expect(texts.some((text) => text.startsWith('PATH='))).toBe(true)
})

it('the example configurations name the files and listeners of the example in cdk.json', () => {
  const [{ servers }] = (readContext() as unknown as Example).ticketring.rings
  const haproxy = readFileSync('docs/examples/haproxy.cfg', 'utf8')
  const nginx = readFileSync('docs/examples/nginx.conf', 'utf8')
  expect(haproxy).toContain(`tls-ticket-keys ${servers.haproxy.keys}\n`)
  expect(haproxy).toContain(`stats socket ${servers.haproxy.socket} `)
  const proof = servers.haproxy.verify[0].address?.replace('unix:', 'unix@')
  expect(haproxy).toContain(`bind ${proof} mode 600 ssl`)
  expect(nginx).toContain(`${servers.nginx.keys}/nginx.current.key;`)
  expect(nginx).toContain(`listen ${servers.nginx.verify[0].address} ssl;`)
  expect(nginx).toContain(`server_name ${servers.nginx.verify[0].serverName};`)
})

interface Example {
  ticketring: {
    rings: [
      {
        servers: Record<
          'haproxy' | 'nginx',
          { keys: string; socket: string; verify: [Record<string, string>] }
        >
      },
    ]
  }
}
