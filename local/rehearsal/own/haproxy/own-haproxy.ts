import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { configuration, haproxy, writeReload } from '../../machines/haproxy.ts'
import type { Machine, Terminator } from '../../machines/machine.ts'
import { SERVER_PATH } from '../../machines/required-servers.ts'
import { inUsersLines, placesOf, settled } from '../copy.ts'
import type { OwnConfiguration } from '../own-configuration.ts'
import { type Disk, type Places, type RewrittenLine, wordFor } from '../places.ts'
import { type ReadHaproxy, readHaproxy } from './read.ts'
import { type PlannedHaproxy, planHaproxy } from './ring.ts'
import { writeCrtListLine, writeLine } from './words.ts'

const KEY = 80

/**
 * A user's haproxy.cfg as machines of the rehearsal run it.
 * @throws RehearsalError naming every line that keeps it from that.
 */
export function ownHaproxy(file: string, text: string, disk: Disk): OwnConfiguration {
  const folder = dirname(resolve(file))
  const read = readHaproxy({ file, folder, text, disk, variables: (name) => process.env[name] })
  const planned = planHaproxy(read)
  const { listeners, settings } = planned
  return {
    file,
    ports: read.ports,
    listeners,
    settings,
    said: settled(file, read.findings),
    terminator: terminatorFor(read, planned),
    standInKeys: () => Array.from({ length: 3 }, () => `${randomBytes(KEY).toString('base64')}\n`).join(''),
    objection: (machine) => objectionOf(machine, file, planned.lines),
  }
}

function terminatorFor({ lists }: ReadHaproxy, { lines, proofs }: PlannedHaproxy): Terminator {
  // What is stapled is no part of a ring.
  const { stapleSettings: _, stapleExample: __, ...base } = haproxy
  return {
    ...base,
    speaks: 'web',
    configure(machine) {
      const places = placesOf(machine, base.keyFiles(machine)[0] as string)
      for (const list of lists) write(places.file(list.name), list.lines, places, writeCrtListLine)
      writeReload(machine)
      write(configuration(machine), lines, places, writeLine)
    },
    settings(machine) {
      const places = placesOf(machine, base.keyFiles(machine)[0] as string)
      const listeners = proofs.map(({ here, serverName }) => `${wordFor(here, places)}=${serverName}`)
      return { ...base.settings(machine), HAPROXY_VERIFY: listeners.join(' ') }
    },
  }
}

function write(
  file: string,
  lines: readonly RewrittenLine[],
  places: Places,
  written: (words: readonly string[]) => string,
): void {
  const text = lines.map(({ words }) => `${written(words.map((word) => wordFor(word, places)))}\n`).join('')
  writeFileSync(file, text, 'latin1')
}

function objectionOf(machine: Machine, file: string, lines: readonly RewrittenLine[]): string | undefined {
  const copy = configuration(machine)
  const { status, stderr, stdout, error } = spawnSync('haproxy', ['-c', '-f', copy], {
    encoding: 'utf8',
    env: { PATH: SERVER_PATH },
    timeout: 30_000,
    input: '',
  })
  if (status === 0) return undefined
  return inUsersLines(`${error?.message ?? ''}${stdout}${stderr}`, [{ copy, file, lines }])
}
