import type { MachineResult } from '../aws/run-command.ts'

/** What the offboard document came to on a machine. */
export type Outcome =
  /** Lines of its configuration, `FILE:LINE` each, still name files of the ring; `more` than are told. */
  | { readonly kind: 'named'; readonly lines: readonly string[]; readonly more: number }
  | { readonly kind: 'clear' }
  | { readonly kind: 'removed'; readonly files: readonly string[]; readonly more: number }
  /** It stays as it is. */
  | { readonly kind: 'failed'; readonly error: string; readonly detail: string }
  | { readonly kind: 'offline' }
  /** It was asked, and said nothing that can be read. */
  | { readonly kind: 'unanswered'; readonly status: string }

/** @param machine whose output the ring's document has written: a line of JSON, and remarks. */
export function outcomeOf(ring: string, { online, status, output }: MachineResult): Outcome {
  const line = output
    .split('\n')
    .flatMap(parsed)
    .find((each) => each.ring === ring && 'offboard' in each)
  if (line === undefined) return online ? { kind: 'unanswered', status } : { kind: 'offline' }
  const { offboard, named, more, removed, error, detail } = line
  if (offboard === 'clear') return { kind: 'clear' }
  if (offboard === 'named') return { kind: 'named', lines: texts(named), more: count(more) }
  if (offboard === 'removed') return { kind: 'removed', files: texts(removed), more: count(more) }
  return { kind: 'failed', error: text(error, 'unknown'), detail: text(detail, '') }
}

function parsed(line: string): readonly Readonly<Record<string, unknown>>[] {
  if (!line.startsWith('{')) return []
  try {
    return [JSON.parse(line)]
  } catch {
    return []
  }
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string').map(onOneLine) : []
}

function text(value: unknown, otherwise: string): string {
  return typeof value === 'string' ? onOneLine(value) : otherwise
}

/** What a machine says has no lines: one of them would read as another machine's. */
function onOneLine(text: string): string {
  return text.replace(/[\n\t]/g, (sign) => (sign === '\n' ? '\\n' : '\\t'))
}

function count(value: unknown): number {
  return Number.isSafeInteger(value) ? Math.max(0, Number(value)) : 0
}
