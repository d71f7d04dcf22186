/** Values of a template with references to parameters in the place of what they were synthesised with. */
import { type OptionName, optionOfItem, PIECES, where } from './options.ts'
import { COMMA, type Json, PARAMETERS, type Parameter } from './parameters.ts'

/** A text of the template, and what `Fn::Sub` has in its place. */
interface Replacement {
  readonly text: string
  readonly reference: string
  /** What the reference stands for, where it is to no parameter or resource. `all`: what is replaced in it. */
  readonly values?: (all: Replacements) => Json
}
/** The longer first: one holds another. */
export type Replacements = readonly Replacement[]

const NO_VALUE = { Ref: 'AWS::NoValue' }
/** Between texts of a list that may have commas in them. */
const BAR = '|'

const stands = Object.entries<Parameter>(PARAMETERS).flatMap(([name, { stand, within = ['*'], isList }]) => {
  if (stand === undefined) return []
  const values = isList ? { values: () => ({ [name]: { 'Fn::Join': ['","', split(name)] } }) } : {}
  return within.map((around) => ({
    text: around.replace('*', stand),
    reference: around.replace('*', `\${${name}}`),
    ...values,
  }))
})
const pieces = PIECES.map(([text, option]) => ({ text, ...pieceOf(text, option) }))
const lists = Object.entries<Parameter>(PARAMETERS).filter(([, { isList }]) => isList)

/** @param more such as the names of resources */
export function replacements(more: Replacements): Replacements {
  return [...more, ...stands, ...pieces].toSorted((one, other) => other.text.length - one.text.length)
}

function pieceOf(text: string, option: OptionName): Omit<Replacement, 'text'> {
  const variable = `With${option}`
  return {
    reference: `\${${variable}}`,
    values: (all) => ({
      [variable]: where(
        option,
        substituteText(
          text,
          all.filter((each) => each.text !== text),
        ),
        '',
      ),
    }),
  }
}

/** The value with a `Fn::Sub` for each text that holds what is replaced, and a `Fn::If` for each item that is optional. */
export function substitute(value: unknown, all: Replacements): unknown {
  if (typeof value === 'string') return listOf(value) ?? substituteText(value, all)
  if (Array.isArray(value)) return substituteList(value, all)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [keyOf(key, all), substitute(each, all)]),
  )
}

/** One with a parameter's list in it is made as a text: CloudFormation joins no lists. */
function substituteList(items: readonly unknown[], all: Replacements): unknown {
  if (items.length === 1 && listOf(items[0]) !== undefined) return listOf(items[0])
  const hasList = items.some((item) => listOf(item) !== undefined)
  const done = items.map((item) => optional(item, hasList ? asText(item, all) : substitute(item, all)))
  return hasList ? { 'Fn::Split': [BAR, { 'Fn::Join': [BAR, done] }] } : done
}

function asText(item: unknown, all: Replacements): unknown {
  const list = listOf(item)
  return list === undefined ? substitute(item, all) : { 'Fn::Join': [BAR, list] }
}

function optional(item: unknown, done: unknown): unknown {
  const option = optionOfItem(item)
  return option === undefined ? done : where(option, done, NO_VALUE)
}

/** The list of a parameter, in the place of the one item that it was synthesised with. */
function listOf(value: unknown): Json | undefined {
  const [name] = lists.find(([, { stand }]) => stand === value) ?? []
  return name === undefined ? undefined : split(name)
}

function split(name: string): Json {
  return { 'Fn::Split': [COMMA, { Ref: name }] }
}

function substituteText(text: string, all: Replacements): unknown {
  const literal = text.replaceAll('${', '${!')
  const found: Replacement[] = []
  const done = all.reduce((before, each) => {
    if (!before.includes(each.text)) return before
    found.push(each)
    return before.replaceAll(each.text, each.reference)
  }, literal)
  if (found.length === 0) return text
  const values: Json = Object.assign({}, ...found.map((each) => each.values?.(all)))
  return { 'Fn::Sub': Object.keys(values).length === 0 ? done : [done, values] }
}

/** CloudFormation substitutes nothing in a key. */
function keyOf(key: string, all: Replacements): string {
  if (!all.some(({ text }) => key.includes(text))) return key
  throw new Error(`a parameter in the key ${key}, where CloudFormation knows none`)
}
