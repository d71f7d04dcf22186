import { readFileSync } from 'node:fs'

/** Cells of the table in `page` whose first line of heads is `heads`, row by row, without the heads. */
export function tableOf(page: string, heads: readonly string[], after = ''): readonly (readonly string[])[] {
  const text = readFileSync(page, 'utf8')
  const lines = text.slice(Math.max(0, text.indexOf(after))).split('\n')
  const start = lines.findIndex((line) => cellsOf(line).join('|') === heads.join('|'))
  if (start < 0) throw new Error(`${page} has no table ${heads.join(' | ')}`)
  const rest = lines.slice(start + 2)
  const end = rest.findIndex((line) => !line.startsWith('|'))
  return rest.slice(0, end < 0 ? rest.length : end).map(cellsOf)
}

function cellsOf(line: string): readonly string[] {
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim())
}

/** What stands in backticks. */
export function quoted(text: string): readonly string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word)
}
