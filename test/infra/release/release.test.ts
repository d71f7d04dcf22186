import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unzipSync } from 'fflate'
import { afterAll, describe, expect, it } from 'vitest'
import { buildRelease } from '../../../infra/release/build.ts'
import { PARAMETERS, type Parameter } from '../../../infra/release/parameters.ts'
import { parseRing } from '../../../infra/ring/configuration.ts'
import { isRefusal } from '../../../lambda/kernel/errors.ts'
import { type ExampleRing, exampleRing, HAPROXY } from '../app/example.ts'

const installed = (command: string) => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0

const directory = mkdtempSync(join(tmpdir(), 'ticketring-release-test-'))
afterAll(() => rmSync(directory, { recursive: true }))

const files = await buildRelease()
const textOf = (ending: string) => Buffer.from(fileOf(ending).data).toString('utf8')
const template = JSON.parse(textOf('[0-9].template.json'))
const watch = JSON.parse(textOf('.watch.template.json'))
const all = Object.values<{ Type: string; Properties: Record<string, unknown> }>(template.Resources)

function fileOf(ending: string) {
  const [found, ...others] = files.filter(({ name }) => new RegExp(`${ending}$`).test(name))
  if (found === undefined || others.length > 0) throw new Error(`wanted one file *${ending}`)
  return found
}

const FREEZE = 'arn:aws:ssm:eu-west-1:123456789012:document/year-end'
/** Nothing switches off what it would name; and names of alarms, which only the function's configuration has, have spaces. */
const MAY_HAVE: Readonly<Record<string, readonly string[]>> = {
  nothing: ['CanaryTag', 'CanaryValues', 'StopOnAlarms', 'Calendars', 'AccessReaders'],
  'white space': ['StopOnAlarms'],
}

const tagged = (value: string) => ({ targets: { tag: 'ticketring', values: [value] } })
const verified = (address: string, serverName = 'a') => ({
  servers: { haproxy: { ...HAPROXY, verify: [{ address, serverName }] } },
})

/** Whether synth takes the example's ring with this in it. */
function isTaken(changes: ExampleRing): boolean {
  try {
    parseRing(exampleRing(changes))
    return true
  } catch (error) {
    if (!isRefusal(error, 'configuration-invalid')) throw error
    return false
  }
}

const page = readFileSync(new URL('../../../docs/template.md', import.meta.url), 'utf8')

const namesIn = (pattern: RegExp) => [...new Set([...page.matchAll(pattern)].map(([, name]) => name))].sort()

describe('docs/template.md', () => {
  it('has a row for each parameter, with its default', () => {
    const rows = [...page.matchAll(/^\| `([A-Z]\w+)` \| .* \| (?:none|(empty)|`([^`]+)`) \|$/gm)]
    const told = Object.fromEntries(
      rows.map(([, name, empty, normal]) => [name, empty === undefined ? normal : '']),
    )
    const asked = Object.entries<{ Default?: string }>(template.Parameters)
    expect(told).toEqual(Object.fromEntries(asked.map(([name, { Default }]) => [name, Default])))
  })

  it('gives every parameter without a default, on the command line and in Terraform, and none that is not there', () => {
    const asked = Object.entries<{ Default?: string }>(template.Parameters)
    const needed = asked.flatMap(([name, { Default }]) => (Default === undefined ? [name] : [])).sort()
    const given = namesIn(/\b([A-Z]\w+)=\S/g)
    expect(given).toEqual(expect.arrayContaining(needed))
    expect(Object.keys(template.Parameters)).toEqual(expect.arrayContaining(given))
    expect(namesIn(/^ {4}([A-Z]\w+) +=/gm)).toEqual(needed)
  })
})

describe('a release', () => {
  it('is the same bytes when it is built again', async () => {
    const again = await buildRelease()
    expect(again.map(({ name }) => name)).toEqual(files.map(({ name }) => name))
    for (const [index, { name, data }] of again.entries())
      expect(Buffer.compare(data, files[index]?.data ?? Buffer.alloc(0)), name).toBe(0)
  })

  it('lists the SHA-256 of every file but the list', () => {
    const sums = files.filter(({ name }) => name !== 'SHA256SUMS')
    const lines = sums.map(
      ({ name, data }) => `${createHash('sha256').update(data).digest('hex')}  ${name}\n`,
    )
    expect(textOf('SHA256SUMS')).toBe(lines.join(''))
    expect(sums.length).toBe(8)
  })

  it('has the code that its template names, as a Lambda loads it', () => {
    const keys = all.flatMap(({ Type, Properties }) =>
      Type === 'AWS::Lambda::Function' ? [(Properties.Code as { S3Key: string }).S3Key] : [],
    )
    const { name, data } = fileOf('.zip')
    expect(new Set(keys)).toEqual(new Set([name]))
    expect(Object.keys(unzipSync(data))).toEqual(['index.mjs'])
  })

  it('names the packages in that code with the versions that are installed', () => {
    const { components } = JSON.parse(textOf('.cdx.json'))
    const lock = JSON.parse(readFileSync(new URL('../../../package-lock.json', import.meta.url), 'utf8'))
    const names = components.map(({ name }: { name: string }) => name)
    expect(names).toContain('@aws-sdk/client-secrets-manager')
    expect(names).toContain('@aws-sdk/client-ssm')
    for (const { name, version, purl, licenses } of components) {
      expect(lock.packages[`node_modules/${name}`].version, name).toBe(version)
      expect(purl).toBe(`pkg:npm/${name.replace('@', '%40')}@${version}`)
      expect(licenses[0].license.id).toMatch(/^(Apache-2\.0|MIT|ISC|0BSD|BSD-3-Clause)$/)
    }
  })
})

describe('the released watch', () => {
  const alarms = Object.values<{ Type: string; Properties: Record<string, unknown> }>(watch.Resources)

  it('has the alarms on silence, which the template of the ring has no more, under the same names', () => {
    const named = ['key-age', 'watch-deaf'].map((heading) => ({
      'Fn::Sub': `ticketring-$`.concat(`{RingName}-${heading}`),
    }))
    expect(alarms.map(({ Properties }) => Properties.AlarmName)).toEqual(named)
    for (const { Properties } of alarms)
      expect(Properties.InsufficientDataActions).toEqual([{ Ref: 'PageTopic' }])
    for (const name of named)
      expect(all.map(({ Properties }) => Properties.AlarmName)).not.toContainEqual(name)
    expect(JSON.stringify(watch)).not.toMatch(/Fn::ImportValue|Fn::GetStackOutput/)
  })

  it('asks for the ring, the topic and whether there is a watch, by the same patterns', () => {
    const { RingName, PageTopic, AccessWatch } = template.Parameters
    expect(watch.Parameters).toEqual({ RingName, PageTopic, AccessWatch })
  })
})

describe('the released template', () => {
  it('holds nothing of what it was synthesised with, nor of the CDK', () => {
    const text = JSON.stringify(template)
    for (const { stand, within = ['*'] } of Object.values<Parameter>(PARAMETERS))
      for (const around of stand === undefined ? [] : within)
        expect(text).not.toContain(around.replace('*', String(stand)).replaceAll('"', '\\"'))
    expect(text).not.toMatch(/cdk-hnb|aws:cdk|BootstrapVersion/)
  })

  it('uses every parameter that it asks for', () => {
    const { Parameters: _, Rules: __, ...rest } = template
    const text = JSON.stringify(rest)
    for (const name of Object.keys(template.Parameters))
      expect(text.includes(`\${${name}}`) || text.includes(`{"Ref":"${name}"}`), name).toBe(true)
  })

  it('has its machines look until Mode says otherwise, by what both they and the function are told', () => {
    expect(template.Parameters.Mode.Default).toBe('observe')
    const text = JSON.stringify(template.Resources)
    expect(text).toContain(`MODE=\${Mode}`)
    expect(text.split(JSON.stringify(`"mode":"\${Mode}"`).slice(1, -1))).toHaveLength(3)
  })

  it('takes its own defaults', () => {
    for (const [name, { Default, AllowedPattern }] of Object.entries<Record<string, string>>(
      template.Parameters,
    ))
      if (Default !== undefined) expect(Default, name).toMatch(new RegExp(AllowedPattern ?? 'none'))
  })

  it.each<[string, (value: string) => object, readonly string[]]>([
    [
      'RingName',
      (name) => ({ name }),
      ['edge', '7', 'a-rotation', 'web-staples', 'Edge', '-a', 'e'.repeat(30)],
    ],
    ['Mode', (mode) => ({ mode }), ['observe', 'enforce', 'Enforce', '', 'off', 'observe ']],
    ['TagValue', (value) => tagged(value), ['edge', 'a:b/c', 'a*', '', 'v'.repeat(257), "it's"]],
    [
      'HAProxySocket',
      (socket) => ({ servers: { haproxy: { ...HAPROXY, socket } } }),
      ['/run/a.sock', '/run/../a.sock', '/run//a', 'run/a', '/run/a b', '/run/a=b', '/'],
    ],
    [
      'HAProxyListener',
      (address) => verified(address),
      [
        'unix:/run/a.sock',
        'unix:run/a',
        'unix:/a/../b',
        `unix:/${'a'.repeat(95)}`,
        `unix:/${'a'.repeat(94)}`,
      ],
    ],
    [
      'NginxListener',
      (address) => verified(address),
      [
        '127.0.0.1:8445',
        '127.0.0.1:0',
        '127.0.0.1:65536',
        '127.0.0.1',
        '127.0.0.1:a',
        'host.example:1',
        ':1',
      ],
    ],
    [
      'ServerName',
      (name) => verified('127.0.0.1:1', name),
      ['www.example.com', '.a', 'a.', 'a_b', '', 'a b'],
    ],
    [
      'CanaryTag',
      (tag) => ({ canary: { tag, values: ['yes'] } }),
      ['canary', 'a:b/c=d', 'aws:a', 'a+b', 'a b', 't'.repeat(124), 't'.repeat(125)],
    ],
    [
      'CanaryValues',
      (values) => ({ canary: { tag: 'canary', values: values.split(',') } }),
      ['yes', 'a,b,c,d,e', 'a,b,c,d,e,f', 'a*', 'a,', ',a', "it's", 'v'.repeat(257)],
    ],
    [
      'CanarySoak',
      (soak) => ({ canary: { tag: 'canary', values: ['yes'], soak: Number(soak) } }),
      [
        '1',
        '900',
        '999',
        '1000',
        '5999',
        '6000',
        '6299',
        '6300',
        '0',
        '6301',
        '6400',
        '9999',
        '63000',
        '1.5',
      ],
    ],
    [
      'StopOnAlarms',
      (alarms) => ({ canary: { tag: 'canary', values: ['yes'], stopOnAlarms: alarms.split(',') } }),
      [
        'edge-5xx',
        'High CPU (edge) > 90 %',
        'arn:aws:cloudwatch:eu-west-1:123456789012:alarm:edge-5xx',
        'a,b,c,d,e,f,g,h,i,j',
        'a,b,c,d,e,f,g,h,i,j,k',
        'a'.repeat(255),
        'a'.repeat(256),
        'a\tb',
        'ä',
        'a,,b',
      ],
    ],
    [
      'Calendars',
      (calendars) => ({ rotation: { calendars: calendars.split(',') } }),
      [
        FREEZE,
        `${FREEZE},${FREEZE}-2`,
        Array(10).fill(FREEZE).join(),
        Array(11).fill(FREEZE).join(),
        `${FREEZE}/1`,
        `${FREEZE},`,
        'arn:aws:ssm:eu-west-1:1:document/year-end',
        'a b',
      ],
    ],
    [
      'AccessReaders',
      (readers) => ({ accessWatch: { readers: readers.split(',') } }),
      ['audit', 'a+b=c.d@e-f,g', 'arn:aws:iam::1:role/x', 'a/b', 'a,,b', 'r'.repeat(64), 'r'.repeat(65)],
    ],
  ])('takes for %s what the construct takes', (parameter, ring, values) => {
    const pattern = new RegExp(template.Parameters[parameter].AllowedPattern)
    const taken = values.filter((value) => pattern.test(value))
    expect(taken).toEqual(values.filter((value) => isTaken(ring(value))))
    expect(taken.length).toBeGreaterThan(0)
    expect(taken.length).toBeLessThan(values.length)
  })

  it.each([
    ['a quote', 'a"b'],
    ["a shell's quote", "a'b"],
    ['a backslash', 'a\\b'],
    ['a reference', 'a$'.concat('{b}')],
    ['a command', 'a`b`'],
    ['braces, which Run Command reads', 'a{{b}}'],
    ['a second line', 'a\nb'],
    ['white space', 'a b'],
    ['nothing', ''],
  ])('takes no parameter with %s', (what, value) => {
    for (const [name, { AllowedPattern }] of Object.entries<Record<string, string>>(template.Parameters)) {
      if (MAY_HAVE[what]?.includes(name)) continue
      // As CloudFormation holds a pattern to a value: to all of it.
      const pattern = new RegExp(`^(?:${AllowedPattern})$`)
      for (const each of [value, `/run/${value}/x`, `127.0.0.1:${value}`, `arn:aws:sns:eu-west-1:1:${value}`])
        if (!/^[\w./:-]*$/.test(each) || each === '') expect(each, name).not.toMatch(pattern)
    }
  })

  it.each(['edge-rotation', 'a-staples', 'Edge', '-edge', 'e'.repeat(30)])(
    'takes no ring named %s',
    (name) => {
      expect(name).not.toMatch(new RegExp(template.Parameters.RingName.AllowedPattern))
    },
  )

  it("lets CloudFormation name documents after their content, and the function send the stack's documents alone", () => {
    const documents = all.filter(({ Type }) => Type === 'AWS::SSM::Document')
    expect(
      documents.map(({ Properties }) =>
        Object.keys((Properties.Content as { parameters: object }).parameters),
      ),
    ).toEqual([['Generation', 'Program'], ['Ring']])
    for (const { Properties } of documents) {
      expect(Properties).not.toHaveProperty('Name')
      expect(Properties.UpdateMethod).toBe('Replace')
    }
    const text = JSON.stringify(template.Resources)
    expect(text.match(/:document\/[^"]*/g)).toEqual([':document/$'.concat('{AWS::StackName}-*')])
  })

  it.runIf(installed('cfn-lint')).each(['[0-9].template.json', '.watch.template.json'])(
    'gives cfn-lint nothing to say of *%s but of a dependency that is stated twice',
    (ending) => {
      const file = join(directory, 'released.template.json')
      writeFileSync(file, textOf(ending))
      const { status, stdout } = spawnSync('cfn-lint', ['--ignore-checks', 'W3005', '--', file], {
        encoding: 'utf8',
      })
      expect({ status, stdout }).toEqual({ status: 0, stdout: '' })
    },
  )
})
