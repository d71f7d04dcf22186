/** Python's source in tokens and lines. Lexical rules: The Python Language Reference 3.9, chapter 2. */
import { TicketringError } from '../../lambda/kernel/errors.ts'

type Kind = 'string' | 'comment' | 'space' | 'newline' | 'open' | 'close' | 'code'

export interface Token {
  readonly kind: Kind
  readonly text: string
  /** The line of the source that it begins in. */
  readonly line: number
}

/** A logical line (§2.1.1): one statement, or the head of a compound one, with the line breaks within it. */
export type LogicalLine = readonly Token[]

const STRING_PREFIX = '(?:[rR][bB]?|[bB][rR]?|[uU]|[fF][rR]?|[rR][fF])?'
const PATTERNS: readonly (readonly [Kind, RegExp])[] = [
  ['string', new RegExp(`${STRING_PREFIX}"""(?:[^"\\\\]+|\\\\[^]|"(?!""))*"""`, 'y')],
  ['string', new RegExp(`${STRING_PREFIX}'''(?:[^'\\\\]+|\\\\[^]|'(?!''))*'''`, 'y')],
  ['string', new RegExp(`${STRING_PREFIX}"(?!"")(?:[^"\\\\\\n]+|\\\\[^])*"`, 'y')],
  ['string', new RegExp(`${STRING_PREFIX}'(?!'')(?:[^'\\\\\\n]+|\\\\[^])*'`, 'y')],
  ['comment', /#[^\n]*/y],
  // A backslash at its end joins a line to the next (§2.1.5).
  ['space', /(?: |\\\n)+/y],
  ['newline', /\n/y],
  ['open', /[([{]/y],
  ['close', /[)\]}]/y],
  ['code', /[A-Za-z0-9_]+|[^\s"'#\\]/y],
]

/** @throws TicketringError `configuration-invalid` for what it does not understand whole. */
export function linesOf(source: string, file: string): readonly LogicalLine[] {
  return logicalLines(tokensOf(source, file), file)
}

function tokensOf(source: string, file: string): readonly Token[] {
  refuseControlCharacters(source, file)
  const tokens: Token[] = []
  let at = 0
  let line = 1
  while (at < source.length) {
    const token = tokenAt(source, at, line)
    if (token === undefined) throw refusal(file, line, 'whole tokens of Python', source.slice(at, at + 20))
    // A docstring or a type that is read by the program would be missing.
    if (/^(__doc__|__annotations__|get_type_hints)$/.test(token.text))
      throw refusal(file, line, 'a program that reads no docstring and no types', token.text)
    tokens.push(token)
    at += token.text.length
    line += token.text.split('\n').length - 1
  }
  return tokens
}

function tokenAt(source: string, at: number, line: number): Token | undefined {
  for (const [kind, pattern] of PATTERNS) {
    pattern.lastIndex = at
    const [text] = pattern.exec(source) ?? []
    if (text !== undefined) return { kind, text, line }
  }
  return undefined
}

/** Python takes a carriage return for a line's end, a tab for eight columns or fewer, a form feed for none at all. */
function refuseControlCharacters(source: string, file: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones to refuse.
  const odd = /[\x00-\x09\x0b-\x1f\x7f]/.exec(source)
  if (odd === null) return
  const line = source.slice(0, odd.index).split('\n').length
  throw refusal(file, line, 'no control character', odd[0])
}

/** Comments and lines without code are left out here: a line break ends a line only outside brackets (§2.1.6). */
function logicalLines(tokens: readonly Token[], file: string): readonly LogicalLine[] {
  const lines: Token[][] = []
  let line: Token[] = []
  let depth = 0
  for (const token of tokens) {
    if (token.kind === 'open') depth += 1
    if (token.kind === 'close') depth -= 1
    if (token.kind !== 'comment') line.push(token)
    if (token.kind !== 'newline' || depth > 0) continue
    lines.push(line)
    line = []
  }
  if (depth !== 0) throw refusal(file, line[0]?.line ?? 1, 'brackets in pairs', `${depth} open`)
  return [...lines, line].filter((each) => each.some(isCode))
}

export function isCode({ kind }: Token): boolean {
  return kind !== 'space' && kind !== 'newline'
}

export function indentOf(line: LogicalLine | undefined): number {
  const [first] = line ?? []
  return first?.kind === 'space' ? first.text.length : 0
}

export function isDefinition(line: LogicalLine): boolean {
  const [first, second] = wordsOf(line)
  return first === 'def' || first === 'class' || (first === 'async' && second === 'def')
}

/** The texts of a line's tokens, without spaces and line breaks. */
export function wordsOf(line: LogicalLine): readonly string[] {
  return line.filter(isCode).map(({ text }) => text)
}

export function refusal(file: string, line: number, wanted: string, came: string): TicketringError {
  return new TicketringError('configuration-invalid', {
    wanted: `${wanted} in ${file}, line ${line}`,
    came: JSON.stringify(came),
  })
}
