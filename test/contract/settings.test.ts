import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { RING } from '../../infra/ring/configuration.ts'
import { KEY_SERVERS } from '../../infra/servers/servers.ts'
import { SET } from '../../infra/stapling/configuration.ts'
import type { Settings } from '../../lambda/kernel/settings.ts'

/** What a machine alone says, in a file of its own. */
const OF_A_MACHINE = ['REGION', 'SERVER', 'RUN_DIR', 'RUN_SECONDS', 'LOCK_WAIT', 'VERIFY_WAIT', 'BOOT_WAIT']

/** What the trust group of a ring comes to, on each kind of server. */
const GUARDED = Object.keys(KEY_SERVERS).map((kind) => `${kind.toUpperCase()}_GUARDED`)

/** Names by which the declared settings are told to machines. */
function toldBy(settings: Settings): readonly string[] {
  return Object.values(settings).flatMap(({ kind, machine }) => [
    ...(machine === undefined ? [] : [machine]),
    ...(kind.fields === undefined ? [] : toldBy(kind.fields)),
  ])
}

/** Names that the machine's program knows. */
function knownBy(command: 'ring' | 'staples'): readonly string[] {
  const program = `import sys; sys.path.insert(0, 'agent')
from ticketring.__main__ import help_for
from ticketring.settings import HELP, names_in
print('\\n'.join(names_in(HELP + help_for('${command}'))))`
  const text = execFileSync('python3', ['-I', '-c', program], { encoding: 'utf8' })
  return text.trim().split('\n').toSorted()
}

it.each([
  ['ring', 'ring', RING, ['SECRET', 'STAY_BEHIND', ...GUARDED, 'ALLOW_DISK', 'ENDPOINT_SSM']],
  ['set', 'staples', SET, ['STORE', 'ENDPOINT_SECRETSMANAGER']],
] as const)(
  'a machine knows the settings that the document of a %s tells it, and no others',
  (_, command, told, more) => {
    expect([...toldBy(told), ...more, ...OF_A_MACHINE].toSorted()).toEqual(knownBy(command))
  },
)
