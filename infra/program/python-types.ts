/** Python's source without the types of its functions: nothing but a type checker asks for them. */
import { indentOf, type LogicalLine, type Token, wordsOf } from './python-tokens.ts'

/** Without the blocks `if TYPE_CHECKING:`, which no program runs. Source: PEP 484, runtime or type checking. */
export function withoutTypeBlocks(lines: readonly LogicalLine[]): readonly LogicalLine[] {
  let block = Number.POSITIVE_INFINITY
  return lines.filter((line) => {
    const indent = indentOf(line)
    if (indent <= block)
      block = wordsOf(line).join(' ') === 'if TYPE_CHECKING :' ? indent : Number.POSITIVE_INFINITY
    return block === Number.POSITIVE_INFINITY
  })
}

/** The head of a function without the types of its parameters (§8.6) and of what it returns. Other lines stay. */
export function withoutTypes(line: LogicalLine): LogicalLine {
  const words = wordsOf(line)
  // The colons and commas of a lambda would look like those of parameters.
  if (words[words[0] === 'async' ? 1 : 0] !== 'def' || words.includes('lambda')) return line
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
