import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'

const REFUSED = [
  ['lambda/core', '../app/ports.ts', 'core is pure'],
  ['lambda/core', '@aws-sdk/client-ssm', 'core is pure'],
  ['lambda/core', 'node:fs', 'core is pure'],
  ['lambda/app', '../aws/refusal.ts', 'app knows core and ports only'],
  ['lambda/app', '@aws-sdk/client-ssm', 'app knows core and ports only'],
  ['lambda/app', 'node:fs', 'app knows core and ports only'],
  ['lambda/aws', '../app/rotation.ts', 'aws is a thin edge'],
  ['lambda/aws', '../handlers/rotate.ts', 'aws is a thin edge'],
  ['infra', '../lambda/app/rotation.ts', 'infra and local know core'],
  ['local', '../lambda/aws/refusal.ts', 'infra and local know core'],
] as const
const ALLOWED = [
  ['lambda/core', './errors.ts'],
  ['lambda/core', 'node:crypto'],
  ['lambda/app', '../core/ring.ts'],
  ['lambda/aws', '../app/ports.ts'],
  ['infra', '../lambda/core/ring.ts'],
] as const

/** What the linter says of each planted import, by folder and path; one run for all. */
function lintPlanted(imports: readonly (readonly [string, string, ...string[]])[]): Map<string, string> {
  const planted = imports.map(([folder, path], n) => {
    const file = join(folder, `planted-${process.pid}-${n}.ts`)
    return { file, path, key: `${folder} ${path}` }
  })
  try {
    for (const { file, path } of planted)
      writeFileSync(file, `import { x } from '${path}'\n\nexport const y = x\n`)
    const files = planted.map(({ file }) => file)
    const rule = ['--only=style/noRestrictedImports', '--reporter=json', '--max-diagnostics=none']
    const { stdout } = spawnSync('node_modules/.bin/biome', ['lint', ...rule, ...files], { encoding: 'utf8' })
    const { diagnostics } = JSON.parse(stdout) as { diagnostics: object[] }
    const said = (file: string) =>
      JSON.stringify(diagnostics.filter((each) => JSON.stringify(each).includes(file)))
    return new Map(planted.map(({ file, key }) => [key, said(file)]))
  } finally {
    for (const { file } of planted) rmSync(file, { force: true })
  }
}

describe('the arrows', () => {
  let said: Map<string, string>
  beforeAll(() => {
    said = lintPlanted([...REFUSED, ...ALLOWED])
  })

  it.each(REFUSED)('keep %s from importing %s, and say what to do instead', (folder, path, message) => {
    expect(said.get(`${folder} ${path}`)).toContain(message)
  })

  it.each(ALLOWED)('let %s import %s', (folder, path) => {
    expect(said.get(`${folder} ${path}`)).toBe('[]')
  })
})

describe('what is pure', () => {
  const IMPURE =
    /\bDate\.now\b|\bnew Date\(\)|\bprocess\.(env|stdout|argv)|\bMath\.random|\brandom(Bytes|UUID|Int)\b|\bconsole\.|\bset(Timeout|Interval)\b/

  it.each(['lambda/core', 'lambda/app'])('%s takes time, chance and surroundings as arguments', (folder) => {
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.ts'),
    )
    expect(files.length).toBeGreaterThan(3)
    for (const name of files) expect(readFileSync(join(folder, name), 'utf8'), name).not.toMatch(IMPURE)
  })
})
