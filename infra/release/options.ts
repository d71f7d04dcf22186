import { type Json, PARAMETERS, type ParameterName } from './parameters.ts'

/** What is in the template only where a parameter has another value than its default. */
interface Option {
  /** Logical ids. */
  readonly resources?: RegExp
  /** Items of lists: a policy's statement by its Sid, a text as it is. */
  readonly items?: RegExp
  /** A piece of a text. */
  readonly piece?: string
}

const { CanaryTag, CanaryValues, CanarySoak, StopOnAlarms, Calendars, AccessReaders } = PARAMETERS

/** As the functions' environment has it. */
const CANARY = JSON.stringify({
  canary: {
    tag: CanaryTag.stand,
    values: [CanaryValues.stand],
    soak: Number(CanarySoak.stand),
    stopOnAlarms: [StopOnAlarms.stand],
  },
})
const inside = (object: string) => `,${object.slice(1, -1)}`

export const OPTIONS = {
  CanaryTag: { resources: /^RingAlarmsCanaryFailed/, items: /^STAY_BEHIND=/, piece: inside(CANARY) },
  StopOnAlarms: { items: /^SeeAlarmsOfTheCanary$/, piece: JSON.stringify(StopOnAlarms.stand) },
  Calendars: {
    items: /^SeeWhetherCalendarsAreOpen$/,
    piece: inside(JSON.stringify({ calendars: [Calendars.stand] })),
  },
  AccessWatch: { resources: /^RingAccess|^RingAlarms(Read|Changed)ByOthers|^WatchDeaf/ },
  AccessReaders: { items: new RegExp(`^${AccessReaders.stand}$`) },
} as const satisfies Partial<Readonly<Record<ParameterName, Option>>>
export type OptionName = keyof typeof OPTIONS

const ALL = Object.entries<Option>(OPTIONS) as readonly (readonly [OptionName, Option])[]

/** Pieces of texts, each with the option that it is of. */
export const PIECES = ALL.flatMap(([name, { piece }]) =>
  piece === undefined ? [] : [[piece, name] as const],
)

/** The option that a resource is of. */
export function optionOfResource(id: string): OptionName | undefined {
  return ALL.find(([, { resources }]) => resources?.test(id))?.[0]
}

/** The option that an item of a list is of. */
export function optionOfItem(item: unknown): OptionName | undefined {
  const name = typeof item === 'string' ? item : String(Object(item).Sid)
  return ALL.find(([, { items }]) => items?.test(name))?.[0]
}

/** Name of the condition of an option. */
export function conditionOf(name: OptionName): string {
  return `Has${name}`
}

/** `whole` where the option is asked for, else `otherwise`. */
export function where(name: OptionName, whole: unknown, otherwise: unknown): Json {
  return { 'Fn::If': [conditionOf(name), whole, otherwise] }
}

const isDefault = (name: ParameterName) => ({
  'Fn::Equals': [{ Ref: name }, (PARAMETERS[name] as { readonly default?: string }).default],
})
const isGiven = (name: ParameterName) => ({ 'Fn::Not': [isDefault(name)] })

/** Those of the options that the text names. */
export function conditionsFor(text: string): Json {
  const named = ALL.filter(([name]) => text.includes(`"${conditionOf(name)}"`))
  return Object.fromEntries(named.map(([name]) => [conditionOf(name), isGiven(name)]))
}

/** What no parameter's own pattern can tell. Source: CloudFormation user guide, Rules. */
const RULES = {
  CanaryHasValues: needs('CanaryTag', 'CanaryValues', "values of the canary's tag"),
  ValuesHaveTag: needs('CanaryValues', 'CanaryTag', 'the key of the tag that has these values'),
  SoakHasCanary: needs('CanarySoak', 'CanaryTag', 'the tag of the machines that are to soak'),
  AlarmsHaveCanary: needs(
    'StopOnAlarms',
    'CanaryTag',
    'the tag of the machines whose soak these alarms stop',
  ),
  ReadersHaveWatch: needs('AccessReaders', 'AccessWatch', '`on`, since only a watch knows these readers'),
}

/** Those whose parameters are there, if any. */
export function rulesFor(declared: Json): Json | undefined {
  const isWhole = (rule: Json) =>
    [...JSON.stringify(rule).matchAll(/"Ref":"(\w+)"/g)].every(([, name = '']) => name in declared)
  const whole = Object.entries(RULES).filter(([, rule]) => isWhole(rule))
  return whole.length === 0 ? undefined : Object.fromEntries(whole)
}

/** A rule: who gives the one parameter gives the other, too. */
function needs(given: ParameterName, needed: ParameterName, as: string): Json {
  const told = `wanted ${needed}: ${as}; came ${given} without it. Set ${needed}, or leave ${given} out`
  return {
    RuleCondition: isGiven(given),
    Assertions: [{ Assert: isGiven(needed), AssertDescription: told }],
  }
}
