import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { BuildOptions, Plugin } from 'esbuild'

/**
 * Packages that the SDK reaches by a dynamic import() alone, when neither code nor environment gives credentials
 * (and bowser, event streams: in a browser, for streaming operations). Lambda always sets them in the environment,
 * which the SDK asks first, so these stay out of the bundle: a third of its size, and of what could leak a key.
 */
const NEVER_REACHED = [
  '@aws-sdk/credential-provider-http',
  '@aws-sdk/credential-provider-ini',
  '@aws-sdk/credential-provider-process',
  '@aws-sdk/credential-provider-sso',
  '@aws-sdk/credential-provider-web-identity',
  '@smithy/credential-provider-imds',
  '@smithy/core/event-streams',
  'bowser',
] as const

/** With keys that are computed esbuild leaves no shape out, though nothing uses it. */
function withPlainKeys(schemas: string): string {
  const constants = schemas.matchAll(/^const (_\w+) = ("\w+");$/gm)
  const texts = new Map([...constants].map(([, name = '', text = '']) => [name, text]))
  return schemas.replaceAll(/\[(_\w+)\]:/g, (key, name: string) => {
    const text = texts.get(name)
    return text === undefined ? key : `${text}:`
  })
}

/**
 * Leaves out a class for each error of a service, of which Systems Manager has 140: what the SDK has no class for it
 * throws as the service's base exception, with the same name, message and status, by which alone we tell errors apart.
 */
const ERRORS_BY_NAME: Plugin = {
  name: 'errors by name',
  setup({ onLoad }) {
    onLoad(
      { filter: /[\\/]@aws-sdk[\\/]client-[\w-]+[\\/]dist-es[\\/]schemas[\\/]schemas_0\.js$/ },
      ({ path }) => ({
        contents: withPlainKeys(readFileSync(path, 'utf8'))
          .replaceAll(/^n0_registry\.registerError\(\w+\$, \w+\);$/gm, '')
          .replaceAll(/^export var \w+\$ = \[-3, n0,[^;]*\];$/gm, ''),
      }),
    )
  },
}

/** The SDK's clients tell their version to AWS: of their package.json, which is 2 kB each, nothing else is asked for. */
const VERSION_ALONE: Plugin = {
  name: 'version alone',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]@aws-sdk[\\/]client-[\w-]+[\\/]package\.json$/ }, ({ path }) => {
      const { version } = JSON.parse(readFileSync(path, 'utf8')) as { readonly version: string }
      return { contents: JSON.stringify({ version }), loader: 'json' }
    })
  },
}

/** SHA-256 in JavaScript is for a Node without `node:crypto`, which Lambda does not have. */
const NATIVE_HASH: Plugin = {
  name: 'native hash',
  setup({ onLoad }) {
    const contents = 'export const Sha256Js = undefined'
    onLoad({ filter: /[\\/]checksum[\\/]sha256[\\/]Sha256Js\.js$/ }, () => ({ contents }))
  },
}

/** The instance's Region, for a program on EC2 that is told none: Lambda always sets it in the environment. */
const REGION_OF_ENVIRONMENT: Plugin = {
  name: 'region of environment',
  setup({ onLoad }) {
    const contents = 'export const getInstanceMetadataRegion = async () => undefined'
    onLoad({ filter: /[\\/]regionConfig[\\/]getInstanceMetadataRegion\.js$/ }, () => ({ contents }))
  },
}

/** How the functions are bundled. */
export const BUNDLING = {
  absWorkingDir: fileURLToPath(new URL('../..', import.meta.url)),
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'es2022',
  mainFields: ['module', 'main'],
  minify: true,
  sourcemap: false,
  external: [...NEVER_REACHED],
  plugins: [ERRORS_BY_NAME, VERSION_ALONE, NATIVE_HASH, REGION_OF_ENVIRONMENT],
  logLevel: 'warning',
} satisfies BuildOptions
