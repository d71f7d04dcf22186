import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readContext } from '../infra/app/context.ts'
import { ERROR_CODES } from '../lambda/kernel/errors.ts'
import { ACTIONS } from '../lambda/ring/request.ts'
import { INSTANCE_ERRORS } from '../lambda/ring/result-line.ts'
import { STAPLE_ACTIONS } from '../lambda/staples/request.ts'
import { STAPLE_ERRORS } from '../lambda/staples/result-line.ts'
import { quoted, tableOf } from './docs-tables.ts'

const PAGES = [
  'README.md',
  'SECURITY.md',
  'UPGRADING.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  ...readdirSync('docs')
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
  'docs/decisions/README.md',
]

/** What a check of a machine finds besides, which stops no run. */
const CHECK_CODES = ['mixed-listeners', 'release-affected', 'swap-unencrypted']
const INSTANCE_CODES: readonly string[] = [
  ...new Set<string>([...INSTANCE_ERRORS, ...STAPLE_ERRORS, ...CHECK_CODES]),
]
const CODES: readonly string[] = [...ERROR_CODES, ...INSTANCE_CODES]

function headings(page: string): string[] {
  return [...readFileSync(page, 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, text = '']) => text)
}

/** GitHub's anchor of a heading. */
function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^a-z0-9 _-]/g, '')
    .replaceAll(' ', '-')
}

/** Words with hyphens that are no error codes. */
const OTHER_WORDS = ['secrets-manager', 'keep-until-end']

describe('the documentation', () => {
  it('has a heading for each error code, and none for a code that is gone', () => {
    const wanted = [
      ...ERROR_CODES,
      // Some are in both lists; the instance's have headings of their own.
      ...INSTANCE_CODES.map((code) =>
        ERROR_CODES.some((ours) => ours === code) ? `${code}-on-instance` : code,
      ),
    ]
    const codes = headings('docs/errors.md').filter((heading) => /^[a-z-]+$/.test(heading))
    expect(codes.sort()).toEqual([...wanted].sort())
  })

  it('shows the very configuration files that the rehearsal runs', () => {
    const page = readFileSync('docs/machines.md', 'utf8')
    for (const name of ['haproxy.cfg', 'nginx.conf']) {
      expect(page, name).toContain(readFileSync(`docs/examples/${name}`, 'utf8'))
    }
  })

  it('shows the very set of certificates that the rehearsal runs', () => {
    const [, shown] = /```json\n("stapling": [\s\S]*?)```/.exec(readFileSync('docs/staples.md', 'utf8')) ?? []
    const { stapling } = readContext().ticketring as { readonly stapling: unknown }
    expect(JSON.parse(`{${shown}}`)).toEqual({ stapling })
  })

  it('names no error code that is none', () => {
    for (const page of ['docs/runbook.md', 'docs/ocsp-rules.md']) {
      const words = quoted(readFileSync(page, 'utf8').replaceAll(/```[\s\S]*?```/g, ''))
      const codes = words.filter((word) => /^[a-z]+(-[a-z]+)+$/.test(word) && !OTHER_WORDS.includes(word))
      expect(
        codes.filter((code) => !CODES.includes(code)),
        page,
      ).toEqual([])
    }
  })

  it('says what each action of a function takes', () => {
    for (const [heads, actions] of [
      [['action', 'what it does'], ACTIONS],
      [['action', 'takes', 'what it does'], STAPLE_ACTIONS],
    ] as const) {
      const named = tableOf('docs/operations.md', heads).map(([action = '']) => quoted(action)[0])
      expect(named.sort()).toEqual([...actions].sort())
    }
  })

  it('has one entry for each dependency, and none for one that is gone', () => {
    const { dependencies, devDependencies } = JSON.parse(readFileSync('package.json', 'utf8'))
    const rows = tableOf('docs/decisions/README.md', ['package', 'where', 'why', 'weighed against'])
    const named = rows.map(([name = '']) => quoted(name)[0])
    expect(named).toEqual([...Object.keys(dependencies), ...Object.keys(devDependencies)])
  })

  it('numbers each decision, lists it at the top, and says what it costs', () => {
    const [index = '', ...records] = readFileSync('docs/decisions/README.md', 'utf8').split(/^## /m)
    records.forEach((record, at) => {
      const [title = ''] = record.split('\n')
      expect(title).toMatch(new RegExp(`^${at + 1}\\. `))
      expect(index).toContain(`- [${title}](#${anchor(title)})`)
      expect(record, title).toMatch(/Cost:\s/)
    })
  })

  it('links only to what is there', () => {
    for (const page of PAGES) {
      const text = readFileSync(page, 'utf8').replaceAll(/```[\s\S]*?```/g, '')
      for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^(https?|mailto):/.test(target)) continue
        const [path = '', fragment] = target.split('#')
        const file = path === '' ? page : join(dirname(page), path)
        expect(existsSync(file), `${page} links to ${target}`).toBe(true)
        if (fragment) expect(headings(file).map(anchor), `${page} links to ${target}`).toContain(fragment)
      }
    }
  })
})
