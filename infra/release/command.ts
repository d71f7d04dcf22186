/** The command line as a release holds it: one file, since Node runs no TypeScript of a package. */
import { build } from 'esbuild'
import { BUNDLING } from '../fleet/bundle.ts'
import type { BuiltFile } from '../packages/build.ts'
import { type BundledPackage, packagesOf } from './functions.ts'

export interface BundledCommand {
  readonly program: BuiltFile
  /** In the order of their names. */
  readonly packages: readonly BundledPackage[]
}

/** What reads cdk.json of a checkout, by all of the CDK. */
const OF_A_CHECKOUT = '*/local/configured-document.ts'

export async function bundleCommand(): Promise<BundledCommand> {
  const { metafile, outputFiles } = await build({
    absWorkingDir: BUNDLING.absWorkingDir,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    mainFields: ['module', 'main'],
    minify: true,
    external: [OF_A_CHECKOUT],
    banner: { js: '#!/usr/bin/env node' },
    entryPoints: ['cli/program.ts'],
    outfile: 'ticketring.mjs',
    write: false,
    metafile: true,
    logLevel: 'warning',
  })
  const [output] = outputFiles
  if (output === undefined) throw new RangeError('esbuild wrote nothing')
  return {
    program: { name: 'bin/ticketring.mjs', data: output.contents },
    packages: packagesOf(Object.keys(metafile.inputs)),
  }
}
