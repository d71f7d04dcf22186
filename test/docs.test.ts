import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readContext } from '../infra/context.ts'
import { ERROR_CODES } from '../lambda/core/errors.ts'
import { INSTANCE_ERRORS } from '../lambda/core/result-line.ts'
import { STAPLE_ERRORS } from '../lambda/core/staple-line.ts'

const PAGES = [
  'README.md',
  'SECURITY.md',
  ...readdirSync('docs')
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]

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

describe('the documentation', () => {
  it('has a heading for each error code, and none for a code that is gone', () => {
    const wanted = [
      ...ERROR_CODES,
      // Some are in both lists; the instance's have headings of their own.
      ...[...new Set<string>([...INSTANCE_ERRORS, ...STAPLE_ERRORS])].map((code) =>
        ERROR_CODES.some((ours) => ours === code) ? `${code}-on-instance` : code,
      ),
    ]
    const codes = headings('docs/errors.md').filter((heading) => /^[a-z-]+$/.test(heading))
    expect(codes.sort()).toEqual([...wanted].sort())
  })

  it('shows the very configuration files that the rehearsal runs', () => {
    const readme = readFileSync('README.md', 'utf8')
    for (const name of readdirSync('docs/examples')) {
      expect(readme, name).toContain(readFileSync(`docs/examples/${name}`, 'utf8'))
    }
  })

  it('shows the very set of certificates that the rehearsal runs', () => {
    const [, shown] = /```json\n("stapling": [\s\S]*?)```/.exec(readFileSync('README.md', 'utf8')) ?? []
    const { stapling } = readContext().ticketring as { readonly stapling: unknown }
    expect(JSON.parse(`{${shown}}`)).toEqual({ stapling })
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
