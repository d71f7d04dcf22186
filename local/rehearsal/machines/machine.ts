import type { ChildProcess } from 'node:child_process'
import type { ApplicationProtocol } from '../clients/application-protocol.ts'
import type { OwnMachine } from '../own/own-configuration.ts'
import type { Kind } from './kinds.ts'
import type { Pki } from './pki.ts'

/** One terminator of the fleet: where its files are and where clients find it. */
export interface Machine {
  /** Its instance id. */
  readonly id: string
  readonly server: Kind
  readonly agent: 'current' | 'old'
  /** Whether the public listener asks for a PROXY protocol header. */
  readonly proxyProtocol: boolean
  /** Port of the listener that clients use. */
  readonly publicPort: number
  /** Port of a listener that takes plain TLS: the public one, or the one beside it where that speaks PROXY protocol. */
  readonly plainPort: number
  /** One more port, for what the server itself wants one for. */
  readonly ownPort: number
  /** Its own folder on disk: configuration and logs. */
  readonly directory: string
  /** Its own folder on tmpfs: keys and the program's state. */
  readonly memory: string
  readonly pki: Pki
  /** The user of the server's master process. */
  readonly owner: string
  /** What it has of a configuration of the user's, if it runs one. */
  readonly own?: OwnMachine
}

/** One listener, once for each certificate: what proves a staple, as a setting names it. */
export function stapleListeners(machine: Machine, address: string): string {
  return machine.pki.certificates.map(({ serverName }) => `${address}=${serverName}`).join(' ')
}

/** How one kind of terminator is configured and run. */
export interface Terminator {
  /** The command that has to be installed. */
  readonly needs: string
  /** Seconds from one rotation to the next that leave it time to take its keys and tickets time to live. */
  readonly pace: number
  /** Why that is longer than it takes to tell a server of its keys; empty where it is not. */
  readonly pacedBy: string
  /** Seconds until a server that has started has all keys, where they take minutes: such machines are served in turns. */
  readonly start?: number
  /** What its clients speak once they are connected. */
  readonly speaks: ApplicationProtocol
  /** Whether one of its listeners can demand PROXY protocol and another one not. */
  readonly proxyProtocol: boolean
  /** What a ring's `servers` says of it where cdk.json does not; each machine's own settings override it. */
  readonly example: object
  /** Writes the server's configuration. */
  configure(machine: Machine): void
  /** The command that runs the server in the foreground. */
  command(machine: Machine): readonly string[]
  /** The machine's settings for its ring, KEY to value. */
  settings(machine: Machine): Readonly<Record<string, string>>
  /** What a set's `servers` says of it where cdk.json does not; absent where it takes no staples that are delivered. */
  readonly stapleExample?: object
  /** The machine's settings for its staples; absent where it takes none that are delivered. */
  stapleSettings?(machine: Machine): Readonly<Record<string, string>>
  /** The key files that the program writes. */
  keyFiles(machine: Machine): readonly string[]
  /** Tells a running server to stop. */
  stop(process: ChildProcess): void
}

/** The listener that proves which key encrypts, as a setting names it. */
export function plainListener({ plainPort, pki }: Machine): string {
  return `127.0.0.1:${plainPort}=${pki.serverName}`
}

/** What an example of a ring says that proves it. */
export const PROVED_AT = {
  owner: 'root',
  verify: [{ address: '127.0.0.1:443', serverName: 'www.example.com' }],
}

/** An example file with each of its paths and addresses replaced; throws where the example no longer has one. */
export function fillIn(example: string, replacements: readonly (readonly [string, string])[]): string {
  return replacements.reduce((text, [from, to]) => {
    if (!text.includes(from))
      throw new Error(`The example configuration no longer holds ${JSON.stringify(from)}`)
    return text.replaceAll(from, to)
  }, example)
}
