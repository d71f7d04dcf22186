import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Machine, Terminator } from '../../machines/machine.ts'
import { configuration, nginx, words } from '../../machines/nginx.ts'
import { SERVER_PATH } from '../../machines/required-servers.ts'
import { inUsersLines, placesOf, settled } from '../copy.ts'
import type { OwnConfiguration } from '../own-configuration.ts'
import { type Disk, type Places, wordFor } from '../places.ts'
import { type Line, readNginx } from './read.ts'
import { type PlannedNginx, planNginx, proofAt } from './ring.ts'
import { writeWord } from './words.ts'

const KEY = 80

/**
 * A user's nginx.conf, with what it includes, as machines of the rehearsal run it.
 * @throws RehearsalError naming every line that keeps it from that.
 */
export function ownNginx(file: string, text: string, disk: Disk): OwnConfiguration {
  const read = readNginx({ file, text, disk })
  const planned = planNginx(read)
  const { listeners, settings } = planned
  return {
    file,
    // A proof may have taken one more.
    ports: read.sockets.ports,
    listeners,
    settings,
    said: settled(file, read.findings),
    terminator: terminatorFor(planned),
    standInKeys: () => randomBytes(KEY),
    objection: (machine) => objectionOf(machine, file, planned),
  }
}

function terminatorFor(planned: PlannedNginx): Terminator {
  // What is stapled is no part of a ring.
  const { stapleSettings: _, stapleExample: __, ...base } = nginx
  return {
    ...base,
    speaks: 'web',
    configure(machine) {
      const lines = copyOf(planned, machine)
      writeFileSync(configuration(machine), lines.map(({ text }) => `${text}\n`).join(''), 'latin1')
    },
    settings(machine) {
      const proofs = planned.proofs.map((proof) => proofAt(proof, placesFor(machine)))
      return { ...base.settings(machine), NGINX_VERIFY: proofs.join(' ') }
    },
  }
}

function placesFor(machine: Machine): Places {
  return placesOf(machine, dirname(nginx.keyFiles(machine)[0] as string))
}

interface Written {
  readonly text: string
  readonly line?: number
  readonly file?: string
}

/** The user's directives between those that a machine of the rehearsal has in their stead. */
function copyOf({ main, http }: PlannedNginx, machine: Machine): readonly Written[] {
  const places = placesFor(machine)
  const { directory } = machine
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind): Line => {
    return { words: [`${kind}_temp_path`, join(directory, `${kind}_temp`)] }
  })
  const own: readonly Line[] = [
    { words: ['daemon', 'off'] },
    { words: ['worker_processes', '2'] },
    { words: ['pid', join(directory, 'nginx.pid')] },
    { words: ['error_log', join(directory, 'error.log'), 'notice'] },
    { words: ['events'], block: [{ words: ['worker_connections', '256'] }] },
  ]
  const inside: readonly Line[] = [{ words: ['access_log', 'off'] }, ...temporary, ...http]
  return [...own, ...main, { words: ['http'], block: inside }].flatMap((line) => written(line, places))
}

function written({ words: parts, spot, block }: Line, places: Places): readonly Written[] {
  const where = spot === undefined ? {} : { line: spot.line, file: spot.file }
  const text = parts.map((word) => writeWord(wordFor(word, places))).join(' ')
  if (block === undefined) return [{ text: `${text};`, ...where }]
  return [{ text: `${text} {`, ...where }, ...block.flatMap((line) => written(line, places)), { text: '}' }]
}

function objectionOf(machine: Machine, file: string, planned: PlannedNginx): string | undefined {
  const copy = configuration(machine)
  const [command = '', ...rest] = [...words(machine), '-t', '-e', join(machine.directory, 'error.log')]
  const { status, stderr, error } = spawnSync(command, rest, {
    encoding: 'utf8',
    env: { PATH: SERVER_PATH },
    timeout: 30_000,
    input: '',
  })
  if (status === 0) return undefined
  return inUsersLines(`${error?.message ?? ''}${stderr}`, [{ copy, file, lines: copyOf(planned, machine) }])
}
