import type { Place } from './inspection.ts'
import { nearestName } from './nearest-name.ts'

/**
 * How values of one kind are read: in cdk.json, where a person wrote them, and in a function's environment, where they
 * stand as they were read. What is refused is noted and read as a placeholder that breaks no further rule ('' or NaN:
 * every comparison with NaN is false); the inspection keeps it from all that would use it.
 */
export interface Kind<T> {
  read(value: unknown, place: Place, earlier: Earlier): T
  /** As a machine's configuration file has it; as it is written in JSON where there is no other way. */
  text?(value: T): string
  /** Of an object. */
  readonly fields?: Settings
  /** Of a list. */
  readonly items?: Kind<unknown>
}

/** What was read of the same object before. */
type Earlier = Readonly<Record<string, unknown>>

/** One setting: declared here, and nowhere else. */
export interface Setting<T> {
  readonly kind: Kind<T>
  /** What the documentation says of it; nothing of what the sentence of its object names. */
  readonly says?: string
  /** Name in the machines' configuration files, of what is told to them. */
  readonly machine?: string
  /** Where it is absent: this, or what follows from what stands before it. */
  readonly normal?: T | ((earlier: Earlier) => T)
}

/** One that may be absent, and is then absent from what is read; `usual` says that in a word. */
export interface Optional<T> extends Setting<T> {
  readonly isOptional: true
  readonly usual?: unknown
}

/** The settings of one object, in the order in which they are read. */
export type Settings = Readonly<Record<string, Setting<unknown>>>

type Names<S, O> = {
  [K in keyof S]: S[K] extends { readonly isOptional: true }
    ? O extends true
      ? K
      : never
    : O extends true
      ? never
      : K
}[keyof S]
type ValueOf<S> = S extends Setting<infer T> ? T : never

/** The values of an object of settings. */
export type Values<S> = { readonly [K in Names<S, false>]: ValueOf<S[K]> } & {
  readonly [K in Names<S, true>]?: ValueOf<S[K]>
}

type Facts<T> = Omit<Setting<T>, 'kind'>

export function setting<T>(kind: Kind<T>, facts: Facts<NoInfer<T>> = {}): Setting<T> {
  return { kind, ...facts }
}

export function optional<T, const U = never>(
  kind: Kind<T>,
  facts: Omit<Facts<T>, 'normal'> & { readonly usual?: U } = {},
): Optional<Exclude<T, U>> {
  return { kind, ...facts, isOptional: true } as Optional<Exclude<T, U>>
}

/** The same where each has been read once: as a construct tells them to its function, none has a default. */
export function explicit<S extends Settings>(settings: S): S {
  const entries = Object.entries(settings).map(([name, { normal: _, ...each }]) => [name, each])
  return Object.fromEntries(entries)
}

/**
 * An object with these fields and no other.
 * @param check notes what is wrong with them together.
 */
export function object<S extends Settings>(
  fields: S,
  check: (values: Values<S>, place: Place) => void = () => undefined,
): Kind<Values<S>> {
  return {
    fields,
    read(value, place) {
      const given = asObject(value, place, fields)
      const here = given === undefined ? place.unheard() : place
      const values: Record<string, unknown> = {}
      for (const [name, each] of Object.entries(fields)) {
        const read = readSetting(each, given?.[name], here.at(name), values)
        if (read !== undefined) values[name] = read
      }
      check(values as Values<S>, here)
      return values as Values<S>
    },
  }
}

/** The same, each of whose settings may be absent: so may it. */
export function orEmpty<T>(kind: Kind<T>): Kind<T> {
  return {
    ...kind,
    read: (value, place, earlier) => kind.read(value === undefined ? {} : value, place, earlier),
  }
}

function asObject(
  value: unknown,
  place: Place,
  fields: Settings,
): Readonly<Record<string, unknown>> | undefined {
  const names = Object.keys(fields)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refuse(place, `an object with ${names.join(', ')}`, value, undefined)
  }
  for (const name of Object.keys(value)) {
    if (!names.includes(name)) noteUnknown(name, names, place)
  }
  return value as Readonly<Record<string, unknown>>
}

function noteUnknown(name: string, names: readonly string[], place: Place): void {
  const meant = nearestName(name, names)
  const question = meant === undefined ? '' : ` (did you mean ${meant}?)`
  place.at(name).note(`no field but ${names.join(', ')}${question}`, name)
}

function readSetting(setting: Setting<unknown>, value: unknown, place: Place, earlier: Earlier): unknown {
  const { kind, normal } = setting
  if (value === undefined && normal !== undefined)
    return typeof normal === 'function' ? normal(earlier) : normal
  if (!('isOptional' in setting)) return kind.read(value, place, earlier)
  const read = value === undefined ? undefined : kind.read(value, place, earlier)
  return read === (setting as Optional<unknown>).usual ? undefined : read
}

export function refuse<T>(place: Place, wanted: string, came: unknown, placeholder: T): T {
  place.note(wanted, came)
  return placeholder
}

/** Notes each name that another one before it has. */
export function refuseRepeated(names: readonly string[], at: (index: number) => Place, of = at): void {
  names.forEach((name, index) => {
    const first = names.indexOf(name)
    if (name !== '' && first !== index) at(index).note(`a name other than that of ${of(first).path}`, name)
  })
}

/** Notes each item whose name another one before it has. */
export function refuseNamesakes(items: readonly { readonly name: string }[], place: Place): void {
  const names = items.map(({ name }) => name)
  refuseRepeated(
    names,
    (index) => place.at(index).at('name'),
    (index) => place.at(index),
  )
}

/** What is told to the machines, in the words of their configuration files. */
export function machineSettings(fields: Settings, values: object): Readonly<Record<string, string>> {
  const told = Object.entries(fields).map(([name, { kind, machine }]) => {
    const value = (values as Readonly<Record<string, unknown>>)[name]
    if (value === undefined) return {}
    if (machine !== undefined) return { [machine]: kind.text?.(value) ?? String(value) }
    return kind.fields === undefined ? {} : machineSettings(kind.fields, value as object)
  })
  return Object.assign({}, ...told)
}
