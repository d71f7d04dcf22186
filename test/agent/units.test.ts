import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { buildProgram } from '../../infra/program/program.ts'
import { KINDS } from '../../infra/servers/servers.ts'
import { advanced, Instance, rendered, ringOf } from './instance.ts'
import { StapleInstance } from './staple-instance.ts'
import { tmpfsDirectory } from './terminators.ts'

const LIB = '/usr/local/lib/ticketring'
const PULLS = [
  { name: 'ticketring-pull@', link: 'current-ring', words: 'ring --pull %i' },
  { name: 'ticketring-staples-pull@', link: 'current-staples', words: 'staples --pull %i' },
]
const UNITS = [
  { name: 'ticketring-boot@', link: 'current-ring', words: 'ring --boot %i' },
  { name: 'ticketring-staples@', link: 'current-staples', words: 'staples --boot %i' },
]

/** By systemd's own judgement, of 100: a service without hardening has 96, and each line counts 1 to 3. */
const MOST_EXPOSURE = '30'

let directory = ''
afterEach(() => rmSync(directory, { recursive: true, force: true }))

/** The unit of the instance `edge` as a machine has it, with its program below a scratch directory. */
function installed(name: string): string {
  directory = tmpfsDirectory()
  const program = join(directory, 'ticketring.pyz')
  mkdirSync(directory, { recursive: true })
  writeFileSync(program, '#!/bin/sh\n')
  chmodSync(program, 0o755)
  const unit = join(directory, `${name}edge.service`)
  writeFileSync(unit, textOf(name).replace(/\S+\/ticketring\.pyz/g, program))
  return unit
}

function textOf(name: string): string {
  return readFileSync(`agent/units/${name}.service`, 'utf8')
}

function analyze(...words: readonly string[]) {
  return spawnSync('systemd-analyze', words, { encoding: 'utf8' })
}

/** The value of one of a unit's settings. */
function settingOf(name: string, setting: string): string {
  const [, value = ''] = new RegExp(`^${setting}=(.*)$`, 'm').exec(textOf(name)) ?? []
  return value
}

describe('the files of units, for packages and images', () => {
  test('are what a delivery writes, for every kind of server', () => {
    const program = `
import json, sys
sys.dont_write_bytecode = True
sys.path.insert(0, "agent")
from ticketring.servers import NAMES
from ticketring.units import texts_of
servers = " ".join(f"{name}.service" for name in NAMES)
print(json.dumps({k: v for kind in ("ring", "staples") for k, v in texts_of(kind, "", servers, "/usr/bin/python3").items()}))
`
    const texts = JSON.parse(
      spawnSync('/usr/bin/python3', ['-I', '-c', program], { encoding: 'utf8' }).stdout,
    )
    const files = readdirSync('agent/units').map((name) => [
      name,
      readFileSync(`agent/units/${name}`, 'utf8'),
    ])
    expect(Object.fromEntries(files)).toEqual(texts)
  })

  test.each(PULLS)(
    '$name runs every quarter of an hour, missed ones too, at a moment of its own',
    ({ name }) => {
      const file = `agent/units/${name}.timer`
      expect(readFileSync(file, 'utf8').split('\n')).toEqual(
        expect.arrayContaining([
          'OnCalendar=*:0/15',
          'RandomizedDelaySec=15min',
          'FixedRandomDelay=yes',
          'Persistent=yes',
          'WantedBy=timers.target',
        ]),
      )
      installed(name)
      copyFileSync(file, join(directory, `${name}edge.timer`))
      const { status, stderr } = analyze('verify', '--man=no', join(directory, `${name}edge.timer`))
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    },
  )

  test.each(PULLS)('$name calls a pull that AWS did not answer no failure', ({ name }) => {
    expect(settingOf(name, 'SuccessExitStatus')).toBe('75')
  })
})

describe.each([...UNITS, ...PULLS])('the unit $name', ({ name, link, words }) => {
  const lines = textOf(name).split('\n')

  test('is one that systemd accepts', () => {
    const { status, stderr } = analyze('verify', '--man=no', installed(name))
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  })

  test('runs the program that was installed last', () => {
    // By Python: where files of /usr/local may not be executed, it starts all the same.
    expect(lines).toContain(`ExecStart=/usr/bin/python3 -IS ${LIB}/${link}/ticketring.pyz ${words}`)
  })

  test('leaves no core dump', () => {
    expect(lines).toContain('LimitCORE=0')
  })
})

describe.each(UNITS)('the unit $name', ({ name }) => {
  const lines = textOf(name).split('\n')

  test('runs when a terminator starts, to its end before that, and once the network is there', () => {
    for (const kind of KINDS) {
      expect(lines).toContainEqual(expect.stringMatching(`^WantedBy=.*\\b${kind}\\.service\\b`))
      expect(lines).toContainEqual(expect.stringMatching(`^Before=.*\\b${kind}\\.service\\b`))
    }
    expect(lines).toContain('Type=oneshot')
    expect(lines).toContain('Wants=network-online.target')
    expect(lines).toContain('After=network-online.target')
  })

  test('gives the program no more of the machine than it needs', () => {
    const { status, stdout } = analyze(
      'security',
      '--offline=true',
      `--threshold=${MOST_EXPOSURE}`,
      installed(name),
    )
    expect(stdout).toMatch(/Overall exposure level/)
    expect(status, stdout).toBe(0)
  })
})

describe.runIf(process.getuid?.() === 0)("a boot within the unit's bounds", () => {
  let instance: Instance | undefined
  afterEach(() => instance?.stop())

  test("puts the ring in place, for the server's user", async () => {
    const ring = ringOf(1)
    const machine = await Instance.start('haproxy', ring)
    instance = machine
    const next = advanced(ring)
    machine.publish(next)
    for (const line of ['SERVER=haproxy', 'HAPROXY_OWNER=nobody']) machine.set(line)
    const { hash, version, zipapp } = buildProgram()
    const program = join(machine.terminator.directory, hash, 'ticketring.pyz')
    mkdirSync(dirname(program))
    writeFileSync(program, zipapp)
    const kept = settingOf('ticketring-boot@', 'CapabilityBoundingSet').split(' ')
    const bounds = ['-all', ...kept.map((each) => `+${each.replace('CAP_', '').toLowerCase()}`)].join(',')
    const { code, line } = await machine.run({
      prefix: [
        'setpriv',
        `--bounding-set=${bounds}`,
        '--inh-caps=-all',
        '--no-new-privs',
        'prlimit',
        '--core=0',
      ],
      program,
      arguments: ['--boot', 'edge'],
      environment: { TICKETRING_SCRIPT: version },
    })
    expect({ code, ...line }).toMatchObject({ code: 0, result: 'applied', generation: 2, script: version })
    const [keys = ''] = machine.terminator.keyFiles
    expect(readFileSync(keys, 'utf8').trim().split('\n')).toEqual(rendered(next, 'haproxy-80'))
    expect(statSync(keys).uid).toBe(65_534)
  })
})

/** The calls of one of systemd's groups and of those within it. */
function callsOf(group: string): readonly string[] {
  const names = analyze('syscall-filter', group)
    .stdout.split('\n')
    .map((line) => line.trim())
    .filter((line) => /^@?[a-z]/.test(line) && line !== group)
  return names.flatMap((name) => (name.startsWith('@') ? callsOf(name) : [name]))
}

describe('a boot makes no call that its unit forbids', () => {
  let instance: StapleInstance
  afterEach(() => instance.stop())

  test.each([
    [
      'ticketring-boot@',
      (prefix: readonly string[]) => instance.machine.run({ prefix, arguments: ['--boot'] }),
    ],
    [
      'ticketring-staples@',
      (prefix: readonly string[]) => instance.run('all', { prefix, arguments: ['--boot'] }),
    ],
  ])('%s', async (name, boot) => {
    instance = await StapleInstance.start('nginx')
    instance.publish()
    instance.machine.publish(advanced(ringOf(1)))
    const log = join(instance.machine.terminator.directory, 'calls')
    const { line } = await boot(['strace', '-f', '-qq', '-o', log])
    expect(line).toMatchObject({ result: 'applied' })
    const calls = readFileSync(log, 'utf8')
    const made = new Set([...calls.matchAll(/^\d+ +(\w+)\(/gm)].map(([, call = '']) => call))
    const allowed = settingOf(name, 'SystemCallFilter').split(' ').flatMap(callsOf)
    expect(made.size).toBeGreaterThan(30)
    expect([...made].filter((call) => !allowed.includes(call))).toEqual([])
    const families = settingOf(name, 'RestrictAddressFamilies').split(' ')
    const used = [...calls.matchAll(/\bsocket\((\w+),/g)].map(([, family = '']) => family)
    expect(used).toContain('AF_INET')
    expect(used.filter((family) => !families.includes(family))).toEqual([])
    expect(settingOf(name, 'MemoryDenyWriteExecute')).toBe('yes')
    expect(calls).not.toMatch(/PROT_WRITE\|PROT_EXEC/)
  })
})
