import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PutParameterCommand } from '@aws-sdk/client-ssm'

import { describe, expect, it } from 'vitest'
import { goingBackText, leavingText } from '../../cli/staples/instead.ts'

import { clients } from '../local/aws/fixture.ts'
import { deployedRing } from './deployed-ring.ts'
import { asOperator, environmentOf, spawnAsOperator } from './operator.ts'

/** What is asked of a function is taken and not answered; all else is handed on. */
async function relayWithoutAnswers(endpoint: string) {
  let tell = () => {}
  const asked = new Promise<void>((resolve) => {
    tell = resolve
  })
  const server = createServer((incoming, outgoing) => {
    if (incoming.url?.includes('/functions/')) return tell()
    const { method, url, headers } = incoming
    const onward = request(`${endpoint}${url}`, { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(outgoing)
    })
    incoming.pipe(onward)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const close = () => {
    server.closeAllConnections()
    server.close()
  }
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked, close }
}

const ring = deployedRing()
const { ticketring } = ring

describe("functions are found by their stack's outputs", () => {
  it('of the stack that the app deploys, if none is named', async () => {
    await ring.deployed.converge()
    const all = await ticketring('status')
    const one = await ticketring('status', 'edge')
    expect(one).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/^edge: generation 1, /) })
    expect(all.stdout).toMatch(/^edge: generation 1, /)
  })

  it.each([
    [['status', 'edgy'], 'No ring edgy in the stack Ticketring\nDid you mean edge?\n'],
    [['status', 'quay'], 'No ring quay in the stack Ticketring\nThere is edge\n'],
    [['explain', 'wen', 'www'], 'No set wen in the stack Ticketring\nDid you mean web?\n'],
    [['offboard', 'web'], `web is a set of staples, not a ring\n${leavingText('web')}\n`],
    [['rollback', 'web', '--reason', 'a'], `web is a set of staples, not a ring\n${goingBackText('web')}\n`],
    [
      ['status', 'web'],
      'web is a set of staples, not a ring\nOf a set there is ticketring explain web CERTIFICATE; its function takes the rest (docs/operations.md#invoke-by-hand)\n',
    ],
    [
      ['status', '--stack', 'Ticketing'],
      'No stack Ticketing in this account and Region\nDid you mean --stack Ticketring?\n',
    ],
    [
      ['status', '--stack', 'elsewhere'],
      'No stack elsewhere in this account and Region\nName it by --stack: Ticketring\n',
    ],
  ])('%j is answered with what there is', async (words, stderr) => {
    expect(await ticketring(...words)).toEqual({ code: 2, stdout: '', stderr })
  })

  it('takes one reading call besides the question, and lists no functions', async () => {
    const { calls } = ring.deployed.testbed.aws.history
    const before = calls.length
    await ticketring('status', 'edge')
    const asked = calls.slice(before).filter(({ kind }) => kind === 'operator')
    expect(asked.map(({ operation }) => operation)).toEqual(['DescribeStacks', 'Invoke'])
  })
})

describe('a machine that has not proved the ring', () => {
  it('is named by its tag and its zone, which is told to the operator and to no function', async () => {
    const [machine] = ring.deployed.testbed.machines
    const hold = join(machine?.memory ?? '', 'run', 'hold')
    const { history } = ring.deployed.testbed.aws
    await ring.deployed.converge()
    writeFileSync(hold, 'a drill\n')
    expect(await ticketring('deliver', 'edge')).toMatchObject({ code: 1 })
    const before = history.calls.length
    const { code, stdout } = await ticketring('status', 'edge')
    const asked = history.calls.slice(before)
    const json = await ticketring('status', 'edge', '--json')
    rmSync(hold)
    await ring.deployed.converge()
    const who = `${machine?.id} (edge haproxy, us-east-1a)`
    expect({ code, stdout }).toEqual({
      code: 1,
      stdout: expect.stringContaining(`\n  ${who}  held-on-machine: `),
    })
    const kinds = asked.flatMap(({ operation, kind }) => (/Properties$/.test(operation) ? [kind] : []))
    expect(kinds).toEqual(['operator'])
    expect(JSON.parse(json.stdout)).toMatchObject({
      fleet: { stragglers: [{ id: machine?.id }] },
      places: { [machine?.id ?? '']: { name: 'edge haproxy', zone: 'us-east-1a' } },
    })
  })
})

describe('history', () => {
  it("tells from the function's log which machine held which key, and writes it for an audit, once", async () => {
    const directory = mkdtempSync(join(tmpdir(), 'ticketring-evidence-'))
    const file = join(directory, 'evidence.json')
    try {
      await ring.deployed.converge()
      const { generation } = ring.deployed.current()
      await ring.deployed.invoke({ action: 'rotate', reason: 'a drill' })
      const told = await ticketring('history', 'edge', '--since', '1h', '--evidence', file)
      expect(told).toMatchObject({ code: 0, stderr: '' })
      const evidence = JSON.parse(readFileSync(file, 'utf8'))
      expect(evidence).toMatchObject({ schema: 1, ring: 'edge', stack: 'Ticketring', missing: [] })
      expect(evidence.generations.at(-1)).toMatchObject({
        generation: generation + 1,
        encryptsWith: ring.deployed.current().current.name,
        origin: 'advance',
        forced: false,
        asked: { caller: 'not told by Lambda', reason: 'a drill' },
        converged: { confirmed: 1, members: 1 },
        machines: [{ instance: ring.deployed.testbed.machines[0]?.id }],
      })
      expect(told.stdout).toContain(`generation ${generation + 1}  ${ring.deployed.current().current.name}`)
      const { previous, current, next } = ring.deployed.current()
      for (const key of [previous, current, next])
        expect(readFileSync(file, 'utf8')).not.toContain(key.serialise().slice(24, 60))
      expect(await ticketring('history', 'edge', '--evidence', file)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining(`${file} is there already`),
      })
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  it.each(['7', '7 days', '0d', '-1h', 'yesterday'])('refuses --since %j', async (since) => {
    const { code, stderr } = await ticketring('history', 'edge', `--since=${since}`)
    expect(code).toBe(2)
    expect(stderr).toContain('--since wants a time with its unit')
  })
})

describe('preflight', () => {
  it('finds nothing in the way on a machine of the rehearsal', async () => {
    const { stdout, stderr } = await ticketring('preflight', 'edge', '--json')
    expect(stderr).toBe('')
    const { machines } = JSON.parse(stdout)
    expect(machines).toMatchObject([
      { instance: ring.deployed.testbed.machines[0]?.id, answered: true, facts: { server: 'haproxy' } },
    ])
    // What the machine has that runs this is no concern of the test's.
    const found = machines[0].problems.filter((each: { code: string }) => each.code !== 'swap-unencrypted')
    expect(found).toEqual([])
  })
})

describe('a command that cannot be done', () => {
  it.each<[string, readonly string[], Readonly<Record<string, string | undefined>>, string]>([
    [
      'with a profile that is not there',
      ['--profile', 'absent'],
      {},
      'The profile absent gives no access: Could not load credentials from any providers',
    ],
    [
      'with one of the environment that is not there',
      [],
      { AWS_PROFILE: 'ops' },
      'The profile ops (AWS_PROFILE) gives no access: Could not load credentials from any providers',
    ],
    [
      'without credentials',
      [],
      { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined },
      'The profile default gives no access: Could not load credentials from any providers',
    ],
    [
      'with a session that is over',
      [],
      { AWS_ACCESS_KEY_ID: 'ASIAQVEREXPIRED00000', AWS_SESSION_TOKEN: 'over' },
      'The key of the environment (AWS_ACCESS_KEY_ID) gives no access: ',
    ],
    [
      'with a profile beside a key, which the SDK warns of by itself',
      [],
      { AWS_PROFILE: 'ops', AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE', AWS_SECRET_ACCESS_KEY: 'secret' },
      'The profile ops (AWS_PROFILE) gives no access: ',
    ],
    ['without a Region', [], { AWS_REGION: undefined }, 'gives no access: Region is missing'],
  ])('%s says which was tried, and is neither well nor unwell', async (_, words, env, stderr) => {
    const told = await asOperator(ring.access, ['status', 'edge', ...words], env)
    expect(told).toMatchObject({ code: 2, stdout: '' })
    expect(told.stderr).toContain(stderr)
    expect(told.stderr).toContain('Log in, or name another by --profile and --region')
    expect(told.stderr.split('\n')).toHaveLength(3)
  })

  it('is not asked again where nothing answers', async () => {
    const { faults, history } = ring.deployed.testbed.aws
    faults.add({ operation: 'Invoke', when: 'before', effect: 'drop', times: 9 })
    const before = history.calls.length
    const told = await ticketring('status', 'edge')
    faults.clear()
    expect(told).toMatchObject({ code: 2, stderr: expect.stringContaining('AWS did not answer') })
    const asked = history.calls.slice(before).filter(({ operation }) => operation === 'Invoke')
    expect(asked).toHaveLength(1)
  })
})

describe('what is typed wrong', () => {
  const none = 'i-0000000000000dead'
  const pause = (time: string) => ['pause', 'edge', `--for=${time}`, '--reason', 'a drill']
  const aside = (id: string, time: string) => [
    'quarantine',
    'add',
    'edge',
    id,
    `--for=${time}`,
    '--reason',
    'a drill',
  ]

  it.each<[string, readonly string[], string]>([
    ['a machine that is not there', aside(none, '1h'), 'wanted one of the 1 machines of the roll call'],
    [
      'a machine to be sent to that is not there',
      ['deliver', 'edge', '--instance', none],
      `no machine ${none} on the roll call`,
    ],
    ['an id that is none', aside('web-1', '1h'), 'request-invalid'],
    ['a certificate that is not there', ['explain', 'web', 'wwv'], 'www'],
    ['a duration without its unit', pause('90'), 'a duration with its unit'],
    ['one of zero', pause('0h'), 'a duration'],
    ['one below zero', pause('-2h'), 'a duration'],
    ['one of absurd digits', pause(`${'9'.repeat(400)}d`), 'a duration'],
    ['one in words', pause('two days'), 'a duration'],
    ['a time in place of one', pause('2020-01-01T00:00:00Z'), 'a duration'],
    ['one beyond the cap', pause('169h'), 'up to 7d'],
    ['a quarantine beyond the cap', aside(none, '8d'), 'up to 7d'],
    ['no duration', ['pause', 'edge', '--reason', 'a drill'], '--for TIME is wanted'],
    ['no reason', ['pause', 'edge', '--for', '1h'], '--reason TEXT is wanted'],
    ['a reason of two lines', ['pause', 'edge', '--for', '1h', '--reason', 'a\nb'], 'request-invalid'],
    [
      'a revoke without a reason',
      ['revoke', 'edge', '--yes-drop-all-sessions'],
      'A revoke wants --reason TEXT',
    ],
    [
      'a revoke without --yes-drop-all-sessions',
      ['revoke', 'edge', '--reason', 'a drill'],
      'Nothing was changed',
    ],
    ['two rings', ['rotate', 'edge', 'quay'], 'The name of one ring is wanted'],
    ['an option that is not there', ['rotate', 'edge', '--force'], "Unknown option '--force'"],
  ])('%s is answered with what is wanted, and changes nothing', async (_, words, why) => {
    const { calls } = ring.deployed.testbed.aws.history
    const before = calls.length
    const { code, stdout, stderr } = await ticketring(...words)
    expect(stdout + stderr).toContain(why)
    expect(code).toBe(words[0] === 'deliver' ? 1 : 2)
    expect(stdout + stderr).not.toMatch(/\n {4}at /)
    const written = calls.slice(before).map(({ operation }) => operation)
    expect(written.filter((each) => /^(Put(?!Log)|Send|Update|Delete|Create)/.test(each))).toEqual([])
  })

  it('where a machine is nearly there, is answered with its id', async () => {
    const id = ring.deployed.testbed.machines[0]?.id ?? ''
    const near = `${id.slice(0, -1)}${id.endsWith('0') ? '1' : '0'}`
    expect(await ticketring(...aside(near, '1h'))).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`mean ${id}?`),
    })
    const { code, stdout } = await ticketring('deliver', 'edge', '--instance', near)
    expect({ code, stdout }).toEqual({ code: 1, stdout: expect.stringContaining(`mean ${id}?`) })
  })

  it('into the control parameter leaves what was set before, and is said first', async () => {
    const { aws } = ring.deployed.testbed
    const { ssm } = clients(aws)
    const write = (Value: string) =>
      ssm.send(
        new PutParameterCommand({ Name: '/ticketring/edge/control', Value, Type: 'String', Overwrite: true }),
      )
    expect(await ticketring(...pause('1h'))).toMatchObject({ code: 0 })
    await ring.deployed.invoke({ action: 'reconcile' })
    await write('{"paused": tomorrow}')
    await ring.deployed.invoke({ action: 'reconcile' })
    const { code, stdout } = await ticketring('status', 'edge')
    expect(code).toBe(1)
    expect(stdout).toMatch(/^edge: CONTROL INVALID: /)
    expect(stdout).toMatch(/\n {2}paused until .* a drill\n {2}what was set before counts: control-malformed/)
    expect(stdout).toContain('next: write /ticketring/edge/control anew   (docs/runbook.md#control-invalid)')
    await write('{"version":1}')
    await ring.deployed.invoke({ action: 'reconcile' })
    expect((await ticketring('status', 'edge')).stdout).not.toContain('CONTROL INVALID')
  })
})

describe('two operators at once', () => {
  const both = (one: readonly string[], other: readonly string[]) =>
    Promise.all([spawnAsOperator(ring.access, one), spawnAsOperator(ring.access, other)])

  it('set a machine aside once, and say so twice', async () => {
    const id = ring.deployed.testbed.machines[0]?.id ?? ''
    const words = ['quarantine', 'add', 'edge', id, '--for', '1h', '--reason', 'a drill']
    expect((await both(words, words)).map(({ code }) => code)).toEqual([0, 0])
    const listed = await ticketring('quarantine', 'list', 'edge', '--json')
    expect(JSON.parse(listed.stdout)).toEqual([expect.objectContaining({ instance: id })])
    expect(await ticketring('quarantine', 'remove', 'edge', id)).toMatchObject({ code: 0 })
  })

  it('who pause and resume leave the one or the other, and never nonsense', async () => {
    const pause = ['pause', 'edge', '--for', '1h', '--reason', 'a drill']
    await both(pause, ['resume', 'edge'])
    const { stdout } = await ticketring('status', 'edge', '--json')
    expect(JSON.parse(stdout)).not.toHaveProperty('controlProblem')
    expect(await ticketring('resume', 'edge')).toMatchObject({ code: 0 })
    expect(await ticketring('status', 'edge')).toMatchObject({ code: 0 })
  })

  it('who revoke the ring end with one revoke, and both with its proof', async () => {
    await ring.deployed.converge()
    const { generation } = ring.deployed.current()
    const words = ['revoke', 'edge', '--reason', 'a drill', '--yes-drop-all-sessions']
    const told = await both(words, words)
    for (const { stdout } of told) expect(stdout).toMatch(/ and all refuse tickets from before, last proved /)
    expect(ring.deployed.current().generation).toBe(generation + 1)
  })
})

describe('a command that is watched', () => {
  it.each([
    [
      ['revoke', 'edge', '--reason', 'a drill', '--yes-drop-all-sessions'],
      'goes on with the revoke: `ticketring status` tells how it stands',
    ],
    [['status', 'edge', '--live'], 'goes on with the deliver: `ticketring status` tells how it stands'],
    [['status', 'edge'], 'Nothing was changed'],
  ])('%j ends with 130 on Ctrl-C, and says what goes on without it', async (words, goesOn) => {
    const relay = await relayWithoutAnswers(ring.access.endpoint)
    try {
      const { PATH, NODE_OPTIONS } = process.env
      const env = { PATH, NODE_OPTIONS, ...environmentOf({ ...ring.access, endpoint: relay.endpoint }) }
      const child = spawn(process.execPath, ['bin/ticketring.mjs', ...words], { env })
      let stderr = ''
      child.stderr.on('data', (text) => {
        stderr += text
      })
      await relay.asked
      const closed = once(child, 'close')
      child.kill('SIGINT')
      expect(await closed).toEqual([130, null])
      expect(stderr).toContain(goesOn)
    } finally {
      relay.close()
    }
  })

  it('is quiet where its reader has left', async () => {
    const { PATH, NODE_OPTIONS } = process.env
    const env = { PATH, NODE_OPTIONS, ...environmentOf(ring.access) }
    const child = spawn(process.execPath, ['bin/ticketring.mjs', 'status', 'edge'], { env })
    child.stdout.destroy()
    let stderr = ''
    child.stderr.on('data', (text) => {
      stderr += text
    })
    await once(child, 'close')
    expect(stderr).toBe('')
  })
})
