/** Python's source without what only people read. Lexical rules: The Python Language Reference 3.9, chapter 2. */
import { TicketringError } from '../lambda/kernel/errors.ts'

type Kind = 'string' | 'comment' | 'space' | 'newline' | 'open' | 'close' | 'code'

interface Token {
  readonly kind: Kind
  readonly text: string
  /** The line of the source that it begins in. */
  readonly line: number
}

/** A logical line (§2.1.1): one statement, or the head of a compound one, with the line breaks within it. */
type LogicalLine = readonly Token[]

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

/**
 * The same program without comments, docstrings and empty lines.
 * @throws TicketringError `configuration-invalid` for what it does not understand whole.
 */
export function withoutRemarks(source: string, file: string): string {
  const lines = logicalLines(tokensOf(source, file), file)
  const kept = lines.map((line, index) => withoutDocstring(line, lines[index - 1], lines[index + 1]))
  const odd = kept.flat().find(({ text }) => /[^\n\x20-\x7e]/.test(text))
  if (odd !== undefined) throw refusal(file, odd.line, 'ASCII outside comments and docstrings', odd.text)
  return kept.map(textOf).join('')
}

function tokensOf(source: string, file: string): readonly Token[] {
  refuseControlCharacters(source, file)
  const tokens: Token[] = []
  let at = 0
  let line = 1
  while (at < source.length) {
    const token = tokenAt(source, at, line)
    if (token === undefined) throw refusal(file, line, 'whole tokens of Python', source.slice(at, at + 20))
    // A docstring that is read by the program would be missing.
    if (token.text === '__doc__') throw refusal(file, line, 'a program that reads no docstring', '__doc__')
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

function isCode({ kind }: Token): boolean {
  return kind !== 'space' && kind !== 'newline'
}

/** Without spaces at the ends of lines and without empty lines, within brackets too. */
function textOf(line: LogicalLine): string {
  let text = ''
  let gap = ''
  let isLineEmpty = true
  for (const token of line) {
    const isGap = token.kind === 'space' && !token.text.includes('\\')
    if (token.kind !== 'newline' && !isGap) text += gap + token.text
    else if (token.kind === 'newline' && !isLineEmpty) text += '\n'
    gap = isGap ? token.text : ''
    if (!isGap) isLineEmpty = token.kind === 'newline'
  }
  return text
}

/** The statement without the docstring that it is or ends in; nothing may be left of it. */
function withoutDocstring(
  line: LogicalLine,
  before: LogicalLine | undefined,
  after: LogicalLine | undefined,
): LogicalLine {
  const body = bodyOnSameLine(line)
  if (body > 0) return dropped(line, body, true)
  if (before !== undefined && !(isDefinition(before) && bodyOnSameLine(before) === 0)) return line
  return dropped(line, 0, before !== undefined && indentOf(after) < indentOf(line))
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

function isDefinition(line: LogicalLine): boolean {
  const [first, second] = line.filter(isCode).map(({ text }) => text)
  return first === 'def' || first === 'class' || (first === 'async' && second === 'def')
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

function indentOf(line: LogicalLine | undefined): number {
  const [first] = line ?? []
  return first?.kind === 'space' ? first.text.length : 0
}

function refusal(file: string, line: number, wanted: string, came: string): TicketringError {
  return new TicketringError('configuration-invalid', {
    wanted: `${wanted} in ${file}, line ${line}`,
    came: JSON.stringify(came),
  })
}
