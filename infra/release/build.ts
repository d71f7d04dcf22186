import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { zipSync } from 'fflate'
import { type BuiltFile, buildPackages } from '../packages/build.ts'
import { billOfMaterials } from './sbom.ts'
import { releasedTemplate } from './template.ts'

/** DOS time has no zone and begins here. */
const EPOCH = new Date(1980, 0, 1)

/**
 * All files of a release and their checksums: the machines' packages, the template with the code that it names, and what that
 * code is made of. The same sources give the same bytes, wherever they are built.
 */
export async function buildRelease(): Promise<readonly BuiltFile[]> {
  const version = ownVersion()
  const packages = buildPackages().files.filter(({ name }) => name !== 'SHA256SUMS')
  const bill = await billOfMaterials(['rotate.ts', 'staple.ts'], version)
  const files = [
    ...packages,
    ...releasedStack(version),
    { name: `ticketring-${version}.cdx.json`, data: Buffer.from(bill) },
  ]
  const sums = files.map(({ name, data }) => `${createHash('sha256').update(data).digest('hex')}  ${name}\n`)
  return [...files, { name: 'SHA256SUMS', data: Buffer.from(sums.join('')) }]
}

function releasedStack(version: string): readonly BuiltFile[] {
  const outdir = mkdtempSync(join(tmpdir(), 'ticketring-release-'))
  try {
    const { template, code } = releasedTemplate(outdir)
    const text = `${JSON.stringify(template)}\n`
    return [
      { name: `ticketring-${version}.template.json`, data: Buffer.from(text) },
      ...code.map(({ name, directory }) => ({ name, data: zipOf(directory) })),
    ]
  } finally {
    rmSync(outdir, { recursive: true })
  }
}

function zipOf(directory: string): Uint8Array {
  const names = readdirSync(directory).sort()
  return zipSync(Object.fromEntries(names.map((name) => [name, readFileSync(join(directory, name))])), {
    level: 9,
    mtime: EPOCH,
  })
}

function ownVersion(): string {
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version
}
