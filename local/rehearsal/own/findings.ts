import { basename } from 'node:path'

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
  readonly #file: string
  readonly #refused = new Set<string>()
  readonly #said = new Set<string>()
  readonly #added = new Set<string>()
  readonly #left = new Map<string, Set<string>>()

  /** @param file the user's: of what is in it the line alone is said. */
  constructor(file: string) {
    this.#file = file
  }

  /** What keeps it from being rehearsed, each with its line and what to do. */
  get refused(): readonly string[] {
    return [...this.#refused]
  }

  /** What differs in the rehearsal's copy. */
  get said(): readonly string[] {
    return [...this.#said]
  }

  /** Lines that ticketring needs and that are added in the copy. */
  get added(): readonly string[] {
    return [...this.#added]
  }

  refuse(spot: Spot, what: string, fix = 'take it out of a copy'): void {
    this.#refused.add(`${at(spot)}: ${what}: ${fix}`)
  }

  say(spot: Spot, text: string): void {
    this.#said.add(`${at(spot)}: ${text}`)
  }

  add(where: Spot | string, text: string): void {
    this.#added.add(`${typeof where === 'string' ? where : at(where)}: ${text}`)
  }

  /** A directive that says nothing of TLS, and that the copy does without. */
  leaveOut({ file, line }: Spot, directive: string): void {
    const place = file === this.#file ? `${line}` : `${basename(file)}:${line}`
    this.#left.set(directive, (this.#left.get(directive) ?? new Set()).add(place))
  }

  /** All that was left out, in a line; empty where nothing was. */
  get leftOut(): readonly string[] {
    if (this.#left.size === 0) return []
    const each = [...this.#left].map(([directive, places]) => `${directive} (${listed([...places])})`)
    return [`left out, by line: ${each.join(', ')}`]
  }
}

const MOST = 4

function listed(places: readonly string[]): string {
  return places.length <= MOST
    ? places.join(' ')
    : `${places.slice(0, MOST).join(' ')} and ${places.length - MOST} more`
}
