/** Python's source without the types of its functions and variables: nothing but a type checker asks for them. */
import { indentOf, type LogicalLine, refusal, type Token, wordsOf } from './python-tokens.ts'

const CHECKING = 'TYPE_CHECKING'

/**
 * Without the blocks `if TYPE_CHECKING:`, which no program runs, and the import of that name, which takes Python as long
 * as half of our own modules. Source: PEP 484, runtime or type checking.
 * @throws TicketringError `configuration-invalid` where something else asks for the name.
 */
export function withoutTypeBlocks(lines: readonly LogicalLine[], file: string): readonly LogicalLine[] {
  let block = Number.POSITIVE_INFINITY
  const rest = lines.filter((line) => {
    const indent = indentOf(line)
    if (indent <= block)
      block = wordsOf(line).join(' ') === `if ${CHECKING} :` ? indent : Number.POSITIVE_INFINITY
    return block === Number.POSITIVE_INFINITY
  })
  const kept = rest.map(withoutCheckingImport).filter((line) => line.length > 0)
  const odd = kept.flat().find(({ text }) => text === CHECKING)
  if (odd !== undefined) throw refusal(file, odd.line, `${CHECKING} in if ${CHECKING}: alone`, 'another use')
  return kept
}

/** The name stands first, since names are sorted. */
function withoutCheckingImport(line: LogicalLine): LogicalLine {
  const [from, typing, imports, name, ...others] = wordsOf(line)
  if ([from, typing, imports, name].join(' ') !== `from typing import ${CHECKING}`) return line
  if (others.length === 0) return []
  const at = line.findIndex(({ text }) => text === CHECKING)
  return [...line.slice(0, at), ...line.slice(line.findIndex(({ text }) => text === ',') + 2)]
}

/**
 * The head of a function without the types of its parameters (§8.6) and of what it returns. Other lines stay.
 * @throws TicketringError `configuration-invalid` for a lambda, whose colon and commas would look like those of parameters.
 */
export function withoutTypes(line: LogicalLine, file: string): LogicalLine {
  const words = wordsOf(line)
  if (words[words[0] === 'async' ? 1 : 0] !== 'def') return line
  const odd = line.find(({ text }) => text === 'lambda')
  if (odd !== undefined) throw refusal(file, odd.line, 'no lambda in the line of a def', odd.text)
  const end = endOfParameters(line)
  const body = line.findIndex(({ text }, index) => index > end && text === ':')
  return [...parametersOf(line.slice(0, end)), ...line.slice(end, end + 1), ...line.slice(body)]
}

function endOfParameters(line: LogicalLine): number {
  let depth = 0
  return line.findIndex(({ kind }) => {
    if (kind === 'open') depth += 1
    if (kind === 'close') depth -= 1
    return kind === 'close' && depth === 0
  })
}

/** A type stands between a parameter's colon and its default or the next parameter. */
function parametersOf(tokens: LogicalLine): LogicalLine {
  let depth = 0
  let isType = false
  let isDefault = false
  return tokens.flatMap((token): readonly Token[] => {
    const { kind, text } = token
    if (kind === 'open') depth += 1
    if (kind === 'close') depth -= 1
    if (depth !== 1) return isType ? [] : [token]
    if (text === ',') isType = isDefault = false
    if (text === ':' && !isDefault) isType = true
    const isSpaced = isType && text === '='
    if (text === '=') [isType, isDefault] = [false, true]
    if (isType) return []
    return isSpaced ? [{ ...token, kind: 'space', text: ' ' }, token] : [token]
  })
}

/** A name, or an attribute of one, a colon, the type and what is assigned. */
const ANNOTATED = /^(?!(?:else|try|finally|except) :)[A-Za-z_]\w*(?: \. \w+)* :$/

/** An assignment without a type (§7.2.2). Other lines stay. */
export function withoutTypeOfVariable(line: LogicalLine): LogicalLine {
  const colon = line.findIndex(({ text }) => text === ':')
  const head = line.slice(0, colon + 1)
  if (!ANNOTATED.test(wordsOf(head).join(' '))) return line
  const rest = line.slice(colon + 1)
  let depth = 0
  const sign = rest.findIndex(({ kind, text }) => {
    if (kind === 'open') depth += 1
    if (kind === 'close') depth -= 1
    return depth === 0 && (text === '=' || text === ';')
  })
  if (rest[sign]?.text !== '=') return line
  return [...head.slice(0, -1), { kind: 'space', text: ' ', line: 0 }, ...rest.slice(sign)]
}
