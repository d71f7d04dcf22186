/** The functions' code as a release holds it: a bundle of each entry, and the packages that esbuild took in. */
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { build } from 'esbuild'
import { BUNDLING } from '../fleet/bundle.ts'
import type { BuiltFile } from '../packages/build.ts'

export interface BundledPackage {
  readonly name: string
  readonly version: string
  readonly license: string
}

export interface BundledFunctions {
  /** `<entry>.mjs` each. */
  readonly bundles: readonly BuiltFile[]
  /** In the order of their names. */
  readonly packages: readonly BundledPackage[]
}

/** @param entries files in `lambda/handlers` */
export async function bundleFunctions(entries: readonly string[]): Promise<BundledFunctions> {
  const { metafile, outputFiles } = await build({
    ...BUNDLING,
    entryPoints: entries.map((entry) => `lambda/handlers/${entry}`),
    outdir: '.',
    outExtension: { '.js': '.mjs' },
    write: false,
    metafile: true,
  })
  return {
    bundles: outputFiles.map(({ path, contents }) => ({ name: basename(path), data: contents })),
    packages: packagesOf(Object.keys(metafile.inputs)),
  }
}

/** The packages whose files these are. */
export function packagesOf(files: readonly string[]): readonly BundledPackage[] {
  const folders = files.flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file) ?? [])
  return [...new Set(folders)].sort().map((folder) => {
    const read = JSON.parse(readFileSync(`${BUNDLING.absWorkingDir}/${folder}/package.json`, 'utf8'))
    return { name: String(read.name), version: String(read.version), license: String(read.license) }
  })
}
