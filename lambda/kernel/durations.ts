import type { Place } from './inspection.ts'
import { type Kind, refuse } from './settings.ts'

/** A duration such as `90m`, or in whole seconds; in seconds. */
export const duration: Kind<number> = {
  read(value, place) {
    const seconds = typeof value === 'string' ? secondsOf(value) : value
    if (Number.isSafeInteger(seconds) && Number(seconds) > 0) return Number(seconds)
    return refuse(place, 'a duration such as 90s, 30m, 4h or 1d', value, Number.NaN)
  },
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }

/** Seconds of a duration such as `90m`; `undefined` where it is none. */
export function secondsOf(text: string): number | undefined {
  const [, count, unit] = /^([1-9]\d{0,6})([smhd])$/.exec(text) ?? []
  return unit === undefined ? undefined : Number(count) * (UNITS[unit] ?? Number.NaN)
}

/** The inverse of reading a duration: seconds in the largest unit that divides them, as in `4h`. */
export function durationText(seconds: number): string {
  const [unit, size] = Object.entries(UNITS).findLast(([, each]) => seconds % each === 0) ?? ['s', 1]
  return `${seconds / size}${unit}`
}

/** A rule over several durations of one object, and which of them breaks it. */
export type DurationRule<T> = readonly [
  name: keyof T & string,
  wanted: string,
  isBroken: (values: T) => boolean,
]

export function refuseDurations<T extends Readonly<Record<string, unknown>>>(
  rules: readonly DurationRule<T>[],
  values: T,
  place: Place,
): void {
  for (const [name, wanted, isBroken] of rules) {
    if (isBroken(values)) place.at(name).note(wanted, durationText(values[name] as number))
  }
}
