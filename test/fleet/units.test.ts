import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { tmpfsDirectory } from './terminators.ts'

const PROGRAM = '/usr/local/lib/ticketring/current/ticketring.pyz'
const UNITS = [
  { name: 'ticketring-boot@', words: 'ring --boot %i' },
  { name: 'ticketring-staples@', words: 'staples --boot %i' },
]

/** By systemd's own judgement, of 100: a service without hardening has 96, and each line counts 1 to 3. */
const MOST_EXPOSURE = '30'

let directory = ''
afterEach(() => rmSync(directory, { recursive: true, force: true }))

/** The unit of the instance `edge` as a machine has it, with its program below a scratch directory. */
function installed(name: string): string {
  directory = tmpfsDirectory()
  const program = join(directory, PROGRAM)
  mkdirSync(join(program, '..'), { recursive: true })
  writeFileSync(program, '#!/bin/sh\n')
  chmodSync(program, 0o755)
  const unit = join(directory, `${name}edge.service`)
  writeFileSync(unit, textOf(name).replaceAll(PROGRAM, program))
  return unit
}

function textOf(name: string): string {
  return readFileSync(`agent/units/${name}.service`, 'utf8')
}

function analyze(...words: readonly string[]) {
  return spawnSync('systemd-analyze', words, { encoding: 'utf8' })
}

describe.each(UNITS)('the unit $name', ({ name, words }) => {
  const lines = textOf(name).split('\n')

  test('is one that systemd accepts', () => {
    const { status, stderr } = analyze('verify', '--man=no', installed(name))
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  })

  test('runs the program that was installed last', () => {
    expect(lines).toContain(`ExecStart=${PROGRAM} ${words}`)
  })

  test('runs when a terminator starts, to its end before that, and once the network is there', () => {
    expect(lines).toContain('WantedBy=haproxy.service nginx.service')
    expect(lines).toContain('Before=haproxy.service nginx.service')
    expect(lines).toContain('Type=oneshot')
    expect(lines).toContain('Wants=network-online.target')
    expect(lines).toContain('After=network-online.target')
  })

  test('leaves no core dump', () => {
    expect(lines).toContain('LimitCORE=0')
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
