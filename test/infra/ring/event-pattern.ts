/**
 * As much of EventBridge's event patterns as the rules here use.
 * Source: EventBridge user guide, event patterns and comparison operators.
 */
type Json = Readonly<Record<string, unknown>>

/** Whether an event matches: every field of the pattern, and one alternative of each `$or`. */
export function matches(pattern: Json, event: unknown): boolean {
  const here = typeof event === 'object' && event !== null ? (event as Json) : {}
  return Object.entries(pattern).every(([key, wanted]) => {
    if (key === '$or') return (wanted as Json[]).some((each) => matches(each, here))
    if (!Array.isArray(wanted)) return matches(wanted as Json, here[key])
    const came = here[key]
    // Of a list, one member is enough.
    const values = Array.isArray(came) ? came : [came]
    return wanted.some((one) => values.some((value) => fits(one, value)))
  })
}

function fits(wanted: unknown, value: unknown): boolean {
  if (typeof wanted !== 'object' || wanted === null) return wanted === value
  const [[operator, operand] = []] = Object.entries(wanted)
  switch (operator) {
    case 'exists':
      return (value !== undefined) === operand
    case 'suffix':
      return typeof value === 'string' && value.endsWith(String(operand))
    case 'anything-but':
      // What is not there is none of these, and no other value either.
      return value !== undefined && ![operand].flat().includes(value)
    default:
      throw new Error(`the operator ${operator} is not modelled here`)
  }
}
