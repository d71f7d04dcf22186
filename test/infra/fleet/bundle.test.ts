import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { build, type Metafile } from 'esbuild'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Synthesis, synthesise } from '../../../infra/app/build-app.ts'
import { BUNDLING } from '../../../infra/fleet/bundle.ts'
import { exampleRing, exampleSet } from '../app/example.ts'
import { flat, type Resource } from '../app/synthesis.ts'

/** Every package whose code runs in a function, one of which holds ticket keys. A new one is a decision, not an accident. */
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

interface Subject {
  readonly function: string
  readonly entry: string
  /** Bytes. */
  readonly most: number
  /** The service that `status` asks first. */
  readonly service: string
  /** What comes of `status` where nothing is there. */
  readonly refusal: RegExp
}

const ROTATION: Subject = {
  function: 'ticketring-edge-rotation',
  entry: 'lambda/handlers/rotate.ts',
  most: 285_000,
  service: 'secretsmanager|ssm',
  refusal: /^secret-missing: .*ResourceNotFoundException: none/,
}
const STAPLES: Subject = {
  function: 'ticketring-edge-staples',
  entry: 'lambda/handlers/staple.ts',
  most: 330_000,
  service: 'ssm',
  refusal: /^aws-refused: .*ResourceNotFoundException: none/,
}

/** Two sets with more certificates than an environment holds: so many that each has a file. */
const LARGE = ['inner', 'outer'].map((name) =>
  exampleSet({
    name,
    chainPath: '/tls',
    certificates: Array.from({ length: 1000 }, (_, index) => ({
      name: `c${index}`,
      chain: { parameter: `/tls/${name}-${index}/chain` },
    })),
  }),
)

let folder: string
let synthesis: Synthesis

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ticketring-bundle-'))
  const configuration = { rings: [exampleRing()], stapling: [exampleSet(), ...LARGE] }
  synthesis = synthesise(configuration, join(folder, 'cdk.out'))
}, 120_000)
afterAll(() => rmSync(folder, { recursive: true }))

function functionOf(name: string): Resource {
  const found = Object.values(synthesis.template.Resources).find(
    (resource) => (resource as Resource).Properties?.FunctionName === name,
  )
  if (found === undefined) throw new Error(`no function ${name}`)
  return found as Resource
}

/** Folder of what is deployed as a function. */
function assetOf(name: string): string {
  const { S3Key } = functionOf(name).Properties.Code
  return join(synthesis.assembly, `asset.${String(S3Key).replace('.zip', '')}`)
}

describe.each([ROTATION, STAPLES])('the bundle of $function', (subject) => {
  let metafile: Metafile
  let again: string
  beforeAll(async () => {
    again = join(folder, `${subject.function}.mjs`)
    const built = await build({ ...BUNDLING, entryPoints: [subject.entry], metafile: true, outfile: again })
    metafile = built.metafile as Metafile
  }, 60_000)

  it(`is at most ${subject.most} bytes`, () => {
    expect(statSync(join(assetOf(subject.function), 'index.mjs')).size).toBeLessThanOrEqual(subject.most)
  })

  it('is one file, without a source map that would show its sources', () => {
    expect(readdirSync(assetOf(subject.function))).toEqual(['index.mjs'])
  })

  it('is what the metafile below describes', () => {
    const bundle = readFileSync(join(assetOf(subject.function), 'index.mjs'))
    expect(readFileSync(again).equals(bundle)).toBe(true)
  })

  it('holds our code and the packages of the allow-list, and no others', () => {
    const packages = shipped(metafile)
      .filter((path) => path.includes('node_modules/'))
      .map((path) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1])
    expect([...new Set(packages)].sort()).toEqual(PACKAGES)
  })

  it('reaches what was left out by a dynamic import alone', () => {
    const imports = Object.values(metafile.inputs).flatMap((input) => input.imports)
    const left = imports.filter(({ external, path }) => external && !path.startsWith('node:'))
    const builtin = left.filter(({ path, kind }) => kind === 'import-statement' && !NODE_BUILTINS.test(path))
    expect(builtin).toEqual([])
    expect(new Set(left.filter(({ kind }) => kind === 'dynamic-import').map(({ path }) => path))).toEqual(
      new Set(BUNDLING.external),
    )
  })

  it('asks no instance metadata service, whose token would be one more way out', () => {
    expect(readFileSync(again, 'utf8')).not.toMatch(/latest\/(?:api|meta-data)/)
  })

  it('holds no class for each error of a service, and says which one it got all the same', async () => {
    expect(shipped(metafile).filter((path) => path.endsWith('/models/errors.js'))).toEqual([])
    const { said } = await callFrom(subject.function)
    expect(said).toMatch(subject.refusal)
  })

  it('loads where there is nothing but itself, and signs with the credentials of the environment', async () => {
    const { requests, status } = await callFrom(subject.function)
    expect(requests[0]?.authorization).toMatch(
      new RegExp(
        `^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/\\d{8}/eu-west-1/(${subject.service})/aws4_request, `,
      ),
    )
    expect(status).toBe(0)
  })
})

/** Files of which something is in the bundle. */
function shipped({ outputs }: Metafile): readonly string[] {
  const output = Object.values(outputs).find(({ entryPoint }) => entryPoint !== undefined)
  const inputs = Object.entries(output?.inputs ?? {})
  return inputs.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([path]) => path)
}

const NODE_BUILTINS = /^(assert|buffer|crypto|fs|http|https|http2|os|path|process|stream|url|util|zlib)(\/|$)/

describe('more certificates than an environment holds', () => {
  it.each(['inner', 'outer'])('stand in a file beside the bundle of set %s, and are its own', (set) => {
    const asset = assetOf(`ticketring-${set}-staples`)
    expect(readdirSync(asset).sort()).toEqual(['certificates.json', 'index.mjs'])
    const { certificates } = JSON.parse(readFileSync(join(asset, 'certificates.json'), 'utf8'))
    expect(certificates).toHaveLength(1000)
    expect(certificates[999].chain).toEqual({ parameter: `/tls/${set}-999/chain` })
  })

  it('are read from there by the function', async () => {
    const { requests, status } = await callFrom('ticketring-outer-staples')
    expect(requests.some(({ body }) => body.includes('"/tls/outer-0/chain"'))).toBe(true)
    expect(status).toBe(0)
  })
})

interface Heard {
  readonly authorization: string | undefined
  readonly body: string
}

/** Runs a function in a process and a directory of its own, and gives the requests that it signed. */
async function callFrom(name: string): Promise<{ requests: readonly Heard[] } & Ended> {
  const requests: Heard[] = []
  const server = createServer(async (request, response) => {
    const { authorization } = request.headers
    requests.push({ authorization, body: await text(request) })
    response.writeHead(400, { 'content-type': 'application/x-amz-json-1.1' })
    response.end('{"__type":"ResourceNotFoundException","message":"none"}')
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  try {
    return { ...(await runBare(name, (server.address() as AddressInfo).port)), requests }
  } finally {
    server.close()
  }
}

const RUN = `import { handler } from './index.mjs'
const context = { getRemainingTimeInMillis: () => 10_000 }
await handler({ action: 'status' }, context).catch((error) => process.stderr.write(String(error)))
`

interface Ended {
  readonly status: number | null
  /** The error of the handler. */
  readonly said: string
}

async function runBare(name: string, port: number): Promise<Ended> {
  const secret = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:ticketring/edge-AbCdEf'
  const variables = flat(functionOf(name).Properties.Environment.Variables) as Record<string, string>
  const bare = mkdtempSync(join(folder, 'bare-'))
  cpSync(assetOf(name), bare, { recursive: true })
  // Nothing is there, so the answer is a refusal: only that it was asked for counts here.
  writeFileSync(join(bare, 'run.mjs'), RUN)
  const child = spawn(process.execPath, ['--no-warnings', 'run.mjs'], {
    cwd: bare,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      ...Object.fromEntries(
        Object.entries(variables).map(([key, value]) => [key, value.replace('<EdgeRingSecret>', secret)]),
      ),
      AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
      AWS_REGION: 'eu-west-1',
      AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
      AWS_SECRET_ACCESS_KEY: 'secret',
      AWS_SESSION_TOKEN: 'token',
    },
  })
  const said = await text(child.stderr)
  return { status: child.exitCode ?? (await once(child, 'exit'))[0], said }
}
