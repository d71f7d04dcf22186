import { createHash } from 'node:crypto'
import { buildProgram } from '../program/program.ts'
import { packageContents } from './contents.ts'
import { buildDeb } from './deb.ts'
import { buildRpm } from './rpm.ts'
import { buildTarball } from './tar.ts'

export interface BuiltFile {
  readonly name: string
  readonly data: Uint8Array
}

/** All packages and the list of their checksums, from this project's sources: the same bytes wherever they are built. */
export function buildPackages(): { readonly hash: string; readonly files: readonly BuiltFile[] } {
  const contents = packageContents(buildProgram())
  const packages = [buildDeb(contents), buildRpm(contents), buildTarball(contents)]
  const sums = packages.map(
    ({ name, data }) => `${createHash('sha256').update(data).digest('hex')}  ${name}\n`,
  )
  return {
    hash: contents.hash,
    files: [...packages, { name: 'SHA256SUMS', data: Buffer.from(sums.join('')) }],
  }
}
