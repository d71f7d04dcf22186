/** The constructs compiled, and the command line, as a package that npm installs: for an app that needs neither this repository nor esbuild. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { BuiltFile } from '../packages/build.ts'
import { compress, tar } from '../packages/tar.ts'

const PROJECT = fileURLToPath(new URL('../..', import.meta.url))
const COMPILER = join(PROJECT, 'node_modules/typescript/bin/tsc')
const CONFIGURATION = fileURLToPath(new URL('tsconfig.constructs.json', import.meta.url))

/** What npm takes off the paths of a package's files. */
const ROOT = 'package'
/** Where the compiled `infra/fleet/bundling.ts` finds the functions. */
const BUNDLES = 'bundles'
/** What is read beside the code: at synth the machines' program, and by people. */
const AS_THEY_ARE = [
  ...filesBelow(PROJECT, 'agent').filter((path) => path.endsWith('.py')),
  ...filesBelow(PROJECT, 'docs'),
  ...['LICENSE', 'README.md', 'SECURITY.md', 'UPGRADING.md', 'CHANGELOG.md'],
]

/** What an app has one copy of, in whatever later version. */
const PEERS = ['aws-cdk-lib', 'constructs']
/** What the constructs import besides. */
const DEPENDENCIES = ['fflate', 're2js']

/**
 * @param bundles the functions'
 * @param program the command line's, which `npx` runs
 */
export function constructsPackage(bundles: readonly BuiltFile[], program: BuiltFile): BuiltFile {
  const manifest = manifestOf(JSON.parse(read(PROJECT, 'package.json').toString()), program)
  const files = [
    { name: 'package.json', data: Buffer.from(`${JSON.stringify(manifest, undefined, 2)}\n`) },
    ...AS_THEY_ARE.map((name) => ({ name, data: read(PROJECT, name) })),
    ...compiled(),
    program,
    ...bundles.map(({ name, data }) => ({ name: `${BUNDLES}/${name}`, data })),
  ].toSorted((one, other) => (one.name < other.name ? -1 : 1))
  const entries = files.map(({ name, data }) => ({ kind: 'file' as const, path: `/${name}`, data }))
  return { name: `${manifest.name}-${manifest.version}.tgz`, data: compress(tar(entries, ROOT)) }
}

/** Of each module that `infra/index.ts` needs its JavaScript and its types, at the same place as its source. */
function compiled(): readonly BuiltFile[] {
  const outdir = mkdtempSync(join(tmpdir(), 'ticketring-constructs-'))
  try {
    execFileSync(process.execPath, [COMPILER, '-p', CONFIGURATION, '--outDir', outdir], { stdio: 'inherit' })
    return filesBelow(outdir).map((name) => ({ name, data: read(outdir, name) }))
  } finally {
    rmSync(outdir, { recursive: true })
  }
}

interface Manifest {
  readonly name: string
  readonly version: string
  readonly description: string
  readonly license: string
  readonly engines: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
}

function manifestOf(
  { name, version, description, license, engines, devDependencies }: Manifest,
  program: BuiltFile,
) {
  const versions = (names: readonly string[], range: string) =>
    Object.fromEntries(names.map((each) => [each, `${range}${devDependencies[each]}`]))
  return {
    name,
    version,
    description,
    license,
    type: 'module',
    exports: { '.': { types: './infra/index.d.ts', default: './infra/index.js' } },
    bin: { [name]: program.name },
    engines,
    dependencies: versions(DEPENDENCIES, ''),
    peerDependencies: versions(PEERS, '^'),
  }
}

function filesBelow(directory: string, folder = ''): readonly string[] {
  return readdirSync(join(directory, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`
    return entry.isDirectory() ? filesBelow(directory, path) : [path]
  })
}

function read(directory: string, path: string): Buffer {
  return readFileSync(join(directory, path))
}
