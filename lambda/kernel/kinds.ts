import type { Place } from './inspection.ts'
import { type Kind, refuse } from './settings.ts'

/** What a text must be. */
export type Rule = RegExp | ((text: string) => boolean)

export function text(rule: Rule, wanted: string): Kind<string> {
  const fits = (value: string) => (rule instanceof RegExp ? rule.test(value) : rule(value))
  return kind((value) => typeof value === 'string' && fits(value), wanted, '')
}

/** Without credentials. @param schemes as `http:` */
export function url(...schemes: readonly string[]): Kind<string> {
  const fits = (value: string) => {
    const parsed = URL.canParse(value) ? new URL(value) : undefined
    return (
      parsed !== undefined &&
      schemes.includes(parsed.protocol) &&
      parsed.username === '' &&
      parsed.password === ''
    )
  }
  const kinds = schemes.map((scheme) => scheme.slice(0, -1)).join(' or ')
  return text(fits, `a URL of ${kinds} without credentials`)
}

export const flag: Kind<boolean> = kind((value) => typeof value === 'boolean', 'true or false', false)

/** A whole number of `least` to `most`. */
export function integer(least: number, most = Number.MAX_SAFE_INTEGER, of = ''): Kind<number> {
  const upTo = most === Number.MAX_SAFE_INTEGER ? `of ${least} or more` : `of ${of}, ${least} to ${most}`
  const fits = (value: unknown) =>
    Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most
  return kind(fits, `a whole number ${upTo}`, Number.NaN)
}

export function oneOf<const T extends string | number>(...allowed: readonly [T, ...T[]]): Kind<T> {
  return kind((value) => allowed.includes(value as T), `one of ${allowed.join(', ')}`, allowed[0])
}

interface Size {
  readonly least: number
  readonly most?: number
  /** What is in it, in the plural. */
  readonly of: string
}

interface OfList<T> extends Pick<Kind<readonly T[]>, 'text'> {
  /** Notes what is wrong with the items together. */
  check?(values: readonly T[], place: Place): void
}

export function list<T>(
  items: Kind<T>,
  { least, most, of }: Size,
  { check, ...more }: OfList<NoInfer<T>> = {},
): Kind<readonly T[]> {
  const upTo = least === most ? '' : ` to ${most}`
  const wanted = `a list of ${least}${most === undefined ? ' or more' : upTo} ${of}`
  return {
    items: items as Kind<unknown>,
    ...more,
    read(value, place) {
      const isOne = Array.isArray(value) && value.length >= least && value.length <= (most ?? value.length)
      if (!isOne) return refuse(place, wanted, value, [])
      const values = value.map((item, index) => items.read(item, place.at(index), {}))
      check?.(values, place)
      return values
    },
  }
}

export function kind<T>(fits: (value: unknown) => boolean, wanted: string, placeholder: T): Kind<T> {
  return { read: (value, place) => (fits(value) ? (value as T) : refuse(place, wanted, value, placeholder)) }
}
