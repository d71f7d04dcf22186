import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AssetHashType, DockerImage, type ILocalBundling } from 'aws-cdk-lib'
import { Code } from 'aws-cdk-lib/aws-lambda'
import { type BuildOptions, buildSync } from 'esbuild'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/**
 * Packages that the SDK reaches by a dynamic import() alone, when neither code nor environment gives credentials
 * (and bowser, event streams: in a browser, for streaming operations). Lambda always sets them in the environment,
 * which the SDK asks first, so these stay out of the bundle: a third of its size, and of what could leak a key.
 */
export const NEVER_REACHED = [
  '@aws-sdk/credential-provider-http',
  '@aws-sdk/credential-provider-ini',
  '@aws-sdk/credential-provider-process',
  '@aws-sdk/credential-provider-sso',
  '@aws-sdk/credential-provider-web-identity',
  '@smithy/credential-provider-imds',
  '@smithy/core/event-streams',
  'bowser',
] as const

/** How the functions are bundled. */
export const BUNDLING = {
  absWorkingDir: ROOT,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'es2022',
  mainFields: ['module', 'main'],
  minify: true,
  sourcemap: false,
  external: [...NEVER_REACHED],
  logLevel: 'warning',
} satisfies BuildOptions

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
  return Code.fromAsset(join(ROOT, 'lambda'), {
    assetHashType: AssetHashType.OUTPUT,
    // The image is asked for, and not used: esbuild is a dependency, and works for every platform alike.
    bundling: { image: DockerImage.fromRegistry('none'), local: new Bundle(entry, file) },
  })
}

/** One run of esbuild an entry: an app has several functions of the same code. */
const bundles = new Map<string, string>()

class Bundle implements ILocalBundling {
  /** Readable, since the CDK tells bundlings apart by their JSON. */
  readonly entry: string
  readonly file: PlacedFile | undefined

  constructor(entry: string, file: PlacedFile | undefined) {
    this.entry = entry
    this.file = file
  }

  tryBundle(output: string): boolean {
    const bundle = bundles.get(this.entry) ?? build(this.entry)
    bundles.set(this.entry, bundle)
    writeFileSync(join(output, 'index.mjs'), bundle)
    if (this.file !== undefined) writeFileSync(join(output, this.file.name), this.file.text)
    return true
  }
}

function build(entry: string): string {
  const built = buildSync({ ...BUNDLING, entryPoints: [`lambda/handlers/${entry}`], write: false })
  const [bundle] = built.outputFiles
  if (bundle === undefined) throw new Error(`esbuild made nothing of ${entry}`)
  return bundle.text
}
