/** A document brings the units of systemd: on a file system of its own, with a systemctl that notes what it was asked. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { parseConfiguration } from '../../infra/app/configuration.ts'
import { readContext } from '../../infra/app/context.ts'
import { buildProgram } from '../../infra/program/program.ts'
import { buildRingDocument } from '../../infra/ring/document.ts'
import { buildStapleDocument } from '../../infra/stapling/document.ts'
import { BareMachine, ringText, staplesText } from './stand-in.ts'
import { tmpfsDirectory } from './terminators.ts'

const UNITS = '/etc/systemd/system'
const BOOT = 'ticketring-boot@edge.service'
const PULL = 'ticketring-pull@edge.service'
const TIMER = 'ticketring-pull@edge.timer'
/** What is asked for when something is written. */
const TAKEN_UP = ['daemon-reload', `reenable ${BOOT} ${TIMER}`, `restart ${TIMER}`]

const scratch = tmpfsDirectory()
afterAll(() => rmSync(scratch, { recursive: true }))

let machine: BareMachine
let machines = 0
beforeEach(() => {
  machines += 1
  machine = new BareMachine(join(scratch, `machine-${machines}`))
  writeFileSync(join(machine.directory, 'edge.conf'), 'SERVER=nginx\n')
  writeFileSync(join(machine.directory, 'web.staples.conf'), 'SERVER=nginx\n')
})

/** The real one makes the links, which needs no systemd that runs; the others are noted alone. */
const systemctl = (log: string) => `#!/bin/sh
echo "$*" >>${log}
[ -e ${log}.fails ] && exit 1
case $1 in
reenable) exec /usr/bin/systemctl --root=/ -q "$@" ;;
disable) shift 2; exec /usr/bin/systemctl --root=/ -q disable "$@" ;;
esac
`

interface Seen {
  /** The documents' result lines. */
  readonly lines: readonly Record<string, unknown>[]
  readonly notes: string
  /** What systemctl was asked, by the run. */
  readonly asked: readonly string[]
  /** Files and links of the units, below their directory. */
  readonly units: readonly string[]
  readonly text: (unit: string) => string
}

/** Runs these lines of sh where systemd, if so, is PID 1, and nothing of this machine can be written. */
function onMachine(steps: readonly string[], hasSystemd = true): Seen {
  const at = (name: string) => join(machine.directory, name)
  mkdirSync(at('tools'))
  writeFileSync(at('tools/systemctl'), systemctl(at('asked')), { mode: 0o755 })
  writeFileSync(at('asked'), '')
  mkdirSync(at('units'))
  const mounts = ['/run', '/etc/systemd', '/usr/local/lib'].map(
    (place) => `mount -t tmpfs -o mode=755 tmpfs ${place}`,
  )
  const script = [
    ...mounts,
    `mkdir ${UNITS}`,
    hasSystemd ? 'mkdir -p /run/systemd/system' : ':',
    ...steps,
    `cd ${UNITS}`,
    `find . ! -type d -printf '%P\\n' | sort >${at('list')}`,
    `find . -type f -exec cp {} ${at('units')} ';'`,
  ]
  const { stdout, stderr, status } = spawnSync('unshare', ['-m', 'sh', '-ec', script.join('\n')], {
    encoding: 'utf8',
    env: {
      PATH: `${at('tools')}:/usr/sbin:/usr/bin:/sbin:/bin`,
      ASKED: at('asked'),
      SSM_Generation: '7',
      SSM_Staples: 'all',
      TICKETRING_CONF_DIR: machine.directory,
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
    },
  })
  expect(status, stderr).toBe(0)
  const linesOf = (name: string) => readFileSync(at(name), 'utf8').split('\n').slice(0, -1)
  return {
    lines: stdout
      .trim()
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line)),
    notes: stderr,
    asked: linesOf('asked'),
    units: linesOf('list'),
    text: (unit) => readFileSync(join(machine.directory, 'units', unit), 'utf8'),
  }
}

/** A run of it, which fails since no credentials are there. */
const delivery = (text: string) => `sh ${machine.file(text)} || true`
const ring = () => delivery(ringText(buildProgram()))
const staples = () => delivery(staplesText(buildProgram()))

/** The example's document of a ring with this changed. */
function ringWith(changes: object): string {
  const [first] = parseConfiguration(readContext().ticketring).rings
  if (first === undefined) throw new Error('cdk.json has no example any more')
  const document = buildRingDocument({ ...first, mode: 'enforce', ...changes }, buildProgram())
  return delivery(document.content.mainSteps[0].inputs.runCommand.join('\n'))
}

/** The example's document of a set with this changed. */
function staplesWith(changes: object): string {
  const [first] = parseConfiguration(readContext().ticketring).stapling
  if (first === undefined) throw new Error('cdk.json has no example any more')
  const { content } = buildStapleDocument({ ...first, ...changes }, buildProgram())
  return delivery(content.mainSteps[0].inputs.runCommand.join('\n'))
}

describe.runIf(process.getuid?.() === 0)('a delivery on a machine with systemd', () => {
  test('writes the units of its ring for the server that it found, enables them and starts the timer', () => {
    const { lines, asked, units, text } = onMachine([ring()])
    expect(lines).toMatchObject([{ server: 'nginx', result: 'failed', error: 'no-credentials' }])
    expect(asked).toEqual(TAKEN_UP)
    expect(units).toEqual([`nginx.service.wants/${BOOT}`, BOOT, PULL, TIMER, `timers.target.wants/${TIMER}`])
    expect(text(BOOT)).toContain('\nBefore=nginx.service\n')
    expect(text(BOOT)).toContain('\nEnvironment=TICKETRING_SERVER=nginx\n')
  })

  test('writes nothing where all is as it should be, and what was changed by hand anew', () => {
    const { asked, text } = onMachine([
      ring(),
      ring(),
      `echo '# by hand' >>${UNITS}/${TIMER}`,
      ring(),
      `rm ${UNITS}/timers.target.wants/${TIMER}`,
      ring(),
    ])
    expect(asked).toEqual([...TAKEN_UP, ...TAKEN_UP, ...TAKEN_UP])
    expect(text(TIMER)).not.toContain('by hand')
  })

  test('of a set writes its own, beside those of a ring', () => {
    const { asked, units } = onMachine([ring(), staples()])
    const own = ['ticketring-staples@web.service', 'ticketring-staples-pull@web.timer']
    expect(asked.slice(3)).toEqual(['daemon-reload', `reenable ${own.join(' ')}`, `restart ${own[1]}`])
    for (const unit of [BOOT, TIMER, ...own]) expect(units).toContain(unit)
  })

  test('with boot: false takes away those of an earlier one, and writes none', () => {
    const { asked, units } = onMachine([ring(), ringWith({ boot: false }), ringWith({ boot: false })])
    expect(asked.slice(3)).toEqual([`disable --now ${BOOT} ${TIMER}`, 'daemon-reload'])
    expect(units).toEqual([])
  })

  test('of a set with boot: false takes away its own alone, as a set that leaves does', () => {
    const { asked, units } = onMachine([ring(), staples(), staplesWith({ boot: false })])
    const own = ['ticketring-staples@web.service', 'ticketring-staples-pull@web.timer']
    expect(asked.at(-2)).toBe(`disable --now ${own.join(' ')}`)
    expect(units.filter((unit) => unit.includes('@web'))).toEqual([])
    expect(units).toContain(BOOT)
  })

  test('of a ring that is only looked at writes none, and leaves those that are there', () => {
    expect(onMachine([ringWith({ mode: 'observe' })])).toMatchObject({ asked: [], units: [] })
  })

  test('back from enforcing leaves the units, by which a machine that starts gets its files', () => {
    const { asked, units } = onMachine([ring(), ringWith({ mode: 'observe' })])
    expect(asked).toEqual(TAKEN_UP)
    expect(units).toContain(BOOT)
    expect(units).toContain(TIMER)
  })

  test("gives way to the machine's own file", () => {
    writeFileSync(join(machine.directory, 'edge.conf'), 'SERVER=nginx\nBOOT=no\n')
    expect(onMachine([ring()])).toMatchObject({ asked: [], units: [] })
  })

  test.each<[string, string[], string]>([
    ['a read-only /etc', ['mount -o remount,ro /etc/systemd'], 'Read-only file system'],
    ['a read-only /usr', ['mount -o remount,ro /usr/local/lib'], 'runs from /run/ticketring/lib'],
    ['a systemctl that fails', ['touch "$ASKED.fails"'], 'systemctl daemon-reload: exit status 1'],
    ['a directory that others may write', [`chmod 777 ${UNITS}`], 'other users may write to it'],
  ])('goes on with %s, and says so', (_, steps, words) => {
    const { lines, notes } = onMachine([...steps, ring()])
    expect(lines).toMatchObject([{ result: 'failed', error: 'no-credentials' }])
    expect(notes).toContain('no units: ')
    expect(notes).toContain(words)
  })

  test('does what it came for where there is no systemd, without a word', () => {
    const { lines, notes, asked, units } = onMachine([ring()], false)
    expect(lines).toMatchObject([{ error: 'no-credentials' }])
    expect({ asked, units }).toEqual({ asked: [], units: [] })
    expect(notes).not.toContain('units')
  })

  test('brings units that systemd accepts and that start, by their ExecStart, what was delivered', () => {
    const start = (unit: string) =>
      `sh -c "$(sed -n 's/^ExecStart=//p' ${UNITS}/${unit} | sed 's/%i/edge/')" || true`
    const { lines, notes } = onMachine([
      ring(),
      `systemd-analyze verify --man=no ${UNITS}/${BOOT} ${UNITS}/${PULL} ${UNITS}/${TIMER}`,
      'mkdir -p /run/ticketring/edge',
      `echo BOOT_WAIT=1 >>${join(machine.directory, 'edge.conf')}`,
      start(BOOT),
      start(PULL),
    ])
    expect(lines.slice(1)).toMatchObject([
      { ring: 'edge', server: 'nginx', result: 'local-ring', error: 'no-credentials' },
      { ring: 'edge', server: 'nginx', result: 'local-ring', error: 'no-credentials' },
    ])
    expect(notes).not.toContain('Unknown')
  })
})
