import type { LogRecord } from '../../aws/history.ts'

/** What the rotation function decided, as its log tells. */
export interface LoggedDecision {
  /** ms */
  readonly at: number
  readonly action: string
  readonly reason: string
  /** Of a rotation that is held: for what. */
  readonly waitsFor?: string
}

/** The decisions in what a function printed, in order. */
export function decisionsIn(logs: readonly Pick<LogRecord, 'text'>[]): readonly LoggedDecision[] {
  return logs.flatMap(({ text }) => text.split('\n').flatMap(decisionOf))
}

/** None for any other line, or for half of one: a pipe may cut a line in two. */
function decisionOf(line: string): readonly LoggedDecision[] {
  if (!line.startsWith('{') || !line.includes('"kind":"decided"') || !line.endsWith('}')) return []
  const { at, action, reason, waitsFor } = JSON.parse(line) as Omit<LoggedDecision, 'at'> & { at: string }
  return [{ at: Date.parse(at), action, reason, ...(waitsFor === undefined ? {} : { waitsFor }) }]
}
