/** What is said of a user's configuration while it is moved to loopback. */

/** A line of one of the user's files. */
export interface Spot {
  readonly file: string
  readonly line: number
}

export function at({ file, line }: Spot): string {
  return `${file}:${line}`
}

/** Collected while a configuration is read: nothing is thrown before all of it was. */
export class Findings {
  /** What keeps it from being rehearsed, each with its line and what to do. */
  readonly refused: string[] = []
  /** What differs in the rehearsal's copy. */
  readonly said: string[] = []
  /** Lines that ticketring needs and that are added in the copy. */
  readonly added: string[] = []
  readonly #left = new Map<string, number[]>()

  refuse(spot: Spot, what: string, fix = 'take it out of a copy'): void {
    this.refused.push(`${at(spot)}: ${what}: ${fix}`)
  }

  say(spot: Spot, text: string): void {
    this.said.push(`${at(spot)}: ${text}`)
  }

  /** A directive that says nothing of TLS, and that the copy does without. */
  leaveOut({ line }: Spot, directive: string): void {
    this.#left.set(directive, [...(this.#left.get(directive) ?? []), line])
  }

  /** All that was left out, in a line; empty where nothing was. */
  get leftOut(): readonly string[] {
    if (this.#left.size === 0) return []
    const each = [...this.#left].map(([directive, lines]) => `${directive} (${listed(lines)})`)
    return [`left out, by line: ${each.join(', ')}`]
  }
}

const MOST = 4

function listed(lines: readonly number[]): string {
  const shown = [...new Set(lines)]
  return shown.length <= MOST
    ? shown.join(' ')
    : `${shown.slice(0, MOST).join(' ')} and ${shown.length - MOST} more`
}
