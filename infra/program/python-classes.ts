/** Python's classes without the types of their fields and bases, so that nothing loads `typing`, which takes as long as a server's module. */
import {
  indentOf,
  isCode,
  isDefinition,
  type LogicalLine,
  refusal,
  type Token,
  wordsOf,
} from './python-tokens.ts'

const RECORD = 'NamedTuple'
const CHECKED = ['Generic', 'TypeVar', RECORD]

/**
 * What `typing` has for classes, said by `collections`: a NamedTuple is a namedtuple of the same fields and defaults, and what
 * a class is generic in says nothing to Python. Other fields keep their value alone.
 * @throws TicketringError `configuration-invalid` where something else of `typing` is left.
 */
export function withoutTypesOfClasses(lines: readonly LogicalLine[], file: string): readonly LogicalLine[] {
  const kept = lines.filter((line) => wordsOf(line).slice(1, 3).join(' ') !== '= TypeVar')
  const rest = bodiesOf(kept).flatMap(([head, body]) => classOf(head, body))
  return rest.map((line) => withoutTyping(line, file)).filter((line) => line.length > 0)
}

/** Each line, with the lines of its body where it is a class's head. */
function bodiesOf(
  lines: readonly LogicalLine[],
): readonly (readonly [LogicalLine, readonly LogicalLine[]])[] {
  const found: (readonly [LogicalLine, readonly LogicalLine[]])[] = []
  for (let at = 0; at < lines.length; at += 1) {
    const head = lines[at] ?? []
    let end = at + 1
    if (isClass(head)) while (end < lines.length && indentOf(lines[end]) > indentOf(head)) end += 1
    found.push([head, lines.slice(at + 1, end)])
    at = end - 1
  }
  return found
}

function isClass(line: LogicalLine): boolean {
  return isDefinition(line) && wordsOf(line)[0] === 'class'
}

function classOf(head: LogicalLine, body: readonly LogicalLine[]): readonly LogicalLine[] {
  if (!isClass(head) || body.length === 0) return [head]
  const indent = indentOf(body[0])
  const isRecord = wordsOf(head).slice(2).join(' ') === `( ${RECORD} ) :`
  const isField = (line: LogicalLine) =>
    indentOf(line) === indent && wordsOf(line)[1] === ':' && !(isRecord && isOfClass(line))
  const fields = body.filter(isField)
  const rest = isRecord
    ? body.filter((line) => !isField(line))
    : body.flatMap((line) => (isField(line) ? assignmentOf(line) : [line]))
  const inner = bodiesOf(rest).flatMap(([each, lines]) => classOf(each, lines))
  const whole = inner.length > 0 ? inner : [passAt(indent)]
  return [isRecord ? recordOf(head, fields) : withPlainBases(head), ...whole]
}

/** Of the class and not of what is made of it. Source: PEP 526. */
function isOfClass(line: LogicalLine): boolean {
  return wordsOf(line).slice(1, 4).join(' ') === ': ClassVar ['
}

function passAt(indent: number): LogicalLine {
  return [
    { kind: 'space', text: ' '.repeat(indent), line: 0 },
    { kind: 'code', text: 'pass', line: 0 },
    { kind: 'newline', text: '\n', line: 0 },
  ]
}

/** Where the value of a field begins, behind its sign; 0 where it has none. */
function startOfValue(field: LogicalLine): number {
  let depth = 0
  const sign = field.findIndex(({ kind, text }) => {
    if (kind === 'open') depth += 1
    if (kind === 'close') depth -= 1
    return depth === 0 && text === '='
  })
  return sign + 1
}

/** `name = value`, where there is one. */
function assignmentOf(field: LogicalLine): readonly LogicalLine[] {
  const start = startOfValue(field)
  if (start === 0) return []
  const colon = field.findIndex(({ text }) => text === ':')
  return [[...field.slice(0, colon), { kind: 'space', text: ' ', line: 0 }, ...field.slice(start - 1)]]
}

/** Source: the library's reference, collections.namedtuple: defaults are those of the last fields. */
function recordOf(head: LogicalLine, fields: readonly LogicalLine[]): LogicalLine {
  const [, name = ''] = wordsOf(head)
  const names = fields.map((field) => wordsOf(field)[0])
  const defaults = fields.filter((field) => startOfValue(field) > 0).map((field) => textOfValue(field))
  const more = defaults.length > 0 ? `, defaults=[${defaults.join(', ')}]` : ''
  const call: Token = { kind: 'code', text: `namedtuple("${name}", "${names.join(' ')}"${more})`, line: 0 }
  return head.map((token) => (token.text === RECORD ? call : token))
}

function textOfValue(field: LogicalLine): string {
  const value = field.slice(startOfValue(field)).filter(({ kind }) => kind !== 'newline')
  return value
    .map(({ text }) => text)
    .join('')
    .trim()
}

/** The bases without what they are of: `A[B]` is A, and `Generic[B]` nothing. */
function withPlainBases(head: LogicalLine): LogicalLine {
  let depth = 0
  const plain = head.filter(({ kind, text }) => {
    if (kind === 'close') depth -= 1
    const isOf = depth > 1 || (depth === 1 && (text === '[' || text === ']'))
    if (kind === 'open') depth += 1
    return !isOf
  })
  const isBare = wordsOf(plain).slice(2).join(' ') === '( Generic ) :'
  return isBare
    ? plain.filter(({ kind, text }) => kind !== 'open' && kind !== 'close' && text !== 'Generic')
    : plain
}

/** An import of what is told by `collections` now, or of what is gone. */
function withoutTyping(line: LogicalLine, file: string): LogicalLine {
  const [from, typing, imports, ...names] = wordsOf(line)
  const odd = line.find(({ text }) => CHECKED.includes(text))
  if ([from, typing, imports].join(' ') !== 'from typing import') {
    if (odd !== undefined)
      throw refusal(file, odd.line, `${odd.text} as the only base of a class`, 'another use')
    return line
  }
  const other = names.find((name) => name !== ',' && !CHECKED.includes(name))
  if (other !== undefined)
    throw refusal(file, line.find(isCode)?.line ?? 0, `${CHECKED.join(', ')} of typing alone`, other)
  if (!names.includes(RECORD)) return []
  const said = 'from collections import namedtuple'
  return [
    { kind: 'code', text: said, line: 0 },
    { kind: 'newline', text: '\n', line: 0 },
  ]
}
