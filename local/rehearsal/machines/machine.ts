import type { ChildProcess } from 'node:child_process'
import type { Host } from '../clients/messages.ts'
import type { Kind } from '../options.ts'
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
  /** Its own folder on disk: configuration and logs. */
  readonly directory: string
  /** Its own folder on tmpfs: keys and the program's state. */
  readonly memory: string
  readonly pki: Pki
  /** The user of the server's master process. */
  readonly owner: string
}

/** The machine as its clients know it. */
export function hostOf({ id, server, publicPort, proxyProtocol, pki }: Machine): Host {
  return { id, server, port: publicPort, proxyProtocol, serverName: pki.serverName }
}

/** One listener, once for each certificate: what proves a staple, as a setting names it. */
export function stapleListeners(machine: Machine, address: string): string {
  return machine.pki.certificates.map(({ serverName }) => `${address}=${serverName}`).join(' ')
}

/** How one kind of terminator is configured and run. */
export interface Terminator {
  readonly server: Kind
  /** Writes the server's configuration. */
  configure(machine: Machine): void
  /** The command that runs the server in the foreground. */
  command(machine: Machine): readonly string[]
  /** The machine's settings for its ring, KEY to value. */
  settings(machine: Machine): Readonly<Record<string, string>>
  /** The machine's settings for its staples. */
  stapleSettings(machine: Machine): Readonly<Record<string, string>>
  /** The key files that the program writes. */
  keyFiles(machine: Machine): readonly string[]
  /** Tells a running server to stop. */
  stop(process: ChildProcess): void
}

/** An example file with each of its paths and addresses replaced; throws where the example no longer has one. */
export function fillIn(example: string, replacements: readonly (readonly [string, string])[]): string {
  return replacements.reduce((text, [from, to]) => {
    if (!text.includes(from))
      throw new Error(`The example configuration no longer holds ${JSON.stringify(from)}`)
    return text.replaceAll(from, to)
  }, example)
}
