import { parseResultLine, type ResultLine } from '../../../lambda/ring/result-line.ts'

/** The result line of a run for a ring; undefined for one for a set, or one that was killed. */
export function resultLineOf(stdout: string): ResultLine | undefined {
  try {
    return parseResultLine(stdout)
  } catch {
    return undefined
  }
}
