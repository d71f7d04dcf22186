/** What takes longer on every machine of a ring or a set that names a kind of server which looks at its files by itself. */
import { EXECUTION_SECONDS } from '../fleet/document.ts'

/** Seconds that a run may take on a machine. @param longer than of other kinds. */
export function executionWith(longer: number): number {
  return EXECUTION_SECONDS + longer
}

/** What the program takes by itself, and as much more. */
export function patienceSettings(longer: number): Readonly<Record<string, string>> {
  return longer === 0 ? {} : { RUN_SECONDS: String(100 + longer), LOCK_WAIT: String(30 + longer) }
}
