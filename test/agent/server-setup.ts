import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Identity, makeCertificate } from './identity.ts'
import { type ListenerKind, portsOfEachKind, tmpfsDirectory } from './terminators.ts'

/** What a server with one key file is started from. */
export interface ServerSetup {
  readonly directory: string
  readonly identity: Identity
  readonly ports: Readonly<Record<ListenerKind, number>>
  readonly keyFile: string
  /** Writes its configuration. @returns where. */
  configure(name: string, text: string): string
}

/** A directory with a certificate and the key file in place. */
export async function setUpServer(
  keyFileName: string,
  keys: string | Buffer,
  responderOf: (ports: ServerSetup['ports']) => string | undefined = () => undefined,
): Promise<ServerSetup> {
  const directory = tmpfsDirectory()
  const ports = await portsOfEachKind()
  const identity = makeCertificate(directory, undefined, responderOf(ports))
  const keyFile = join(directory, 'keys', keyFileName)
  mkdirSync(join(directory, 'keys'))
  writeFileSync(keyFile, keys, { mode: 0o400 })
  const configure = (name: string, text: string) => {
    writeFileSync(join(directory, name), text)
    return join(directory, name)
  }
  return { directory, identity, ports, keyFile, configure }
}
