import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { zipSync } from 'fflate'
import { type BuiltFile, buildPackages } from '../packages/build.ts'
import { bundleCommand } from './command.ts'
import { constructsPackage } from './constructs.ts'
import { bundleFunctions } from './functions.ts'
import { billOfMaterials } from './sbom.ts'
import { releasedTemplates } from './template.ts'

/** DOS time has no zone and begins here. */
const EPOCH = new Date(1980, 0, 1)

/**
 * All files of a release and their checksums: the machines' packages, the templates with the code that they name, the constructs with the command line,
 * and what functions and command line are made of. The same sources give the same bytes, wherever they are built.
 */
export async function buildRelease(): Promise<readonly BuiltFile[]> {
  const version = ownVersion()
  const packages = buildPackages().files.filter(({ name }) => name !== 'SHA256SUMS')
  const { bundles, packages: bundled } = await bundleFunctions(['rotate.ts', 'staple.ts'])
  const command = await bundleCommand()
  const files = [
    ...packages,
    ...releasedStack(version),
    constructsPackage(bundles, command.program),
    {
      name: `ticketring-${version}.cdx.json`,
      data: Buffer.from(billOfMaterials([...bundled, ...command.packages], version)),
    },
  ]
  const sums = files.map(({ name, data }) => `${createHash('sha256').update(data).digest('hex')}  ${name}\n`)
  return [...files, { name: 'SHA256SUMS', data: Buffer.from(sums.join('')) }]
}

function releasedStack(version: string): readonly BuiltFile[] {
  const outdir = mkdtempSync(join(tmpdir(), 'ticketring-release-'))
  try {
    const { template, watch, code } = releasedTemplates(outdir)
    const data = (json: object) => Buffer.from(`${JSON.stringify(json)}\n`)
    return [
      { name: `ticketring-${version}.template.json`, data: data(template) },
      { name: `ticketring-${version}.watch.template.json`, data: data(watch) },
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
