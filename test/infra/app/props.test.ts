import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const INDEX = readFileSync('infra/index.ts', 'utf8')
const SOURCES = readdirSync('infra', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => readFileSync(join('infra', name), 'utf8'))
  .join('\n')

/** Every interface that an owner's app may name, and its text. */
const INTERFACES = [...new Set(INDEX.match(/\b[A-Z]\w+/g))].flatMap((name) => {
  const [, body] = new RegExp(`^export interface ${name} \\{\\n(.*?)^\\}`, 'ms').exec(SOURCES) ?? []
  return body === undefined ? [] : [{ name, body }]
})

/** Each optional prop, with the comment before it. */
const OPTIONAL = INTERFACES.flatMap(({ name, body }) =>
  [...body.matchAll(/(?:^ {2}\/\*\*((?:(?!\*\/).)*)\*\/\n)?^ {2}readonly (\w+)\?:/gms)].map(
    ([, comment = '', prop]) => [`${name}.${prop}`, comment] as const,
  ),
)

it('there are props to look at', () => {
  expect(INTERFACES.map(({ name }) => name)).toContain('TicketKeyRingProps')
  expect(OPTIONAL.length).toBeGreaterThan(30)
})

it.each(OPTIONAL)('%s says what it is where it is absent', (_, comment) => {
  expect(comment).toMatch(/\n {3}\* @default \S/)
})
