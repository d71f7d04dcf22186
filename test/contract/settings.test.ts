import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { RING } from '../../infra/ring/configuration.ts'
import { SET } from '../../infra/stapling/configuration.ts'
import type { Settings } from '../../lambda/kernel/settings.ts'

/** What a machine alone says, in a file of its own. */
const OF_A_MACHINE = ['REGION', 'SERVER', 'RUN_DIR', 'LOCK_WAIT', 'VERIFY_WAIT']

/** Names by which the declared settings are told to machines. */
function toldBy(settings: Settings): readonly string[] {
  return Object.values(settings).flatMap(({ kind, machine }) => [
    ...(machine === undefined ? [] : [machine]),
    ...(kind.fields === undefined ? [] : toldBy(kind.fields)),
  ])
}

/** Names that the machine's program knows. */
function knownBy(names: 'OF_RINGS' | 'OF_STAPLES'): readonly string[] {
  const program = `import sys; sys.path.insert(0, 'agent')
from ticketring.settings import ${names}
print('\\n'.join(${names}))`
  const text = execFileSync('python3', ['-I', '-c', program], { encoding: 'utf8' })
  return text.trim().split('\n').toSorted()
}

it.each([
  ['ring', 'OF_RINGS', RING, ['SECRET', 'HAPROXY_GUARDED', 'NGINX_GUARDED', 'ALLOW_DISK', 'ENDPOINT_SSM']],
  ['set', 'OF_STAPLES', SET, ['STORE', 'ENDPOINT_SECRETSMANAGER']],
] as const)(
  'a machine knows the settings that the document of a %s tells it, and no others',
  (_, names, told, more) => {
    expect([...toldBy(told), ...more, ...OF_A_MACHINE].toSorted()).toEqual(knownBy(names))
  },
)
