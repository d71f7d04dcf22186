import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'

const REFUSED = [
  ['lambda/kernel', '../fleet/ports.ts', 'kernel knows nothing'],
  ['lambda/kernel', '../ring/ring.ts', 'kernel knows nothing'],
  ['lambda/kernel', '@aws-sdk/client-ssm', 'kernel knows nothing'],
  ['lambda/kernel', 'node:fs', 'kernel knows nothing'],
  ['lambda/ocsp', '../staples/entry.ts', 'ocsp knows kernel alone'],
  ['lambda/ocsp', '../fleet/ports.ts', 'ocsp knows kernel alone'],
  ['lambda/ocsp', 'node:https', 'ocsp knows kernel alone'],
  ['lambda/fleet', '../ring/ring.ts', 'fleet delivers whatever it is given'],
  ['lambda/fleet', '../staples/entry.ts', 'fleet delivers whatever it is given'],
  ['lambda/fleet', '../ocsp/time.ts', 'fleet delivers whatever it is given'],
  ['lambda/fleet', '@aws-sdk/client-ssm', 'fleet delivers whatever it is given'],
  ['lambda/ring', '../staples/entry.ts', 'ring knows fleet and kernel'],
  ['lambda/ring', '../ocsp/time.ts', 'ring knows fleet and kernel'],
  ['lambda/ring', '../aws/refusal.ts', 'ring knows fleet and kernel'],
  ['lambda/ring', '../handlers/rotate.ts', 'ring knows fleet and kernel'],
  ['lambda/ring', 'node:fs', 'ring knows fleet and kernel'],
  ['lambda/staples', '../ring/ring.ts', 'staples know ocsp, fleet and kernel'],
  ['lambda/staples', '../aws/http/responder.ts', 'staples know ocsp, fleet and kernel'],
  ['lambda/staples', '@aws-sdk/client-ssm', 'staples know ocsp, fleet and kernel'],
  ['lambda/aws', '../ring/rotate.ts', 'aws is a thin edge'],
  ['lambda/aws', '../staples/refresh.ts', 'aws is a thin edge'],
  ['lambda/aws', '../handlers/rotate.ts', 'aws is a thin edge'],
  ['lambda/aws/http', '../../staples/refresh.ts', 'aws is a thin edge'],
  ['infra', '../lambda/ring/rotate.ts', 'infra, local and cli know the contracts'],
  ['infra', '../lambda/fleet/dispatch.ts', 'infra, local and cli know the contracts'],
  ['local', '../lambda/aws/refusal.ts', 'infra, local and cli know the contracts'],
  ['cli', '../lambda/ring/rotate.ts', 'infra, local and cli know the contracts'],
] as const
const ALLOWED = [
  ['lambda/kernel', './errors.ts'],
  ['lambda/kernel', 'node:crypto'],
  ['lambda/ocsp', '../kernel/errors.ts'],
  ['lambda/fleet', '../kernel/errors.ts'],
  ['lambda/ring', '../fleet/ports.ts'],
  ['lambda/staples', '../fleet/ports.ts'],
  ['lambda/staples', '../ocsp/validation.ts'],
  ['lambda/aws', '../ring/ports.ts'],
  ['lambda/aws/http', '../../staples/ports.ts'],
  ['infra', '../lambda/ring/ring.ts'],
] as const
const PURE = ['lambda/kernel', 'lambda/ocsp', 'lambda/fleet', 'lambda/ring', 'lambda/staples']

/**
 * What the linter says of each planted import, by folder and path; one run for all. Planted beside a copy of the rules, not
 * in the tree, which other tests read meanwhile.
 */
function lintPlanted(imports: readonly (readonly [string, string, ...string[]])[]): Map<string, string> {
  const tree = mkdtempSync(join(tmpdir(), 'ticketring-arrows-'))
  const planted = imports.map(([folder, path], n) => {
    return { file: join(folder, `planted-${n}.ts`), path, key: `${folder} ${path}` }
  })
  try {
    copyFileSync('biome.json', join(tree, 'biome.json'))
    for (const { file, path } of planted) {
      mkdirSync(dirname(join(tree, file)), { recursive: true })
      writeFileSync(join(tree, file), `import { x } from '${path}'\n\nexport const y = x\n`)
    }
    const said = lint(tree)
    return new Map(planted.map(({ file, key }) => [key, said(file)]))
  } finally {
    rmSync(tree, { recursive: true })
  }
}

/** @returns what is said of a file, as text. */
function lint(tree: string): (file: string) => string {
  const rule = ['--only=style/noRestrictedImports', '--reporter=json', '--max-diagnostics=none']
  const biome = resolve('node_modules/.bin/biome')
  const { stdout } = spawnSync(biome, ['lint', ...rule, '.'], { cwd: tree, encoding: 'utf8' })
  const { diagnostics } = JSON.parse(stdout) as { diagnostics: object[] }
  return (file) => JSON.stringify(diagnostics.filter((each) => JSON.stringify(each).includes(file)))
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

describe('the rooms of infra', () => {
  it.each([
    ['fleet', ['program']],
    ['program', ['fleet', 'servers']],
    ['ring', ['fleet', 'program', 'servers']],
    ['servers', ['fleet']],
    ['stapling', ['fleet', 'program', 'servers']],
    ['packages', ['program']],
  ])('%s knows %s alone', (room, known) => {
    const names = readdirSync(join('infra', room))
    const texts = names.map((name) => readFileSync(join('infra', room, name), 'utf8'))
    const imported = texts.flatMap((text) => [...text.matchAll(/ from '\.\.\/([a-z]+)/g)].map(([, to]) => to))
    expect([...new Set(imported)].toSorted()).toEqual(known)
  })
})

describe('the house in docs/design.md', () => {
  const rows = readFileSync('docs/design.md', 'utf8').match(/^\| `\w+(\/\w+)?` \|.*$/gm) ?? []
  const rooms = ['lambda', 'infra', 'local', 'local/rehearsal'].flatMap((house) =>
    readdirSync(house, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
      .map(({ name }) => [house, name] as const),
  )

  it.each(rooms)('shows %s/%s', (house, room) => {
    const [top = ''] = house.split('/')
    const shown = rows.filter((row) => row.startsWith(`| \`${top}`)).join('\n')
    expect(shown).toMatch(new RegExp(`\`(lambda/)?${room}\``))
  })
})

describe('what is pure', () => {
  const IMPURE =
    /\bDate\.now\b|\bnew Date\(\)|\bprocess\.(env|stdout|argv)|\bMath\.random|\brandom(Bytes|UUID|Int)\b|\bconsole\.|\bset(Timeout|Interval)\b/

  it.each(PURE)('%s takes time, chance and surroundings as arguments', (folder) => {
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.ts'),
    )
    expect(files.length).toBeGreaterThan(3)
    for (const name of files) expect(readFileSync(join(folder, name), 'utf8'), name).not.toMatch(IMPURE)
  })
})
