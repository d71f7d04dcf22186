import { spawn } from 'node:child_process'
import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type BuildOptions, build, type Metafile } from 'esbuild'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Synthesis, synthesise } from '../../infra/build-app.ts'
import { ROTATION_BUNDLING } from '../../infra/rotation-bundling.ts'
import { ROTATION_VARIABLE } from '../../lambda/core/rotation-configuration.ts'
import { exampleRing } from './example.ts'
import { flat, type Resource } from './synthesis.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Every package whose code runs in the process that holds ticket keys. A new one is a decision, not an accident. */
const PACKAGES = [
  '@aws-sdk/client-secrets-manager',
  '@aws-sdk/client-ssm',
  '@aws-sdk/core',
  '@aws-sdk/credential-provider-env',
  '@aws-sdk/credential-provider-node',
  '@aws/lambda-invoke-store',
  '@smithy/core',
  '@smithy/node-http-handler',
  '@smithy/signature-v4',
  '@smithy/types',
]

let folder: string
let bundle: string
let synthesis: Synthesis
let metafile: Metafile

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ticketring-bundle-'))
  synthesis = synthesise({ rings: [exampleRing()] }, join(folder, 'cdk.out'))
  const asset = readdirSync(synthesis.assembly).find((name) => name.startsWith('asset.')) ?? ''
  bundle = join(synthesis.assembly, asset, 'index.mjs')
  metafile = (await build({ ...sameOptions(), metafile: true, outfile: join(folder, 'again.mjs') }))
    .metafile as Metafile
}, 120_000)
afterAll(() => rmSync(folder, { recursive: true }))

/** What CDK's bundling tells esbuild, for its JavaScript interface. */
function sameOptions(): BuildOptions {
  const { target, mainFields, minify, sourceMap, externalModules } = ROTATION_BUNDLING
  return {
    entryPoints: [join(ROOT, 'lambda/handlers/rotate.ts')],
    absWorkingDir: ROOT,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target,
    mainFields,
    minify,
    sourcemap: sourceMap,
    external: externalModules,
    logLevel: 'error',
  }
}

describe("the rotation function's bundle", () => {
  it('is at most 400 kB', () => {
    expect(statSync(bundle).size).toBeLessThanOrEqual(400_000)
  })

  it('is one file, without a source map that would show its sources', () => {
    expect(readdirSync(join(bundle, '..'))).toEqual(['index.mjs'])
  })

  it('is what the metafile below describes', () => {
    expect(readFileSync(join(folder, 'again.mjs')).equals(readFileSync(bundle))).toBe(true)
  })

  it('holds our code and the packages of the allow-list, and no others', () => {
    const output = Object.values(metafile.outputs).find(({ entryPoint }) => entryPoint !== undefined)
    const packages = Object.entries(output?.inputs ?? {})
      .filter(([path, { bytesInOutput }]) => bytesInOutput > 0 && path.includes('node_modules/'))
      .map(([path]) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1])
    expect([...new Set(packages)].sort()).toEqual(PACKAGES)
  })

  it('reaches what was left out by a dynamic import alone', () => {
    const imports = Object.values(metafile.inputs).flatMap((input) => input.imports)
    const left = imports.filter(({ external, path }) => external && !path.startsWith('node:'))
    const builtin = left.filter(({ path, kind }) => kind === 'import-statement' && !NODE_BUILTINS.test(path))
    expect(builtin).toEqual([])
    expect(new Set(left.filter(({ kind }) => kind === 'dynamic-import').map(({ path }) => path))).toEqual(
      new Set(ROTATION_BUNDLING.externalModules),
    )
  })

  it('loads where there is nothing but itself, and signs with the credentials of the environment', async () => {
    const bare = join(folder, 'bare')
    const { authorization, status } = await callFrom(bare)
    expect(authorization).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/eu-west-1\/(secretsmanager|ssm)\//,
    )
    expect(status).toBe(0)
  })
})

const NODE_BUILTINS = /^(assert|buffer|crypto|fs|http|https|http2|os|path|process|stream|url|util|zlib)(\/|$)/

/** Runs the bundle in a process and a directory of its own, and gives the first request that it signed. */
async function callFrom(bare: string): Promise<{ authorization: string | undefined; status: number | null }> {
  const requests: IncomingMessage[] = []
  const server = createServer((request, response) => {
    requests.push(request)
    response.writeHead(400, { 'content-type': 'application/x-amz-json-1.1' })
    response.end('{"__type":"ResourceNotFoundException","message":"none"}')
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  try {
    const status = await runBare(bare, (server.address() as AddressInfo).port)
    return { authorization: requests[0]?.headers.authorization, status }
  } finally {
    server.close()
  }
}

function runBare(bare: string, port: number): Promise<number | null> {
  const rotation = Object.values(synthesis.template.Resources).find(
    (resource) => (resource as Resource).Type === 'AWS::Lambda::Function',
  ) as Resource
  const secret = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:ticketring/edge-AbCdEf'
  const variables = flat(rotation.Properties.Environment.Variables) as Record<string, string>
  rmSync(bare, { recursive: true, force: true })
  const folderOnly = mkdtempSync(`${bare}-`)
  copyFileSync(bundle, join(folderOnly, 'index.mjs'))
  // The secret is missing, so the answer is a refusal: only that it was asked for counts here.
  writeFileSync(
    join(folderOnly, 'run.mjs'),
    "import { handler } from './index.mjs'\nawait handler({ action: 'status' }, { getRemainingTimeInMillis: () => 10_000 }).catch(() => {})\n",
  )
  const child = spawn(process.execPath, ['--no-warnings', 'run.mjs'], {
    cwd: folderOnly,
    stdio: 'ignore',
    env: {
      [ROTATION_VARIABLE]: variables[ROTATION_VARIABLE]?.replace('<EdgeRingSecret>', secret),
      AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
      AWS_REGION: 'eu-west-1',
      AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
      AWS_SECRET_ACCESS_KEY: 'secret',
      AWS_SESSION_TOKEN: 'token',
    },
  })
  return new Promise((done) => child.on('exit', done))
}
