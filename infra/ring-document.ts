import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { TicketringError } from '../lambda/core/errors.ts'
import type { ServersSettings, VerifyListener } from '../lambda/core/server-settings.ts'
import type { RingConfiguration } from './configuration.ts'
import { secretName } from './names.ts'

/** A Run Command document that puts a ring in place: its name follows from its content. */
export interface RingDocument {
  /** `ticketring-<ring>-<12 hex>`: other content is another document, so nothing reaches the fleet unnamed. */
  readonly name: string
  /** Always the first: a document of this name never gets a second version. */
  readonly version: '1'
  /** What each result line must name: the first 12 hex digits of the script's SHA-256. */
  readonly script: string
  readonly content: DocumentContent
}

/** Schema 2.2 of the Command documents. */
export interface DocumentContent {
  readonly schemaVersion: '2.2'
  readonly description: string
  readonly parameters: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly mainSteps: readonly [
    {
      readonly name: string
      readonly action: 'aws:runShellScript'
      readonly precondition: { readonly StringEquals: readonly [string, string] }
      readonly inputs: { readonly timeoutSeconds: string; readonly runCommand: readonly string[] }
    },
  ]
}

/** Seconds that the script may run on a machine. */
export const EXECUTION_SECONDS = 120
/** Run Command's limit is 64 KB with the parameters of a run: a little is left for those. */
const MOST_BYTES = 64_000

/** The instance's script, as it stands in `fleet/`. */
export function readScript(): string {
  return readFileSync(new URL('../fleet/apply-ring.sh', import.meta.url), 'utf8')
}

/**
 * Builds a ring's document around the text of the script.
 * @throws TicketringError `configuration-invalid` if the script cannot travel in a document.
 */
export function buildRingDocument(ring: RingConfiguration, script: string): RingDocument {
  refuseTemplateMarks(script)
  const version = digest(script)
  const content = documentContent(ring, [
    ...preamble(ring, version),
    ...script.replace(/\n$/, '').split('\n'),
  ])
  const text = JSON.stringify(content)
  if (Buffer.byteLength(text) > MOST_BYTES) {
    throw new TicketringError('configuration-invalid', {
      wanted: `a document of at most ${MOST_BYTES} bytes`,
      came: `${Buffer.byteLength(text)} bytes for ring ${ring.name}`,
    })
  }
  return { name: `ticketring-${ring.name}-${digest(text)}`, version: '1', script: version, content }
}

function documentContent(ring: RingConfiguration, runCommand: readonly string[]): DocumentContent {
  return {
    schemaVersion: '2.2',
    description: `Puts the TLS session-ticket keys of ring ${ring.name} in place and proves it by a handshake`,
    parameters: {
      Generation: {
        type: 'String',
        description: 'The least generation that counts as success; the machine fetches the ring by itself',
        default: '1',
        // The one place where a caller's text meets a shell on agents that substitute it: digits alone get there.
        allowedPattern: '^[1-9][0-9]{0,11}$',
        interpolationType: 'ENV_VAR',
      },
    },
    mainSteps: [
      {
        name: 'applyRing',
        action: 'aws:runShellScript',
        precondition: { StringEquals: ['platformType', 'Linux'] },
        inputs: { timeoutSeconds: String(EXECUTION_SECONDS), runCommand },
      },
    ],
  }
}

function preamble(ring: RingConfiguration, version: string): readonly string[] {
  const settings = Object.entries(ringSettings(ring)).map(([key, value]) => `${key}=${value}`)
  return [
    // Agents before 3.3.2746.0 know no interpolationType: they put the value in the place of the braces.
    `if [ -z "\${SSM_Generation+x}" ]; then SSM_Generation='{{Generation}}'; fi`,
    `TICKETRING_RING='${ring.name}'`,
    `TICKETRING_SCRIPT='${version}'`,
    ...`TICKETRING_SETTINGS='${settings.join('\n')}'`.split('\n'),
  ]
}

/** The settings a ring's machines start from, in the words of `/etc/ticketring/<ring>.conf`. */
export function ringSettings({
  name,
  servers,
  rotation,
}: Pick<RingConfiguration, 'name' | 'servers' | 'rotation'>): Readonly<Record<string, string>> {
  const settings = {
    SECRET: secretName(name),
    TICKET_LIFETIME: String(rotation.ticketLifetime),
    ...haproxySettings(servers),
    ...nginxSettings(servers),
  }
  for (const [key, value] of Object.entries(settings)) refuseUnsafe(key, value)
  return settings
}

function haproxySettings({ haproxy }: ServersSettings): Readonly<Record<string, string>> {
  if (haproxy === undefined) return {}
  return {
    HAPROXY_KEYS: haproxy.keys,
    HAPROXY_KEY_SIZE: String(haproxy.keySize),
    HAPROXY_SOCKET: haproxy.socket,
    HAPROXY_OWNER: haproxy.owner,
    HAPROXY_VERIFY: listenersText(haproxy.verify),
  }
}

function nginxSettings({ nginx }: ServersSettings): Readonly<Record<string, string>> {
  if (nginx === undefined) return {}
  return {
    NGINX_KEYS: nginx.keys,
    NGINX_KEY_SIZE: String(nginx.keySize),
    NGINX_TEST: nginx.test,
    NGINX_RELOAD: nginx.reload,
    NGINX_OWNER: nginx.owner,
    NGINX_VERIFY: listenersText(nginx.verify),
  }
}

function listenersText(listeners: readonly VerifyListener[]): string {
  return listeners.map(({ address, serverName }) => `${address}=${serverName}`).join(' ')
}

/** The settings stand between single quotes in a shell script, so nothing in them may end the quotes. */
function refuseUnsafe(key: string, value: string): void {
  if (/^[A-Za-z0-9 _./:=@,+-]*$/.test(value)) return
  throw new TicketringError('configuration-invalid', {
    wanted: `${key} of letters, digits, spaces and _ . / : = @ , + -`,
    came: JSON.stringify(value),
  })
}

/** Run Command reads every `{{` of a document as a parameter. */
function refuseTemplateMarks(script: string): void {
  const line = script.split('\n').findIndex((each) => each.includes('{{'))
  if (line < 0) return
  throw new TicketringError('configuration-invalid', {
    wanted: 'a script without {{, which Run Command reads as a parameter',
    came: `one in line ${line + 1}`,
  })
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12)
}
