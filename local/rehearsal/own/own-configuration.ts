import type { TlsVersion } from '../clients/tls-client.ts'
import type { Kind } from '../machines/kinds.ts'
import type { Machine, Terminator } from '../machines/machine.ts'

/** A user's own configuration, as the rehearsal's machines of its kind run it. */
export interface OwnConfiguration {
  readonly file: string
  /** How many ports a machine needs. */
  readonly ports: number
  readonly listeners: readonly OwnListener[]
  /** What a ring's `servers` says of its kind. */
  readonly settings: object
  /** What differs in the rehearsal's copy, and what was added. */
  readonly said: readonly string[]
  readonly terminator: Terminator
  /** Bytes that a key file may have before there is a ring. */
  standInKeys(): string | Buffer
  /** What the server's own test says against a machine's copy, in the user's files and lines; undefined where nothing. */
  objection(machine: Machine): string | undefined
}

/** A TLS listener of the ring that clients come to. */
export interface OwnListener {
  /** FILE:LINE */
  readonly spot: string
  /** Which of the machine's ports. */
  readonly port: number
  readonly serverNames: readonly string[]
  readonly proxyProtocol: boolean
}

/** What a machine has of such a configuration. */
export interface OwnMachine {
  readonly terminator: Terminator
  /** Free loopback ports. */
  readonly ports: readonly number[]
  /** Port of the server that answers in place of every backend. */
  readonly backend: number
  readonly doors: readonly Door[]
}

/** One name of one listener, at which clients ask. */
export interface Door {
  readonly spot: string
  readonly port: number
  readonly serverName: string
  readonly proxyProtocol: boolean
  readonly versions: readonly TlsVersion[]
}

/** Those that the user named, by kind. */
export type OwnConfigurations = Readonly<Partial<Record<Kind, OwnConfiguration>>>

/** What a ring's `servers` says of them. */
export function serversOf(own: OwnConfigurations): Readonly<Partial<Record<Kind, object>>> {
  return Object.fromEntries(Object.entries(own).map(([kind, { settings }]) => [kind, settings]))
}
