/** `ticketring preflight` over machines of the loopback: real HAProxys, whose file systems none of them can write. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PutSecretValueCommand } from '@aws-sdk/client-secrets-manager'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readContext, synthesise } from '../../../infra/app/build-app.ts'
import { parseConfiguration } from '../../../infra/app/configuration.ts'
import { serialiseRing } from '../../../lambda/ring/ring.ts'
import { type Instance, type LoopbackAws, startLoopbackAws } from '../../../local/aws/loopback.ts'
import { rendered, ringOf } from '../../agent/instance.ts'
import { startHaproxy, type Terminator, verifyListener } from '../../agent/terminators.ts'
import { clients, machineId } from '../../local/aws/fixture.ts'
import { accessTo, asOperator, interruptAsOperator, type OperatorAccess } from '../operator.ts'

const directory = mkdtempSync(join(tmpdir(), 'ticketring-preflight-'))
const ring = ringOf(3)

let aws: LoopbackAws
let access: OperatorAccess
/** Of each machine, the lines of sh that make what is found there, for each run anew. */
const found = new Map<string, readonly string[]>()
const machines: Instance[] = []
const terminators: Terminator[] = []
const [sound, troubled, third, other] = [machineId(1), machineId(2), machineId(3), machineId(4)]

/** The policy of docs/operations.md, for this account. */
function policyOfPage(): { Statement: { Action: string | string[] }[] } {
  const [, text = ''] =
    /```json\n(\{\n {2}"Version"[\s\S]*?)```/.exec(readFileSync('docs/operations.md', 'utf8')) ?? []
  return JSON.parse(text.replaceAll('<region>', '*').replaceAll('<account>', '*'))
}

/** Roles of operators: the page's, and without each of its statements. */
const policies = [
  policyOfPage(),
  ...policyOfPage().Statement.map((left) => ({ ...policyOfPage(), left })),
].map((policy) =>
  'left' in policy
    ? {
        Version: '2012-10-17',
        Statement: policy.Statement.filter((each) => JSON.stringify(each) !== JSON.stringify(policy.left)),
      }
    : policy,
)

beforeAll(async () => {
  const [edge] = parseConfiguration(readContext().ticketring).rings
  const haproxy = { ...edge?.servers.haproxy, keys: '/run/ticketring/quay/haproxy.keys' }
  const quay = { tag: 'ticketring', values: ['quay'] }
  const second = { ...edge, name: 'quay', targets: quay, fleetRoles: ['quays'], servers: { haproxy } }
  const synthesis = synthesise({ rings: [edge, second] }, join(directory, 'cdk.out'))
  const roles = policies.map((PolicyDocument, number) => [
    `Operator${number}`,
    {
      Type: 'AWS::IAM::Role',
      Properties: {
        RoleName: `operator-${number}`,
        AssumeRolePolicyDocument: { Version: '2012-10-17', Statement: [] },
        Policies: [{ PolicyName: 'preflight', PolicyDocument }],
      },
    },
  ])
  const template = {
    ...synthesis.template,
    Resources: { ...synthesis.template.Resources, ...Object.fromEntries(roles) },
  }
  aws = await startLoopbackAws({
    template,
    assembly: synthesis.assembly,
    stackName: 'Ticketring',
    roles: synthesis.rings.flatMap(({ fleetRoles }) => fleetRoles),
    schedules: 'paused',
  })
  access = accessTo(aws)
  await clients(aws).secrets.send(
    new PutSecretValueCommand({ SecretId: 'ticketring/edge', SecretString: serialiseRing(ring) }),
  )
  for (const id of [sound, troubled, third]) await joinFleet(id, 'edge', 'terminators')
}, 120_000)
afterAll(async () => {
  await aws?.close()
  for (const each of terminators) await each.stop()
  rmSync(directory, { recursive: true, force: true })
})

/** A machine with a HAProxy of its own, on which nothing can be written but its tmpfs. */
async function joinFleet(id: string, tag: string, role: string): Promise<void> {
  const terminator = await startHaproxy(rendered(ring, 'haproxy-80'))
  terminators.push(terminator)
  const workdir = join(directory, id)
  const conf = join(terminator.directory, 'conf')
  for (const path of [workdir, conf]) mkdirSync(path)
  const settings = [
    'SERVER=haproxy',
    ...terminator.settings,
    `HAPROXY_VERIFY=${verifyListener(terminator)}`,
    `RUN_DIR=${terminator.directory}/run`,
    'TICKET_LIFETIME=7200',
  ]
  writeFileSync(join(conf, `${tag}.conf`), `${settings.join('\n')}\n`)
  const wrap = (argv: readonly string[]) => {
    const list = `find /run ${terminator.directory} /dev/shm/ticketring-check-* -printf '%p %y %m %U %s\\n' 2>/dev/null | sort`
    const lines = [
      `cd ${terminator.directory}`,
      'mount -t tmpfs -o mode=755 tmpfs /run',
      'echo Filename Type Size Used Priority >swaps',
      'mount --bind swaps /proc/swaps',
      ...(found.get(id) ?? []),
      'mount -o remount,ro,bind /',
      `before=$(${list})`,
      'status=0; "$@" || status=$?',
      `[ "$before" = "$(${list})" ] || echo CHANGED`,
      'exit $status',
    ]
    const file = join(workdir, 'fenced')
    writeFileSync(file, lines.join('\n'))
    return ['unshare', '--mount', 'sh', '-e', file, ...argv]
  }
  const environment = { TICKETRING_CONF_DIR: conf, PATH: '/usr/sbin:/usr/bin:/sbin:/bin' }
  machines.push(
    aws.join({ id, workdir, wrap, tags: { ticketring: tag }, role, agent: 'current', environment }),
  )
}

const ticketring = (...words: string[]) => asOperator(access, words)
const sent = () => aws.history.commands
const outputs = () => sent().flatMap(({ invocations }) => invocations.map(({ stdout }) => stdout))

describe('machines that are looked at before a ring is on them', () => {
  it('could take it, and nothing there has changed: what is not a tmpfs of theirs cannot even be written', async () => {
    const { code, stdout, stderr } = await ticketring('preflight', 'edge')
    expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^edge: 3 of 3 machines could take the ring as they are\n/)
    expect(stdout).toMatch(
      new RegExp(
        `^none +${sound} +haproxy \\S+, reads generation 3, 1 open listener, tickets of \\S+, .*Python 3`,
        'm',
      ),
    )
    expect(stdout).toMatch(/\nnext: ticketring deliver edge, then ticketring status edge/)
    expect(outputs().join()).not.toContain('CHANGED')
    expect(sent()).toHaveLength(1)
    expect(sent()[0]).toMatchObject({ parameters: { Ring: ['edge'] } })
  })

  it('tell all their problems at once, and who is offline is named too', async () => {
    const settings = join(terminators[1]?.directory ?? '', 'conf', 'edge.conf')
    const before = readFileSync(settings, 'utf8')
    const more = ['TICKET_LIFETIME=1', 'RUN_DIR=/opt/edge', `HAPROXY_VERIFY=127.0.0.1:1=a.test`]
    found.set(troubled, [
      `printf '%s\\n' '${more.join("' '")}' >>${settings}`,
      `printf '/dev/sda2 partition 1 0 -2\\n' >>swaps`,
      'mount --bind /dev/null "$(command -v openssl)"',
    ])
    machines[2]?.lose()
    const { code, stdout } = await ticketring('preflight', 'edge')
    expect(code).toBe(1)
    expect(stdout).toMatch(
      /^edge: 1 of 3 machines could take the ring as they are, something is to be done on 1, of 1 it cannot/,
    )
    const rows = [...stdout.matchAll(/^([a-z-]+) +(i-\S+) /gm)].map(([, problem, id]) => [problem, id])
    expect(rows.at(-1)).toEqual(['none', sound])
    expect(rows.at(-2)).toEqual(['offline', third])
    const codes = rows.filter(([, id]) => id === troubled).map(([problem]) => problem)
    expect(codes).toEqual(['tool-missing', 'not-tmpfs', 'swap-unencrypted'])
    expect(stdout).toContain(`\nnext: mend what is named, then ticketring preflight edge   (`)
    found.set(troubled, [`printf '%s\\n' '${more.join("' '")}' >>${settings}`])
    const json = JSON.parse((await ticketring('preflight', 'edge', '--instance', troubled, '--json')).stdout)
    expect(json).toMatchObject({ ring: 'edge', machines: [{ instance: troubled, answered: true }] })
    const told = json.machines[0].problems.map((each: { code: string }) => each.code)
    expect(told).toEqual(expect.arrayContaining(['not-tmpfs', 'verify-unreachable']))
    writeFileSync(settings, before)
    found.delete(troubled)
    machines[2]?.restore()
    await aws.idle()
  })

  it.each([
    ['without a Python', ['mount --bind /dev/null "$(readlink -f /usr/bin/python3)"'], 1, 'tool-missing'],
    ['that says nonsense', ['echo hello; exit 3'], 2, 'answer-malformed'],
    ['that says nothing', ['exit 3'], 2, 'answer-malformed|unanswered'],
    ['with a plain disk in the place of a tmpfs', [`mount --bind ${directory} "$PWD/keys"`], 1, 'not-tmpfs'],
  ])('%s get a row with a remedy', async (_, lines, code, problem) => {
    found.set(sound, lines)
    const told = await ticketring('preflight', 'edge', '--instance', sound)
    found.delete(sound)
    expect(told, told.stdout).toMatchObject({ code })
    expect(told.stdout).toMatch(new RegExp(`^(${problem}) +${sound} `, 'm'))
    expect(told.stdout).toMatch(new RegExp(`^  (${problem}):\n    \\S`, 'm'))
    expect(told.stdout).toContain(`then ticketring preflight edge --instance ${sound} `)
  })

  it('are looked at for each ring of the stack, where none is named; a role that may not read it is found', async () => {
    expect((await ticketring('preflight')).stdout).toContain(
      'quay: no machine under Systems Manager has its tag ticketring=quay\nnext: give it to one machine',
    )
    await joinFleet(other, 'quay', 'terminators')
    const { code, stdout } = await ticketring('preflight')
    expect(code).toBe(1)
    expect(stdout).toMatch(/^edge: 3 of 3/m)
    expect(stdout).toMatch(new RegExp(`^access-denied +${other} `, 'm'))
  })
})

describe('an operator', () => {
  const asRole = (number: number) => {
    const id = machineId(20 + number)
    const session = aws
      .join({
        id,
        workdir: directory,
        tags: {},
        role: `Operator${number}`,
        agent: 'current',
        environment: {},
      })
      .credentials()
    const { accessKeyId, secretAccessKey, sessionToken } = session
    return asOperator({ ...access, accessKeyId, secretAccessKey }, ['preflight', 'edge'], {
      AWS_SESSION_TOKEN: sessionToken,
    })
  }

  it('needs no more than the policy of docs/operations.md', async () => {
    expect(await asRole(0)).toMatchObject({ code: 0, stderr: '' })
  })

  it.each(policyOfPage().Statement.map(({ Action }, at) => [[Action].flat()[0] ?? '', at + 1] as const))(
    'who lacks %s is told so',
    async (action, number) => {
      const { code, stdout, stderr } = await asRole(number)
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
      expect(stderr).toContain(`Give its role ${action}`)
    },
  )

  it.each([
    [['preflight', 'edgy'], 'No ring edgy in the stack Ticketring\nDid you mean edge?'],
    [['preflight', '--instance', sound], '--instance wants the name of a ring too'],
    [['preflight', 'edge', '--profile', 'absent'], 'The profile absent gives no access'],
    [
      ['preflight', 'edge', '--instance', sound.replace(/1$/, '7')],
      `No machine ${sound.replace(/1$/, '7')} among the 3 with the tag ticketring=edge\nDid you mean`,
    ],
  ])('who asks %j is told what to ask', async (words, why) => {
    const before = sent().length
    expect(await ticketring(...words)).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining(why),
    })
    expect(sent()).toHaveLength(before)
  })

  it('who presses Ctrl-C is told that the command runs on and changes nothing', async () => {
    found.set(sound, ['sleep 3'])
    const before = sent().length
    const isSent = () => expect.poll(() => sent().length, { timeout: 20_000 }).toBe(before + 1)
    expect(await interruptAsOperator(access, ['preflight', 'edge'], isSent)).toMatchObject({
      code: 130,
      stdout: '',
      stderr: expect.stringContaining('runs on on the machines that were asked, and changes nothing there'),
    })
    found.delete(sound)
    await aws.idle()
  })
})
