/** Python's source without the types of its functions and variables: nothing but a type checker asks for them. */
import { indentOf, isDefinition, type LogicalLine, type Token, wordsOf } from './python-tokens.ts'

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

/** Assignments without a type (§7.2.2), but for those of a class: of them a NamedTuple is made. */
export function withoutTypesOfVariables(lines: readonly LogicalLine[]): readonly LogicalLine[] {
  const within: { readonly indent: number; readonly isClass: boolean }[] = []
  return lines.map((line) => {
    const indent = indentOf(line)
    while ((within.at(-1)?.indent ?? -1) >= indent) within.pop()
    if (isDefinition(line)) within.push({ indent, isClass: wordsOf(line)[0] === 'class' })
    return within.at(-1)?.isClass ? line : withoutTypeOfVariable(line)
  })
}

/** A name, or an attribute of one, a colon, the type and what is assigned. */
const ANNOTATED = /^(?!(?:else|try|finally|except) :)[A-Za-z_]\w*(?: \. \w+)* :$/

function withoutTypeOfVariable(line: LogicalLine): LogicalLine {
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
