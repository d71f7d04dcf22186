import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseConfiguration } from '../../infra/app/configuration.ts'
import { readContext } from '../../infra/app/context.ts'
import { ownProgram } from '../../infra/program/program.ts'
import { buildRingDocument } from '../../infra/ring/document.ts'
import { buildStapleDocument } from '../../infra/stapling/document.ts'
import { settingsIn } from '../infra/app/example.ts'
import { CREDENTIALS, Endpoint } from './endpoint.ts'
import { type Command, wordsOf } from './program.ts'

const { rings, stapling } = parseConfiguration(readContext().ticketring)
const [ring] = rings
const [set] = stapling
if (ring === undefined || set === undefined) throw new Error('cdk.json has no example any more')

const EXAMPLES = [
  {
    name: 'edge.conf',
    command: 'ring',
    scope: 'edge',
    document: buildRingDocument({ ...ring, mode: 'enforce' }, ownProgram()),
    // The secret of a stack that was just deployed: the server starts on keys of its own.
    outcome: { result: 'local-ring', error: 'no-ring' },
  },
  {
    name: 'web.staples.conf',
    command: 'staples',
    scope: 'web',
    document: buildStapleDocument(set, ownProgram()),
    // The PEM that it names is not on this machine.
    outcome: { result: 'failed', error: 'certificate-unreadable' },
  },
] as const

/** The example as a machine of this kind would have it: the other kind's lines are comments. */
function example(name: string, kind: 'haproxy' | 'nginx'): string {
  const lines = readFileSync(`docs/examples/${name}`, 'utf8').split('\n')
  if (kind === 'haproxy') return lines.join('\n')
  return lines
    .filter((line) => !/^(SERVER|HAPROXY_)/.test(line))
    .map((line) => line.replace(/^#(?=[A-Z_]+=)/, ''))
    .join('\n')
}

function settingsOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => /^[A-Z_]+=/.test(line))
}

/** What the example's document tells its machines. */
function told(document: (typeof EXAMPLES)[number]['document']): readonly string[] {
  // A machine says for itself that it enforces, while it is the first.
  return settingsIn(document.content.mainSteps[0].inputs.runCommand).filter(
    (line) => !line.startsWith('MODE='),
  )
}

describe('the sample settings of docs/examples', () => {
  let endpoint: Endpoint
  let directory = ''

  beforeAll(async () => {
    endpoint = await Endpoint.start()
    directory = mkdtempSync('/dev/shm/ticketring-examples-')
  })

  afterAll(() => {
    endpoint.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  for (const { name, command, scope, document, outcome } of EXAMPLES) {
    for (const kind of ['haproxy', 'nginx'] as const) {
      it(`${name}: a machine with ${kind} starts from what the document of cdk.json says`, () => {
        const other = kind === 'haproxy' ? 'NGINX_' : 'HAPROXY_'
        const wanted = [`SERVER=${kind}`, ...told(document).filter((line) => !line.startsWith(other))]
        expect([...settingsOf(example(name, kind))].sort()).toEqual(wanted.sort())
      })

      it(`${name}: ${command} takes it at boot, with ${kind}`, async () => {
        // Nothing of this machine's own /run is touched.
        const text = example(name, kind).replaceAll('/run/ticketring/', `${directory}/`)
        writeFileSync(join(directory, name), `${text}\nRUN_DIR=${directory}/run\n`)
        const line = await boot(command, scope)
        expect(line).toMatchObject({ server: kind, ...outcome })
      })
    }
  }

  async function boot(command: Command, scope: string): Promise<unknown> {
    const env = {
      PATH: process.env.PATH ?? '/usr/bin:/bin',
      TICKETRING_CONF_DIR: directory,
      AWS_ENDPOINT_URL: endpoint.url,
      AWS_REGION: 'eu-central-1',
      AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
      AWS_SESSION_TOKEN: CREDENTIALS.sessionToken,
    }
    const [python = '', ...words] = wordsOf(command)
    const ended = promisify(execFile)(python, [...words, '--boot', scope], { env })
    const { stdout } = await ended.catch((error: { stdout: string }) => error)
    return JSON.parse(stdout)
  }
})
