import { LoopbackError } from './aws-error.ts'

const UNITS: Readonly<Record<string, number>> = { minute: 60, hour: 3600, day: 86_400 }

/** Seconds of a `rate(…)` expression. @throws LoopbackError for anything else. */
export function parseRate(expression: string, where: string): number {
  const [, count, unit] = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(expression) ?? []
  const seconds = Number(count) * (UNITS[unit ?? ''] ?? Number.NaN)
  if (seconds > 0) return seconds
  throw new LoopbackError(`${where}: only rate() expressions are modelled, not ${expression}`)
}
