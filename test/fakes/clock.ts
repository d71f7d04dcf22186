import type { Clock } from '../../lambda/fleet/ports.ts'

/** A clock that stands still unless a sleep or a test moves it. */
export class ManualClock implements Clock {
  #now: number
  #deadline = Number.POSITIVE_INFINITY

  constructor(start = '2026-11-21T19:00:00.000Z') {
    this.#now = Date.parse(start)
  }

  now(): Date {
    return new Date(this.#now)
  }

  async sleep(milliseconds: number): Promise<void> {
    this.#now += milliseconds
  }

  remaining(): number {
    return Math.max(0, this.#deadline - this.#now)
  }

  advance(seconds: number): void {
    this.#now += seconds * 1000
  }

  /** From now on an invocation has this many milliseconds. */
  allow(milliseconds: number): void {
    this.#deadline = this.#now + milliseconds
  }
}
