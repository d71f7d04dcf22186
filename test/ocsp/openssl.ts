import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const execFileAsync = promisify(execFile)

/** A directory of its own, removed at the end. */
export class Bench {
  readonly path = mkdtempSync(join(tmpdir(), 'ticketring-ocsp-'))

  file(name: string, content?: Uint8Array | string): string {
    const path = join(this.path, name)
    if (content !== undefined) writeFileSync(path, content)
    return path
  }

  /** Runs the command in the directory; what it says on both outputs comes back, whatever its exit code. */
  async openssl(...args: string[]): Promise<string> {
    try {
      const { stdout, stderr } = await execFileAsync('openssl', args, { cwd: this.path })
      return `${stdout}${stderr}`
    } catch (error) {
      const { stdout, stderr } = error as { stdout?: string; stderr?: string }
      return `${stdout ?? ''}${stderr ?? ''}`
    }
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

export function pem(der: Uint8Array, label = 'CERTIFICATE'): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}

let count = 0

/** Seconds that OpenSSL lets clocks differ. Source: its manual, `-validity_period`. */
const CLOCKS_DIFFER = 300

/**
 * What `openssl ocsp` makes of a response at `now`, its issuer being the only anchor. Files are named in the bench.
 * OpenSSL judges by the machine's clock alone, so the time since `now` is added to what clocks may differ.
 */
export async function opensslVerdict(
  bench: Bench,
  response: Uint8Array,
  certificate: string,
  issuer: string,
  { now = new Date(), hash = 'sha1' }: { readonly now?: Date; readonly hash?: string | undefined } = {},
) {
  const file = `response-${count++}.der`
  bench.file(file, response)
  const args = [
    '-respin',
    file,
    '-issuer',
    issuer,
    `-${hash}`,
    '-cert',
    certificate,
    '-CAfile',
    issuer,
    '-no_nonce',
    '-validity_period',
    String(CLOCKS_DIFFER + Math.round((Date.now() - now.getTime()) / 1000)),
  ]
  const said = await bench.openssl('ocsp', '-partial_chain', ...args)
  const status = /: (good|revoked|unknown)$/m.exec(said)?.[1] ?? 'refused'
  const sound = said.includes('Response verify OK') && !said.includes('WARNING: Status times invalid')
  return { verdict: sound ? status : 'refused', said }
}
