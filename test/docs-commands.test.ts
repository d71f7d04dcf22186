import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ticketring } from './cli/command-line.ts'

const PAGES = [
  'README.md',
  ...readdirSync('docs').flatMap((name) => (name.endsWith('.md') ? join('docs', name) : [])),
]

/** Each line of a page's blocks of sh, its continued lines joined. */
function linesIn(page: string): readonly string[] {
  const blocks = [...readFileSync(page, 'utf8').matchAll(/^ *```sh\n([\s\S]*?)^ *```/gm)]
  return blocks.flatMap(([, block = '']) => block.replaceAll(/\\\n\s*/g, '').split('\n'))
}

/** The words after what the pattern finds. */
const commandsOf = (pattern: RegExp) =>
  PAGES.flatMap((page) =>
    linesIn(page).flatMap((line) => {
      const words = pattern.exec(line)?.[1]?.split(/\s+/)
      return words === undefined ? [] : [{ page, words }]
    }),
  )

const optionsOf = (words: readonly string[]) => words.filter((word) => word.startsWith('--') && word !== '--')

const CLI = commandsOf(/(?:^|\s)npx ticketring ([^|#>]*[^|#>\s])/)
const AGENT = commandsOf(/^\s*sudo (?:\S*\/)?ticketring(?:\.pyz)? ([^|#>]*[^|#>\s])/)
const SCRIPTS = commandsOf(/(?:^|\s)npm run (?:--silent )?([^|#>]*[^|#>\s])/)
const FIRST = 'docs/first-machine.md'

describe('the commands that pages show', () => {
  it('are found, those of the first machine too', () => {
    const counts = [CLI, AGENT, SCRIPTS].map((all) => all.filter(({ page }) => page === FIRST).length)
    expect(counts).toEqual([5, 1, 1])
  })

  it.each(CLI)('are of the command line, with options that it has: $page: $words', async ({ words }) => {
    const [name = '', ...rest] = words
    const { code, stdout } = await ticketring(name, '--help')
    expect(code).toBe(0)
    const known = stdout.match(/--[a-z-]+/g)
    for (const option of optionsOf(rest)) expect(known).toContain(option.split('=')[0])
  })

  it.each(AGENT)('are of the program on machines: $page: $words', ({ words }) => {
    const program = ['ticketring/__main__.py', 'ticketring/check.py'].map((name) =>
      readFileSync(join('agent', name), 'utf8'),
    )
    expect(words[0]).toMatch(/^(ring|staples)$/)
    for (const option of optionsOf(words)) expect(program.join('')).toContain(option)
  })

  it.each(SCRIPTS)('are scripts of the package: $page: $words', ({ words }) => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'))
    expect(Object.keys(scripts)).toContain(words[0])
  })
})
