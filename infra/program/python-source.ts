/** Python's source without what only people and type checkers read, so that more of it fits in a document. */

import { withoutTypesOfClasses } from './python-classes.ts'
import {
  indentOf,
  isCode,
  isDefinition,
  type LogicalLine,
  linesOf,
  refusal,
  type Token,
  wordsOf,
} from './python-tokens.ts'
import { withoutTypeBlocks, withoutTypeOfVariable, withoutTypes } from './python-types.ts'

/**
 * The same program without comments, strings that do nothing, empty lines and the types of functions and their
 * variables, a space for each level.
 * @throws TicketringError `configuration-invalid` for what it does not understand whole.
 */
export function withoutRemarks(source: string, file: string): string {
  const lines = withoutTypeBlocks(linesOf(source, file), file)
  const kept: LogicalLine[] = []
  for (const [index, line] of lines.entries()) {
    const rest = withoutIdleString(line, kept.at(-1), lines[index + 1])
    if (rest.length > 0) kept.push(rest)
  }
  const odd = kept.flat().find(({ text }) => /[^\n\x20-\x7e]/.test(text))
  if (odd !== undefined) throw refusal(file, odd.line, 'ASCII outside comments and docstrings', odd.text)
  const plain = withoutTypesOfClasses(kept, file).map((line) =>
    withoutTypeOfVariable(withoutTypes(line, file)),
  )
  return withShortIndents(plain.filter((line) => !isOfTypes(line)))
    .map(textOf)
    .join('')
}

/** The same program without what it offers by that name: a class, the line `NAME = Class` and what only they import. */
export function withoutOffer(source: string, offer: string, file: string): string {
  const lines = linesOf(source, file)
  const offering = lines.find((line) => wordsOf(line).slice(0, 2).join(' ') === `${offer} =`)
  const name = wordsOf(offering ?? []).at(-1)
  let isOffered = false
  const kept = lines.filter((line) => {
    const [first, second] = wordsOf(line)
    if (indentOf(line) === 0) isOffered = line === offering || (first === 'class' && second === name)
    return !isOffered
  })
  const needed = offering === undefined ? kept : withoutIdleImports(kept)
  return needed.flatMap((line) => line.map(({ text }) => text)).join('')
}

/** Without the imports of a module of which no name occurs in other lines. */
function withoutIdleImports(lines: readonly LogicalLine[]): readonly LogicalLine[] {
  const isImport = (line: LogicalLine) => /^(from|import)$/.test(wordsOf(line)[0] ?? '')
  const occurring = new Set(
    lines
      .filter((line) => !isImport(line))
      .flatMap(wordsOf)
      .flatMap(namesIn),
  )
  return lines.filter((line) => {
    const words = wordsOf(line)
    if (!isImport(line) || indentOf(line) > 0 || words[1] === '__future__') return true
    return words.slice(words.indexOf('import') + 1).some((word) => occurring.has(word))
  })
}

/** Names in a word, which may be a formatted string. */
function namesIn(word: string): readonly string[] {
  return word.match(/[A-Za-z_][A-Za-z0-9_]*/g) ?? []
}

/** A text of help: a line for each setting, its names and what they mean, which goes on below the meaning. */
const HELP = /^( *(?:_?HELP|help|_OF_EACH) = f?""")(?:\\\n)?([^"]*)"""/gm
/** Or another such text, that stands in it. */
const NAMES = /^(?: {2}[A-Z{][A-Z0-9_{}]*(?:, [A-Z{][A-Z0-9_{}]*)*|\{\w+\}$)/

/** The same program, whose help has the names of its settings alone: by these it knows them. */
export function withoutMeanings(source: string): string {
  return source.replace(HELP, (_, head: string, text: string) => {
    const names = text.split('\n').flatMap((line) => NAMES.exec(line) ?? [])
    return `${head}${names.map((name) => `\n${name}`).join('')}\n"""`
  })
}

/** With types gone, it says nothing. */
function isOfTypes(line: LogicalLine): boolean {
  return wordsOf(line).join(' ') === 'from __future__ import annotations'
}

/** Python counts levels and not spaces (§2.1.8). */
function withShortIndents(lines: readonly LogicalLine[]): readonly LogicalLine[] {
  const widths: number[] = []
  return lines.map((line) => {
    const width = indentOf(line)
    while ((widths.at(-1) ?? 0) > width) widths.pop()
    if ((widths.at(-1) ?? 0) < width) widths.push(width)
    const [first, ...rest] = line
    return width === 0 || first === undefined
      ? line
      : [{ ...first, text: ' '.repeat(widths.length) }, ...rest]
  })
}

/** In one line (§2.1.6), without the spaces at its end. */
function textOf(line: LogicalLine): string {
  let text = ''
  let gap = ''
  for (const token of line) {
    if (token.kind === 'space' || token.kind === 'newline') {
      gap += token.text
      continue
    }
    const isWide = gap.includes('\n')
    const isTight = /[([{]$/.test(text) || token.kind === 'close'
    text += (isWide ? (isTight ? '' : ' ') : gap) + token.text
    gap = ''
  }
  return `${text}\n`
}

/** A docstring, or a string that is a statement by itself, which Python does not even evaluate. */
function withoutIdleString(
  line: LogicalLine,
  before: LogicalLine | undefined,
  after: LogicalLine | undefined,
): LogicalLine {
  const body = bodyOnSameLine(line)
  if (body > 0) return dropped(line, body, true)
  const indent = indentOf(line)
  return dropped(line, 0, indentOf(before) < indent && indentOf(after) < indent)
}

const PASS: LogicalLine = [
  { kind: 'code', text: 'pass', line: 0 },
  { kind: 'newline', text: '\n', line: 0 },
]

/** Without the strings at `start`. Where they were the whole body, `pass` keeps their place. */
function dropped(line: LogicalLine, start: number, isWholeBody: boolean): LogicalLine {
  const first = line.findIndex((token, index) => index >= start && isCode(token))
  let end = first
  while (isText(line[end]) || line[end]?.kind === 'space') end += 1
  const next = line[end]
  const isStatement = next === undefined || next.kind === 'newline' || next.text === ';'
  if (!isText(line[first]) || !isStatement) return line
  const rest = next?.text === ';' ? line.slice(end + 1) : []
  const head = line.slice(0, first)
  if (rest.some(isCode)) return [...head, ...rest.slice(rest.findIndex(isCode))]
  return isWholeBody ? [...head, ...PASS] : []
}

/** Bytes and formatted strings are no docstrings. */
function isText(token: Token | undefined): boolean {
  return token?.kind === 'string' && /^[rRuU]?["']/.test(token.text)
}

/** Where the body of a definition begins that stands behind its colon; 0 where it has lines of its own, or is none. */
function bodyOnSameLine(line: LogicalLine): number {
  if (!isDefinition(line)) return 0
  let depth = 0
  for (const [index, { kind, text }] of line.entries()) {
    if (kind === 'open') depth += 1
    if (kind === 'close') depth -= 1
    if (depth === 0 && text === ':') return line.slice(index + 1).some(isCode) ? index + 1 : 0
  }
  return 0
}
