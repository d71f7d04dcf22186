import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Template } from 'aws-cdk-lib/assertions'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const PROJECT = fileURLToPath(new URL('../../..', import.meta.url))
const PAGE = readFileSync(join(PROJECT, 'docs/configuration.md'), 'utf8')

/** The commands of the page's block on an app of one's own, a line each. */
const COMMANDS = (/In an app of your own.*?```sh\n(.*?)```/s.exec(PAGE)?.[1] ?? '').trim().split('\n')

const folder = mkdtempSync(join(tmpdir(), 'ticketring-own-app-'))
const app = join(folder, 'terminators')
afterAll(() => rmSync(folder, { recursive: true }))

/** What a clone has: all but what is installed, or made by running it. */
function clone(): void {
  const made = ['node_modules', '.git', 'cdk.out', 'local/.run'].map((name) => join(PROJECT, name))
  cpSync(PROJECT, join(app, 'ticketring'), { recursive: true, filter: (from) => !made.includes(from) })
}

/** What npm makes of a workspace, without asking a registry: its packages above it, and itself among them by a link. */
function install(): void {
  const from = join(PROJECT, 'node_modules')
  const to = join(app, 'node_modules')
  mkdirSync(to)
  for (const name of readdirSync(from)) symlinkSync(join(from, name), join(to, name))
  symlinkSync(join(app, 'ticketring'), join(to, 'ticketring'))
}

const STANDING_IN: readonly (readonly [start: string, instead: () => void])[] = [
  ['git clone ', clone],
  ['npm install', install],
  // The CLI looks for credentials and notices elsewhere: what it starts is run below.
  ['npx cdk synth', () => undefined],
]

function run(command: string): void {
  const instead = STANDING_IN.find(([start]) => command.startsWith(start))?.[1]
  const cwd = command.startsWith('mkdir ') ? folder : app
  if (instead === undefined) execFileSync('sh', ['-ec', command], { cwd, stdio: 'pipe' })
  else instead()
}

describe('an app of your own, made as docs/configuration.md says in a folder outside this one', {
  timeout: 240_000,
}, () => {
  beforeAll(() => {
    for (const command of COMMANDS) run(command)
  })

  it('takes all of those commands', () => {
    expect(COMMANDS.length).toBeGreaterThan(5)
    for (const [start] of STANDING_IN) expect(COMMANDS.some((each) => each.startsWith(start))).toBe(true)
  })

  it('is the sample, which has a ring, a set of staples, and a role that may read both', () => {
    expect(readFileSync(join(app, 'app.ts'), 'utf8')).toBe(
      readFileSync(join(PROJECT, 'docs/examples/own-app.ts'), 'utf8'),
    )
    const { app: command } = JSON.parse(readFileSync(join(app, 'cdk.json'), 'utf8'))
    const outdir = join(folder, 'cdk.out')
    const env = { ...process.env, CDK_OUTDIR: outdir, CDK_CONTEXT_JSON: '{}' }
    const { status, stderr } = spawnSync('sh', ['-c', command], { cwd: app, encoding: 'utf8', env })
    expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' })
    const template = Template.fromJSON(
      JSON.parse(readFileSync(join(outdir, 'Terminators.template.json'), 'utf8')),
    )
    template.hasResourceProperties('AWS::SecretsManager::Secret', { Name: 'ticketring/edge' })
    template.hasResourceProperties('AWS::Lambda::Function', { FunctionName: 'ticketring-web-staples' })
    template.hasResourceProperties('AWS::IAM::Policy', { Roles: ['terminators'] })
    template.hasResourceProperties('AWS::Logs::LogGroup', { RetentionInDays: 90 })
    const assets = readdirSync(outdir).filter((name) => name.startsWith('asset.'))
    const bundles = assets.flatMap((name) => readdirSync(join(outdir, name)))
    expect(new Set(bundles)).toEqual(new Set(['index.mjs']))
  })
})
