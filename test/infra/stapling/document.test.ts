import { execFileSync } from 'node:child_process'
import { RE2JS } from 're2js'
import { describe, expect, it } from 'vitest'
import { buildDocument } from '../../../infra/fleet/document.ts'
import { ownProgram } from '../../../infra/program/program.ts'
import { programFor } from '../../../infra/program/selection.ts'
import { parseSet } from '../../../infra/stapling/configuration.ts'
import { buildStapleDocument, executionOf } from '../../../infra/stapling/document.ts'
import { MOST_CERTIFICATES, messageOf } from '../../../lambda/staples/message.ts'
import {
  EXAMPLE_KINDS,
  type ExampleSet,
  exampleSet,
  HAPROXY_STAPLING,
  OTHER_STAPLING,
  settingsIn,
} from '../app/example.ts'

const documentOf = (replaced?: ExampleSet) =>
  buildStapleDocument(parseSet(exampleSet(replaced)), ownProgram())
const { content, name, script } = documentOf()
const [{ inputs, precondition }] = content.mainSteps
const lines = inputs.runCommand

describe('what a machine is given to run', () => {
  it('is valid sh as a whole', () => {
    expect(() => execFileSync('sh', ['-n'], { input: lines.join('\n') })).not.toThrow()
  })

  it('names the program by its hash', () => {
    expect(script).toBe(programFor('staples', ownProgram(), EXAMPLE_KINDS).version)
    expect(lines.slice(0, 3)).toEqual([
      '{',
      `if [ -z "\${SSM_Staples+x}" ]; then SSM_Staples='{{Staples}}'; fi`,
      `export SSM_Staples SSM_Program='{{Program}}'`,
    ])
  })

  it('carries every setting', () => {
    expect(settingsIn(lines)).toEqual([
      'STORE=/ticketring/staples/edge',
      'HAPROXY_CERTS=/etc/haproxy/certs',
      'HAPROXY_SOCKET=/run/haproxy/admin.sock',
      'HAPROXY_RELOAD=systemctl reload haproxy',
      'HAPROXY_OWNER=root',
      'HAPROXY_VERIFY=127.0.0.1:8444=www.example.com',
      'NGINX_STAPLES=/etc/nginx/www.pem=/run/ticketring/edge.staples/www.ocsp',
      'NGINX_TEST=nginx -t',
      'NGINX_RELOAD=systemctl reload nginx',
      'NGINX_OWNER=root',
      'NGINX_VERIFY=127.0.0.1:8445=www.example.com',
      'REPAIR_EVERY=1800',
    ])
  })

  it('reloads HAProxy after a withdrawal as the owner says', () => {
    const haproxy = { ...HAPROXY_STAPLING, reload: 'rc-service haproxy reload' }
    const [step] = documentOf({ servers: { haproxy } }).content.mainSteps
    expect(step.inputs.runCommand).toContain('HAPROXY_RELOAD=rc-service haproxy reload')
  })

  it('runs on Linux only, for less than a tick', () => {
    expect(precondition).toEqual({ StringEquals: ['platformType', 'Linux'] })
    expect(Number(inputs.timeoutSeconds)).toBeLessThan(300)
  })

  it('has more time where a kind of server looks at its staples by itself, and the program and its lock have it too', () => {
    const servers = { haproxy: HAPROXY_STAPLING, lighttpd: OTHER_STAPLING.lighttpd ?? {} }
    const set = parseSet(exampleSet({ servers }))
    const [step] = buildStapleDocument(set, ownProgram()).content.mainSteps
    // Two looks, one in 64 seconds, beside what every kind has.
    expect(Number(step.inputs.timeoutSeconds)).toBeGreaterThanOrEqual(120 + 2 * 64)
    expect(executionOf(set.servers)).toBe(Number(step.inputs.timeoutSeconds))
    const told = Object.fromEntries(settingsIn(step.inputs.runCommand).map((line) => line.split('=')))
    expect(Number(told.RUN_SECONDS)).toBe(executionOf(set.servers) - 20)
    expect(Number(told.LOCK_WAIT)).toBe(executionOf(set.servers) - 90)
    expect(lines.join()).not.toMatch(/RUN_SECONDS|LOCK_WAIT/)
  })
})

describe('what a caller may say', () => {
  // By the rules of the agent, which compiles it with Go's regexp: JavaScript takes what Go does not.
  const pattern = RE2JS.compile(content.parameters.Staples?.allowedPattern ?? '')
  const id = 'a'.repeat(32)
  const digest = '0'.repeat(64)

  it('is which staples to hold, whether to keep the program, and nothing else', () => {
    expect(Object.keys(content.parameters)).toEqual(['Staples', 'Program'])
    expect(content.parameters.Staples).toMatchObject({ interpolationType: 'ENV_VAR', default: 'all' })
    expect(JSON.stringify(content).match(/\{\{[^}]*\}\}/g)).toEqual(['{{Staples}}', '{{Program}}'])
  })

  it('is whatever the function says, at its longest', () => {
    const told = Array.from({ length: MOST_CERTIFICATES }, () => [id, digest] as const)
    const longest = messageOf(told)
    expect(pattern.test(longest)).toBe(true)
    expect(pattern.test(messageOf('all'))).toBe(true)
    expect(Buffer.byteLength(JSON.stringify(content)) + longest.length).toBeLessThan(64_000)
  })

  it.each([
    [`${id}=withdrawn`, true],
    [`${id}=withdrawn,${id}=${digest}`, true],
    ['', false],
    ['al', false],
    ['all,all', false],
    [`${id}=${digest},`, false],
    [`${id}=all`, false],
    [`${id}`, false],
    [`${id.toUpperCase()}=${digest}`, false],
    [`${id}=$(reboot)`, false],
    [`${id}=${digest}'; reboot; '`, false],
    [`${id}=${digest}\n`, false],
  ])('%j: %s', (told, allowed) => {
    expect(pattern.test(told)).toBe(allowed)
  })
})

describe("the document's name", () => {
  it('follows from the content, and no ring has such a one', () => {
    expect(name).toMatch(/^ticketring-staples-edge-[0-9a-f]{12}$/)
    const names = [name, documentOf({ servers: { haproxy: HAPROXY_STAPLING } }).name]
    expect(new Set(names).size).toBe(names.length)
  })

  it('does not change with the certificates: those are looked up', () => {
    const certificates = [{ name: 'other', chain: { parameter: '/other' } }]
    expect(documentOf({ certificates }).name).toBe(name)
  })
})

it.each([
  ['repeats what repeats, beyond 1,000 copies', '^([0-9a-f]{64}(,[0-9a-f]{64}){0,24})$', 'repeat'],
  ['looks ahead', '^(?!all)[a-z]+$', '(?!'],
  ['refers back', String.raw`^(a|b)\1$`, String.raw`\1`],
])(
  'a pattern that %s is refused at synth, since no agent would run the document',
  (_, allowedPattern, told) => {
    const plan = {
      name: 'ticketring-x',
      description: 'x',
      step: 'x',
      parameter: { name: 'StapleMessage', description: 'x', default: 'a', allowedPattern },
      subject: ['TICKETRING_SET', 'x'] as const,
      settings: {},
      kinds: ['nginx'],
    }
    expect(() => new RegExp(allowedPattern)).not.toThrow()
    expect(() => buildDocument(plan, ownProgram())).toThrow(
      expect.objectContaining({ code: 'configuration-invalid', came: expect.stringContaining(told) }),
    )
  },
)

it('more files than a document holds are refused at synth, with what to do', () => {
  const long = (index: number) => `/etc/nginx/${'x'.repeat(150)}/${index}.pem`
  const staples = Array.from({ length: 100 }, (_, index) => ({
    certificate: long(index),
    staple: `${long(index)}.ocsp`,
  }))
  const nginx = { staples, owner: 'root', verify: [{ address: '127.0.0.1:1', serverName: 'a' }] }
  expect(() => documentOf({ servers: { nginx } })).toThrow(/at most 61000 bytes/)
})
