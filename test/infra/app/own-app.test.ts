import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Template } from 'aws-cdk-lib/assertions'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bundleCommand } from '../../../infra/release/command.ts'
import { constructsPackage } from '../../../infra/release/constructs.ts'
import { bundleFunctions } from '../../../infra/release/functions.ts'

const PROJECT = fileURLToPath(new URL('../../..', import.meta.url))
const PAGE = readFileSync(join(PROJECT, 'docs/configuration.md'), 'utf8')
const { packages: LOCKED } = JSON.parse(readFileSync(join(PROJECT, 'package-lock.json'), 'utf8'))
const SAMPLE = join(PROJECT, 'docs/examples/own-app.ts')

/** The commands of the page's block on an app of one's own, a line each. */
const COMMANDS = (/In an app of your own.*?```sh\n(.*?)```/s.exec(PAGE)?.[1] ?? '').trim().split('\n')

const folder = mkdtempSync(join(tmpdir(), 'ticketring-own-app-'))
const clone = join(folder, 'ticketring')
const app = join(folder, 'terminators')
const assembly = join(folder, 'cdk.out')
afterAll(() => rmSync(folder, { recursive: true }))

const { bundles } = await bundleFunctions(['rotate.ts', 'staple.ts'])
const { program } = await bundleCommand()

/** Of a release, what an app installs. */
function release(): void {
  const { name, data } = constructsPackage(bundles, program)
  mkdirSync(join(clone, 'dist/release'), { recursive: true })
  writeFileSync(join(clone, 'dist/release', name), data)
}

/** These packages of the registry and what they depend on, as they are installed here. */
function withDependencies(names: readonly string[]): ReadonlySet<string> {
  const found = new Set<string>()
  for (const open = [...names]; open.length > 0; ) {
    const name = open.pop() ?? ''
    const locked = LOCKED[`node_modules/${name}`]
    if (locked === undefined || found.has(name)) continue
    found.add(name)
    open.push(...Object.keys(locked.dependencies ?? {}))
  }
  return found
}

/** What the registry would give. */
function copy(names: readonly string[]): void {
  for (const name of withDependencies(names)) {
    const to = join(app, 'node_modules', name)
    mkdirSync(dirname(to), { recursive: true })
    cpSync(join(PROJECT, 'node_modules', name), to, { recursive: true })
  }
}

/** What the package needs is there, so npm asks for nothing; what it does not, npm would take away. The compiler and the CLI run from here. */
function install(command: string): void {
  copy(['aws-cdk-lib', 'constructs', 'fflate', 're2js'])
  const [tarball = ''] = command.split(' ').slice(2)
  const quietly = ['--offline', '--ignore-scripts', '--no-audit', '--no-fund']
  execFileSync('npm', ['install', ...quietly, tarball], { cwd: app, stdio: 'pipe' })
  copy(['@types/node'])
}

function compile(): void {
  const { status, stdout } = compiler()
  expect({ status, stdout }).toEqual({ status: 0, stdout: '' })
}

function compiler(...words: readonly string[]) {
  const tsc = join(PROJECT, 'node_modules/typescript/bin/tsc')
  return spawnSync(process.execPath, [tsc, ...words], { cwd: app, encoding: 'utf8' })
}

/** As the CLI starts an app, but with nothing else to be found by its name: no esbuild, no Python, no Docker. */
function synthesise(): void {
  const { app: command } = JSON.parse(readFileSync(join(app, 'cdk.json'), 'utf8'))
  const [node, ...words] = command.split(' ')
  expect(node).toBe('node')
  run(words, { cwd: app, outdir: assembly, PATH: join(folder, 'nothing') })
}

function run(
  words: readonly string[],
  { cwd, outdir, PATH }: { readonly cwd: string; readonly outdir: string; readonly PATH: string },
): void {
  const env = { PATH, CDK_OUTDIR: outdir, CDK_CONTEXT_JSON: '{}' }
  const { status, stderr } = spawnSync(process.execPath, words, { cwd, encoding: 'utf8', env })
  expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' })
}

const STANDING_IN: readonly (readonly [start: string, instead: (command: string) => void])[] = [
  ['npm run release', release],
  ['npm install ', install],
  ['npx tsc', compile],
  // The CLI looks for credentials and notices elsewhere.
  ['npx cdk synth', synthesise],
]

function perform(command: string): void {
  const instead = STANDING_IN.find(([start]) => command.startsWith(start))?.[1]
  // The first command is typed in the clone, all that follow in the app's folder.
  const cwd = command.startsWith('mkdir ') ? clone : app
  if (instead === undefined) execFileSync('sh', ['-ec', command], { cwd, stdio: 'pipe' })
  else instead(command)
}

const templateIn = (outdir: string) =>
  JSON.parse(readFileSync(join(outdir, 'Terminators.template.json'), 'utf8'))

describe('an app of your own, made as docs/configuration.md says from the packed constructs alone', {
  timeout: 600_000,
}, () => {
  beforeAll(() => {
    for (const command of COMMANDS) perform(command)
  }, 600_000)

  it('takes all of those commands', () => {
    expect(COMMANDS.length).toBeGreaterThan(5)
    for (const [start] of STANDING_IN) expect(COMMANDS.some((each) => each.startsWith(start))).toBe(true)
  })

  it('is the sample, which has a ring, a set of staples, and a role that may read both', () => {
    expect(readFileSync(join(app, 'app.ts'), 'utf8')).toBe(readFileSync(SAMPLE, 'utf8'))
    const template = Template.fromJSON(templateIn(assembly))
    template.hasResourceProperties('AWS::SecretsManager::Secret', { Name: 'ticketring/edge' })
    template.hasResourceProperties('AWS::Lambda::Function', { FunctionName: 'ticketring-web-staples' })
    template.hasResourceProperties('AWS::IAM::Policy', { Roles: ['terminators'] })
    template.hasResourceProperties('AWS::Logs::LogGroup', { RetentionInDays: 90 })
  })

  it('synthesises what the sources do, with the same code', () => {
    const outdir = join(folder, 'by-sources')
    run(['--import', 'tsx', SAMPLE], { cwd: PROJECT, outdir, PATH: process.env.PATH ?? '' })
    expect(templateIn(assembly)).toEqual(templateIn(outdir))
    const assets = readdirSync(assembly).filter((name) => name.startsWith('asset.'))
    const codes = assets.map((name) => readFileSync(join(assembly, name, 'index.mjs'), 'utf8')).sort()
    expect(codes).toEqual(bundles.map(({ data }) => Buffer.from(data).toString('utf8')).sort())
  })

  it('is told by its compiler of a prop that the constructs do not take', () => {
    const props = "{ name: 'a', targets: { tag: 'a', values: ['a'] }, servers: {}, rotation: { every: 4 } }"
    const wrong = [
      "import { Stack } from 'aws-cdk-lib'",
      "import { TicketKeyRing } from 'ticketring'",
      `new TicketKeyRing(new Stack(), 'Ring', ${props})`,
    ]
    writeFileSync(join(app, 'wrong.ts'), wrong.join('\n'))
    const { status, stdout } = compiler(
      '--ignoreConfig',
      '--module',
      'nodenext',
      '--noEmit',
      'wrong.ts',
      '--skipLibCheck',
    )
    expect(status).not.toBe(0)
    expect(stdout).toContain("Type 'number' is not assignable to type 'Duration'")
  })
})

describe('the package that it installs', () => {
  const installed = join(app, 'node_modules/ticketring')
  const files = () => readdirSync(installed, { recursive: true, encoding: 'utf8' })

  it('has the constructs, what they read, and pages: nothing that this project is developed with', () => {
    expect(readdirSync(installed).sort()).toEqual([
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'SECURITY.md',
      'UPGRADING.md',
      'agent',
      'bin',
      'bundles',
      'docs',
      'infra',
      'lambda',
      'package.json',
    ])
    const code = files().filter((path) => !path.startsWith('docs/'))
    const endings = code.flatMap((path) => /(?:\.d\.ts|\.\w+)$/.exec(path)?.[0] ?? [])
    expect(new Set(endings)).toEqual(new Set(['.js', '.d.ts', '.mjs', '.py', '.md', '.json']))
    expect(files().filter((path) => /test|node_modules|__pycache__/.test(path))).toEqual([])
  })

  /** As it is typed in the app's folder, where no registry is asked. */
  function npx(...words: readonly string[]) {
    const { PATH } = process.env
    const env = {
      PATH,
      HOME: folder,
      npm_config_update_notifier: 'false',
      AWS_REGION: 'eu-west-1',
      AWS_EC2_METADATA_DISABLED: 'true',
    }
    const given = ['--offline', '--no', '--', 'ticketring', ...words]
    return spawnSync('npx', given, {
      cwd: app,
      encoding: 'utf8',
      env: { ...env, NODE_OPTIONS: process.env.NODE_OPTIONS },
    })
  }

  it('has the command line, which needs nothing besides', () => {
    const { status, stdout, stderr } = npx('--help')
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toContain('Usage: ticketring <command>')
    expect(readFileSync(join(installed, 'bin/ticketring.mjs'), 'utf8')).not.toMatch(/from"(?!node:)[@a-z]/)
  })

  it.each([
    [['probe', '127.0.0.1:1'], '127.0.0.1:1'],
    [['status'], 'The profile default gives no access: Could not load credentials from any providers\n'],
    [['document', 'edge'], 'document reads cdk.json of a checkout, which a package is not'],
  ])('answers %j in words', (words, told) => {
    const { status, stdout, stderr } = npx(...words)
    expect(status).toBe(2)
    expect(stdout + stderr).toContain(told)
    expect(stdout + stderr).not.toMatch(/Warning|\n {4}at /)
  })

  it('leaves the CDK to the app, and needs two small packages besides', () => {
    const {
      private: isPrivate,
      scripts,
      devDependencies,
      ...manifest
    } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'))
    expect({ isPrivate, scripts, devDependencies }).toEqual({})
    expect(Object.keys(manifest.peerDependencies)).toEqual(['aws-cdk-lib', 'constructs'])
    expect(Object.keys(manifest.dependencies)).toEqual(['fflate', 're2js'])
  })
})
