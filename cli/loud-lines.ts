import type { Paint } from '../local/paint.ts'

/** What an operator must not overlook. */
const LOUD = /^ *(?:STILL ACCEPTS OLD TICKETS|auth-bypass): .*$/gm

/** With these lines in the colour of what is bad. */
export function withLoudLines(text: string, paint: Paint): string {
  return text.replace(LOUD, (line) => paint('bad', line))
}
