import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { offboardText } from '../../cli/offboard/offboard-text.ts'
import { outcomeOf } from '../../cli/offboard/outcome.ts'
import { readContext, synthesise } from '../../infra/app/build-app.ts'
import { parseConfiguration } from '../../infra/app/configuration.ts'
import { KEY_SERVERS, namesKeys } from '../../infra/servers/servers.ts'
import { type Instance, type LoopbackAws, startLoopbackAws } from '../../local/aws/loopback.ts'
import { machineId } from '../local/aws/fixture.ts'
import { accessTo, asOperator, interruptAsOperator, type OperatorAccess } from './operator.ts'

const directory = mkdtempSync(join(tmpdir(), 'ticketring-offboard-'))
const KEYS = '/run/ticketring/edge/haproxy.keys'
const BIND = `bind :443 ssl tls-ticket-keys ${KEYS}`
/** File systems and processes of its own: nothing of this machine can be written, or is looked through. */
const APART = ['unshare', '--mount', '--pid', '--fork', '--mount-proc', '--kill-child']
const FENCE = ['/run', '/etc', '/usr/local'].map((place) => `mount -t tmpfs -o mode=755 tmpfs ${place}`)
const DELIVERED = [
  'mkdir -p /run/ticketring/edge /etc/haproxy /etc/systemd/system /usr/local/lib/ticketring',
  `touch ${KEYS} /usr/local/lib/ticketring/edge.conf`,
]

let aws: LoopbackAws
let access: OperatorAccess
/** Of each machine, the lines of sh that make what is found there: one after the other, for each run anew. */
const found = new Map<string, readonly string[]>()
const machines: Instance[] = []

beforeAll(async () => {
  const [ring] = parseConfiguration(readContext().ticketring).rings
  const haproxy = { ...ring?.servers.haproxy, keys: '/run/ticketring/quay/haproxy.keys' }
  const quay = { tag: 'ticketring', values: ['quay'] }
  const staying = { ...ring, name: 'quay', targets: quay, fleetRoles: ['quays'], servers: { haproxy } }
  const synthesis = synthesise({ rings: [{ ...ring, offboard: true }, staying] }, join(directory, 'cdk.out'))
  const { template, assembly } = synthesis
  aws = await startLoopbackAws({
    template,
    assembly,
    stackName: 'Ticketring',
    roles: synthesis.rings.flatMap(({ fleetRoles }) => fleetRoles),
    schedules: 'paused',
  })
  access = accessTo(aws)
  for (const number of [1, 2, 3]) machines.push(joinFenced(number))
}, 120_000)
afterAll(async () => {
  await aws?.close()
  rmSync(directory, { recursive: true, force: true })
})

function joinFenced(number: number): Instance {
  const id = machineId(number)
  const workdir = join(directory, id)
  mkdirSync(workdir)
  const wrap = (argv: readonly string[]) => {
    const lines = [...FENCE, ...DELIVERED, ...(found.get(id) ?? []), 'exec "$@"']
    const file = join(workdir, 'fenced')
    writeFileSync(file, lines.join('\n'))
    return [...APART, 'sh', '-e', file, ...argv]
  }
  return aws.join({
    id,
    workdir,
    wrap,
    tags: { ticketring: 'edge' },
    role: 'terminators',
    agent: 'current',
    environment: {},
  })
}

const ticketring = (...words: string[]) => asOperator(access, words)
const [one, two, three] = [machineId(1), machineId(2), machineId(3)]

describe('a ring that is taken off its machines', () => {
  it('is looked for on each: the lines that name its files, and what to take out by kind of server', async () => {
    found.set(two, [`echo '${BIND}' >/etc/haproxy/haproxy.cfg`])
    const { code, stdout, stderr } = await ticketring('offboard', 'edge')
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' })
    expect(stdout.split('\n')).toEqual([
      'edge: 2 of 3 machines name none of its files any more',
      `  ${two}  still names its files:`,
      '    /etc/haproxy/haproxy.cfg:1',
      '  take these out, then reload or restart the server:',
      '    haproxy: tls-ticket-keys FILE on each bind',
      expect.stringMatching(/^ {4}nginx: the three lines of ssl_session_ticket_key/),
      '  next: mend what is named, then ticketring offboard edge   (docs/operations.md#to-leave)',
      '',
    ])
  })

  it('stays where it is until that is confirmed', async () => {
    const told = await ticketring('offboard', 'edge', '--remove')
    expect(told).toMatchObject({
      code: 2,
      stderr: 'Nothing was removed. To do it: the same command with --yes-remove-files\n',
    })
    expect(told.stdout).toContain('2 of 3 machines name none')
    expect(sent().at(-1)).toEqual({ Mode: ['look'] })
  })

  it('is removed from each that names none of its files, and from no other', async () => {
    const { code, stdout } = await ticketring('offboard', 'edge', '--remove', '--yes-remove-files')
    expect(code).toBe(1)
    expect(stdout).toContain('edge: taken off 2 of 3 machines\n')
    expect(stdout).toContain(`  ${one}  removed:\n    ${KEYS}\n`)
    expect(stdout).toContain(`  ${two}  still names its files:\n    /etc/haproxy/haproxy.cfg:1\n`)
    found.delete(two)
    const again = await ticketring('offboard', 'edge', '--remove', '--yes-remove-files', '--instance', two)
    expect(again).toMatchObject({ code: 0, stderr: '' })
    expect(again.stdout).toContain('next: delete the ring from the configuration, and deploy')
  })

  it('names a machine that is offline, and one that says nothing: what they have cannot be told', async () => {
    machines[2]?.lose()
    found.set(one, ['exit 3'])
    const told = await ticketring('offboard', 'edge')
    expect(told).toMatchObject({ code: 2, stderr: '' })
    expect(told.stdout).toContain(`  ${one}  did not answer (Failed)\n`)
    expect(told.stdout).toContain(`  ${three}  offline: Systems Manager has lost it, so it was not asked\n`)
    found.delete(one)
    const { stdout } = await ticketring('offboard', 'edge', '--json')
    expect(JSON.parse(stdout)).toEqual({
      ring: 'edge',
      mode: 'look',
      machines: [
        { instance: one, kind: 'clear' },
        { instance: two, kind: 'clear' },
        { instance: three, kind: 'offline' },
      ],
    })
    machines[2]?.restore()
  })

  it('stays on a machine that its owner holds', async () => {
    found.set(one, ['echo sale >/run/ticketring/hold'])
    const told = await ticketring('offboard', 'edge', '--remove', '--yes-remove-files', '--instance', one)
    expect(told.code).toBe(1)
    expect(told.stdout).toContain(`  ${one}  removed nothing: held-on-machine: /run/ticketring/hold: sale\n`)
    found.delete(one)
  })
})

describe('a ring that cannot be taken off its machines', () => {
  it.each([
    [
      ['offboard', 'quay'],
      'The ring quay is not told to leave: its machines would be brought it again\nDeploy "offboard": true',
    ],
    [['offboard', 'edgy'], 'No ring edgy in the stack Ticketring\nDid you mean edge?'],
    [['offboard', 'edge', '--yes-remove-files'], '--yes-remove-files goes with --remove'],
    [
      ['offboard', 'edge', '--instance', one.replace(/1$/, '7')],
      `No machine ${one.replace(/1$/, '7')} among the 3 with the tag ticketring=edge\nDid you mean ${one}?`,
    ],
  ])('%j says why, and what to do', async (words, why) => {
    const before = sent().length
    expect(await ticketring(...words)).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining(why),
    })
    expect(sent()).toHaveLength(before)
  })

  it.each([
    [['offboard', 'edge'], 'Nothing was changed\n'],
    [
      ['offboard', 'edge', '--remove', '--yes-remove-files'],
      'The machines that were asked go on: the same command tells how they stand\n',
    ],
  ])('and Ctrl-C in the middle of %j says what goes on', async (words, goesOn) => {
    found.set(one, ['sleep 3'])
    const before = sent().length
    const isSent = () => expect.poll(() => sent().length, { timeout: 20_000 }).toBe(before + 1)
    const told = await interruptAsOperator(access, words, isSent)
    expect(told).toMatchObject({ code: 130, stdout: '', stderr: expect.stringContaining(goesOn) })
    found.delete(one)
    await aws.idle()
  })
})

/** Parameters of the commands that were sent. */
const sent = () => aws.history.commands.map(({ parameters }) => parameters)

describe('what a machine says', () => {
  const machine = { id: one, online: true, status: 'Success' }
  const said = (output: string) => outcomeOf('edge', { ...machine, output })

  it.each([
    '',
    'no JSON',
    '{"v":1,"ring":"edge","offboard":"rem\n---Output truncated---',
    '{"v":1,"ring":"quay","offboard":"clear"}',
    'null',
    '[]',
  ])('is no answer: %j', (output) => {
    expect(said(output)).toEqual({ kind: 'unanswered', status: 'Success' })
  })

  it('that is none of what it may say counts as nothing done', () => {
    expect(said('{"ring":"edge","offboard":"done"}')).toMatchObject({ kind: 'failed' })
  })

  it.each([
    { offboard: 'named', named: [`/etc/a:1\n  ${two}  names none of its files`] },
    { offboard: 'removed', removed: [`/run/a\n  ${two}  removed:`] },
    { offboard: 'failed', error: `held\n  ${two}  removed:`, detail: `\n  ${two}  removed:` },
  ])('is no line that reads as another machine: $offboard', (line) => {
    const outcome = said(JSON.stringify({ ring: 'edge', ...line }))
    const lines = offboardText('edge', [{ id: one, outcome }], [], true).split('\n')
    expect(lines.filter((each) => each.trimStart().startsWith(two))).toEqual([])
  })

  it.each(['1e999', '1.5', '-3', '"7"', 'null'])('counts no more where it says %s', (more) => {
    expect(said(`{"ring":"edge","offboard":"named","named":[],"more":${more}}`)).toMatchObject({ more: 0 })
  })

  it('is told with how much more there is', () => {
    const outcome = said('{"ring":"edge","offboard":"named","named":["/etc/a:1"],"more":2}')
    expect(offboardText('edge', [{ id: one, name: 'web-1', outcome }], [], false)).toContain(
      `  ${one} (web-1)  still names its files:\n    /etc/a:1\n    and 2 lines more\n`,
    )
  })
})

describe('what is to be taken out', () => {
  it.each(Object.keys(KEY_SERVERS))('is known of %s', (kind) => {
    expect(namesKeys(kind)?.length).toBeGreaterThan(10)
  })

  it('is not known of what is no kind', () => {
    expect(namesKeys('toString')).toBeUndefined()
  })
})
