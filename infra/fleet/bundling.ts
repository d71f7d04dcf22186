import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { AssetHashType, DockerImage, type ILocalBundling } from 'aws-cdk-lib'
import { Code } from 'aws-cdk-lib/aws-lambda'
import { BUNDLING } from './bundle.ts'

/** A file that is put beside a bundle. */
export interface PlacedFile {
  readonly name: string
  readonly text: string
}

/**
 * The code of a function: one bundle, and the file beside it as a part of the asset and of its hash.
 * @param entry file in `lambda/handlers`.
 */
export function bundled(entry: string, file?: PlacedFile): Code {
  return Code.fromAsset(join(BUNDLING.absWorkingDir, 'lambda'), {
    assetHashType: AssetHashType.OUTPUT,
    // The image is asked for, and not used: esbuild is a dependency, and works for every platform alike.
    bundling: { image: DockerImage.fromRegistry('none'), local: new Bundle(entry, file) },
  })
}

/** What was bundled, by its entry: an app has several functions of the same code. */
const bundles = new Map<string, Buffer>()

class Bundle implements ILocalBundling {
  /** Readable, since the CDK tells bundlings apart by their JSON. */
  readonly entry: string
  readonly file: PlacedFile | undefined

  constructor(entry: string, file: PlacedFile | undefined) {
    this.entry = entry
    this.file = file
  }

  tryBundle(output: string): boolean {
    const outfile = join(output, 'index.mjs')
    const known = bundles.get(this.entry)
    if (known === undefined) bundles.set(this.entry, bundle(this.entry, outfile))
    else writeFileSync(outfile, known)
    if (this.file !== undefined) writeFileSync(join(output, this.file.name), this.file.text)
    return true
  }
}

/** Where the compiled package has them: who installs it needs no esbuild. */
const AHEAD = new URL('../../bundles/', import.meta.url)
const PROCESS = fileURLToPath(new URL('./bundle-process.ts', import.meta.url))

function bundle(entry: string, outfile: string): Buffer {
  const ahead = new URL(entry.replace(/\.ts$/, '.mjs'), AHEAD)
  if (existsSync(ahead)) copyFileSync(ahead, outfile)
  else build(entry, outfile)
  return readFileSync(outfile)
}

function build(entry: string, outfile: string): void {
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
  const args = ['--import', tsx, PROCESS, `lambda/handlers/${entry}`, outfile]
  execFileSync(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] })
}
