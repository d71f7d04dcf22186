import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RE2JS } from 're2js'
import { afterAll, describe, expect, it } from 'vitest'
import { parseConfiguration } from '../../../infra/app/configuration.ts'
import { ownProgram } from '../../../infra/program/program.ts'
import { programFor } from '../../../infra/program/selection.ts'
import type { RingConfiguration } from '../../../infra/ring/configuration.ts'
import { buildRingDocument, executionOf } from '../../../infra/ring/document.ts'
import { standIn } from '../../agent/stand-in.ts'
import { EXAMPLE_KINDS, type ExampleRing, exampleRing, HAPROXY, NGINX, settingsIn } from '../app/example.ts'

function ringOf(replaced: ExampleRing = {}): RingConfiguration {
  const [ring] = parseConfiguration({ rings: [exampleRing(replaced)] }).rings
  if (ring === undefined) throw new Error('no ring')
  return ring
}

const scratch = mkdtempSync(join(tmpdir(), 'ticketring-document-'))
afterAll(() => rmSync(scratch, { recursive: true }))

/** A program with this one line. */
const otherProgram = (line: string) => standIn(scratch, 'x', `${line}\n`)

function linesOf(replaced?: ExampleRing): readonly string[] {
  return buildRingDocument(ringOf(replaced), ownProgram()).content.mainSteps[0].inputs.runCommand
}

describe('what a machine is given to run', () => {
  it('is valid sh as a whole', () => {
    expect(() => execFileSync('sh', ['-n'], { input: linesOf().join('\n') })).not.toThrow()
  })

  it('names the program by its hash, so that a result line can be held to it', () => {
    expect(buildRingDocument(ringOf(), ownProgram()).script).toBe(
      programFor('ring', ownProgram(), EXAMPLE_KINDS).version,
    )
  })

  it('takes the generation from the variable of a new agent and from the text of an old one', () => {
    const [, first] = linesOf()
    const print = (line: string | undefined, environment: Record<string, string>) =>
      execFileSync('sh', ['-c', `${line}\nprintf %s "$SSM_Generation"`], {
        env: environment,
        encoding: 'utf8',
      })
    expect(print(first, { SSM_Generation: '7' })).toBe('7')
    expect(print(first?.replace('{{Generation}}', '8'), {})).toBe('8')
  })

  it('carries every setting', () => {
    expect(settingsIn(linesOf())).toEqual([
      'SECRET=ticketring/edge',
      'HAPROXY_KEYS=/run/ticketring/edge/haproxy.keys',
      'HAPROXY_KEY_SIZE=80',
      'HAPROXY_SOCKET=/run/haproxy/admin.sock',
      'HAPROXY_OWNER=root',
      'HAPROXY_VERIFY=127.0.0.1:8444=www.example.com',
      'NGINX_KEYS=/run/ticketring/edge',
      'NGINX_KEY_SIZE=80',
      'NGINX_TEST=nginx -t',
      'NGINX_RELOAD=systemctl reload nginx',
      'NGINX_OWNER=root',
      'NGINX_VERIFY=127.0.0.1:8445=www.example.com',
      'MODE=enforce',
      'TICKET_LIFETIME=7200',
      'REPAIR_EVERY=1800',
      'STALE_AFTER=172800',
    ])
  })

  const settingsOf = (replaced: ExampleRing) =>
    linesOf(replaced).filter((line) =>
      /^(ENDPOINT|MIXED|HAPROXY_GUARDED|NGINX_GUARDED|HAPROXY_VERIFY)/.test(line),
    )

  it.each(['secretsmanager', 'autoscaling'])('names the endpoint of %s, where it is another', (service) => {
    const endpoint = `https://vpce-0123-abcd.${service}.eu-west-1.vpce.amazonaws.com`
    expect(settingsOf({ endpoints: { [service]: endpoint } })).toEqual([
      expect.stringContaining('HAPROXY_VERIFY'),
      `ENDPOINT_${service.toUpperCase()}=${endpoint}`,
    ])
  })

  it('names a listener by its IPv6 address, in brackets', () => {
    const haproxy = { ...HAPROXY, verify: [{ address: '[::1]:443', serverName: 'www.example.com' }] }
    expect(settingsOf({ servers: { haproxy } })).toContain('HAPROXY_VERIFY=[::1]:443=www.example.com')
  })

  it('tells guarded listeners from open ones, where they are mixed and checked', () => {
    const open = { address: '127.0.0.1:8444', serverName: 'www.example.com' }
    const guarded = {
      address: '127.0.0.1:8446',
      serverName: 'api.example.com',
      clientCertificate: 'required',
    }
    const more = { ...guarded, address: 'unix:/run/haproxy/api.sock' }
    const client = { certificate: '/etc/haproxy/proof.pem', key: '/etc/haproxy/proof.key' }
    const haproxy = { ...HAPROXY, verify: [open, guarded, more], client }
    const mixedClientAuthentication = 'checked'
    const told = settingsOf({ servers: { haproxy }, mixedClientAuthentication })
    expect(told.map((line) => line.replace(/'$/, '')).sort()).toEqual([
      'HAPROXY_GUARDED=127.0.0.1:8446=api.example.com unix:/run/haproxy/api.sock=api.example.com',
      'HAPROXY_VERIFY=127.0.0.1:8444=www.example.com 127.0.0.1:8446=api.example.com unix:/run/haproxy/api.sock=api.example.com',
      'MIXED_CLIENT_AUTHENTICATION=checked',
    ])
  })

  it('runs on Linux only, for less than a tick', () => {
    const [step] = buildRingDocument(ringOf(), ownProgram()).content.mainSteps
    expect(step.precondition).toEqual({ StringEquals: ['platformType', 'Linux'] })
    expect(Number(step.inputs.timeoutSeconds)).toBeLessThan(300)
  })

  it('has more time where a kind of server takes its keys one for each look, and the program and its lock have it too', () => {
    const servers = { haproxy: HAPROXY, lighttpd: { ...NGINX, keys: '/run/ticketring/edge/lighttpd.key' } }
    const ring = ringOf({ servers })
    const [step] = buildRingDocument(ring, ownProgram()).content.mainSteps
    // Two looks for each of three keys, one in 64 seconds, beside what every kind has.
    expect(Number(step.inputs.timeoutSeconds)).toBeGreaterThanOrEqual(120 + 6 * 64)
    expect(executionOf(ring.servers)).toBe(Number(step.inputs.timeoutSeconds))
    const told = Object.fromEntries(settingsIn(linesOf({ servers })).map((line) => line.split('=')))
    expect(Number(told.RUN_SECONDS)).toBe(executionOf(ring.servers) - 20)
    expect(Number(told.LOCK_WAIT)).toBe(executionOf(ring.servers) - 90)
    expect(linesOf({ servers: { haproxy: HAPROXY } }).join()).not.toMatch(/RUN_SECONDS|LOCK_WAIT/)
  })
})

describe('what a caller may say', () => {
  const { content } = buildRingDocument(ringOf(), ownProgram())

  it('is a generation, whether to keep the program, and nothing else', () => {
    expect(Object.keys(content.parameters)).toEqual(['Generation', 'Program'])
    expect(JSON.stringify(content).match(/\{\{[^}]*\}\}/g)).toEqual(['{{Generation}}', '{{Program}}'])
  })

  it.each([
    ['bring', true],
    ['keep', true],
    ['', false],
    ['keep it', false],
    ["keep'; reboot; '", false],
    ['keep\n', false],
  ])('%j of the program: %s', (word, allowed) => {
    const { Program } = content.parameters
    expect(RE2JS.compile(Program?.allowedPattern ?? '').test(word)).toBe(allowed)
    expect(Program).toMatchObject({ default: 'bring' })
  })

  it.each([
    ['1', true],
    ['123456789012', true],
    ['0', false],
    ['01', false],
    ['7; reboot', false],
    ['$(id)', false],
    ["7'", false],
    ['', false],
    ['1234567890123', false],
  ])('%j as a generation: %s', (generation, allowed) => {
    expect(RE2JS.compile(content.parameters.Generation?.allowedPattern ?? '').test(generation)).toBe(allowed)
  })

  it('arrives as a variable on agents that can', () => {
    expect(content.parameters.Generation).toMatchObject({ interpolationType: 'ENV_VAR', default: '1' })
  })
})

describe("the document's name", () => {
  const nameOf = (replaced?: ExampleRing, program = ownProgram()) =>
    buildRingDocument(ringOf(replaced), program).name

  it('follows from the content', () => {
    expect(nameOf()).toMatch(/^ticketring-edge-[0-9a-f]{12}$/)
    expect(nameOf()).toBe(nameOf())
  })

  it('changes with the program, with a setting, and with the ring', () => {
    const names = [
      nameOf(),
      nameOf({}, otherProgram('pass')),
      nameOf({ rotation: { ticketLifetime: '1h' } }),
      nameOf({ name: 'inner' }),
    ]
    expect(new Set(names).size).toBe(names.length)
  })
})

describe('what cannot travel in a document is refused at synth', () => {
  it('more than 64 kB with the longest parameters', () => {
    const large = otherProgram(`TEXT = "${randomBytes(60_000).toString('base64')}"`)
    expect(() => buildRingDocument(ringOf(), large)).toThrow(/at most 61000 bytes/)
  })

  it('a setting that would end its quotes, wherever it came from', () => {
    const { servers, ...ring } = ringOf()
    const haproxy = { ...(servers.haproxy as NonNullable<typeof servers.haproxy>), owner: "root'; reboot; '" }
    expect(() => buildRingDocument({ ...ring, servers: { haproxy } }, ownProgram())).toThrow(/HAPROXY_OWNER/)
  })
})
