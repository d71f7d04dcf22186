import {
  COMMAND_TIMING,
  documentReference,
  PARAMETER_NAME,
  readVariable,
  tagKey,
  tagValues,
  target,
} from '../fleet/configuration.ts'
import { type DurationRule, duration, durationText, refuseDurations } from '../kernel/durations.ts'
import { NAME } from '../kernel/fields.ts'
import type { Place } from '../kernel/inspection.ts'
import { integer, list, oneOf, text } from '../kernel/kinds.ts'
import { explicit, type Kind, object, optional, setting, type Values } from '../kernel/settings.ts'

/** Name of the rotation function's one environment variable: {@link RotationConfiguration} as JSON. */
export const ROTATION_VARIABLE = 'TICKETRING_ROTATION'

const MINUTE = 60
const HOUR = 60 * MINUTE

const DURATIONS = {
  every: setting(duration, {
    says: 'T, from one advance to the next: 30 minutes to 24 hours',
    normal: 4 * HOUR,
  }),
  ticketLifetime: setting(duration, {
    says: 'L, at most T/2; the server must announce no more',
    normal: ({ every }) => Math.min(2 * HOUR, Math.floor(Number(every) / 2)),
    machine: 'TICKET_LIFETIME',
  }),
  maxKeyAge: setting(duration, {
    says: 'from this age on the ring advances though machines are missing, and pages',
    normal: ({ every }) => 3 * Number(every),
  }),
}

const START = {
  trigger: setting(oneOf('schedule', 'secrets-manager'), {
    says: '`schedule`, or `secrets-manager` for its own rotation (whole hours, 4 or more)',
    normal: 'schedule',
  }),
  start: optional(oneOf('at-once', 'paused'), {
    says: '`paused`: no tick makes the first ring, it is adopted or made by hand',
    usual: 'at-once',
  }),
}

const LAG = {
  mayLag: optional(integer(0, 10, 'percent'), {
    says: 'percent of the machines, of a few machines one, that no rotation waits for while Systems Manager has lost them; 0: all are waited for',
    usual: 1,
  }),
}

export function mayLagOf({ mayLag = 1 }: Values<typeof LAG>): number {
  return mayLag
}

/** Calendars in one request. GetCalendarState documents no limit; each is a line of the functions' policies. */
const MOST_CALENDARS = 10
// Source: CreateDocument, Name; the ARN of a document has that name behind its slash.
const CALENDAR_NAME = '[\\w.-]{3,128}'
export const CALENDAR_ARN = `arn:aws[a-z-]*:ssm:[a-z0-9-]+:\\d{12}:document/${CALENDAR_NAME}`
const CALENDAR = new RegExp(`^(${CALENDAR_ARN}|${CALENDAR_NAME})$`)

const WINDOWS = {
  calendars: optional(
    list(text(CALENDAR, "names of the account's Change Calendars, or ARNs of shared ones"), {
      least: 1,
      most: MOST_CALENDARS,
      of: 'names or ARNs of Change Calendars',
    }),
    {
      says: '[Change Calendars](operations.md#change-calendars) by name, shared ones by ARN: while one is closed, only a revoke makes a new generation',
    },
  ),
}

const MODES = ['observe', 'enforce'] as const
export type Mode = (typeof MODES)[number]
export const mode = oneOf(...MODES)

// Source: PutMetricAlarm, AlarmName; the ARN of an alarm has that name behind its last colon.
const ALARM = /^(arn:[\w-]+:cloudwatch:[\w-]+:\d{12}:alarm:)?[\x20-\x7e]{1,255}$/

const CANARY = {
  tag: setting(tagKey, { says: "key of a second tag, which the canary's machines have beside the ring's" }),
  values: setting(tagValues, { says: 'its values, one to five' }),
  soak: setting(duration, {
    says: 'from the proof of the last of its machines until the others follow: at most `every` less `ticketLifetime` and 15 minutes',
    normal: 15 * MINUTE,
  }),
  stopOnAlarms: setting(
    list(text(ALARM, 'names or ARNs of CloudWatch alarms'), {
      least: 0,
      most: 10,
      of: 'names or ARNs of CloudWatch alarms',
    }),
    {
      says: 'names or ARNs of CloudWatch alarms, ten at most: while one is in the state ALARM, or is not there, the others wait',
      normal: [],
    },
  ),
}
/** The machines that each new generation, and each new document, goes to first. Durations in whole seconds. */
export type CanaryConfiguration = Values<typeof CANARY>

/** What two deliveries may take, one to the canary and one to the others, and the looks that begin them (s). */
const DELIVERIES = 15 * MINUTE

/**
 * How old a generation may get (s) before the others do not wait for the canary any more: so early that it converges, and
 * tickets of before live their lives, before `maxKeyAge` forces the next one, by which machines still one behind would lose all.
 */
export function canaryEndsAfter(
  { maxKeyAge, ticketLifetime }: Pick<Durations, 'maxKeyAge' | 'ticketLifetime'>,
  deliveries = DELIVERIES,
): number {
  return maxKeyAge - ticketLifetime - deliveries
}

/** Notes a soak after which the others' generation could not converge and live its life before the next one is due. */
export function refuseSoak(
  {
    canary,
    rotation: { every, ticketLifetime },
  }: { readonly canary?: CanaryConfiguration; readonly rotation: Rotation },
  place: Place,
): void {
  if (canary === undefined || !(canary.soak + ticketLifetime + DELIVERIES > every)) return
  const most = every - ticketLifetime - DELIVERIES
  const wanted =
    most > 0
      ? `at most ${durationText(most)}, which is every less ticketLifetime and 15 minutes for the deliveries`
      : 'no canary, or a longer every or a shorter ticketLifetime: these two leave no time for a soak'
  place.at('canary').at('soak').note(wanted, durationText(canary.soak))
}

export const canary: Kind<CanaryConfiguration> = object(CANARY)

/** When keys change. Durations in whole seconds. */
export const ROTATION = { ...DURATIONS, ...START, ...LAG, ...WINDOWS }
export type Rotation = Values<typeof ROTATION>

type Durations = Values<typeof DURATIONS>

const HALF: DurationRule<Durations> = [
  'ticketLifetime',
  'at most half of every',
  ({ every, ticketLifetime }) => ticketLifetime * 2 > every,
]

/** What the function's own reckoning needs, however short a rehearsal has its durations. */
const FUNCTIONS_RULES: readonly DurationRule<Durations>[] = [
  HALF,
  ['maxKeyAge', 'more than every', ({ every, maxKeyAge }) => maxKeyAge <= every],
]

/** What an owner may set. */
const OWNERS_RULES: readonly DurationRule<Rotation>[] = [
  ['every', 'from 30m to 24h', ({ every }) => every < 30 * MINUTE || every > 24 * HOUR],
  ['every', 'whole minutes', ({ every }) => every % MINUTE > 0],
  [
    'every',
    'whole hours, 4 or more, as Secrets Manager rotates no oftener',
    ({ trigger, every }) => trigger === 'secrets-manager' && (every < 4 * HOUR || every % HOUR > 0),
  ],
  HALF,
  [
    'maxKeyAge',
    'more than every and ticketLifetime together, the soonest that the gate can open',
    ({ every, ticketLifetime, maxKeyAge }) => maxKeyAge <= every + ticketLifetime,
  ],
]

export const rotation = object(ROTATION, (values, place) => refuseDurations(OWNERS_RULES, values, place))

const TIMING = {
  ...explicit(DURATIONS),
  /** How much earlier than T a schedule's window may fire. */
  window: setting(integer(0)),
  ...COMMAND_TIMING,
}
/** Durations in whole seconds. */
export type RotationTiming = Values<typeof TIMING>

const CONFIGURATION = {
  ring: setting(text(NAME, 'a ring name')),
  /** ARN of the ring's secret. */
  secret: setting(text(/^arn:/, 'an ARN')),
  document: setting(documentReference),
  target: setting(target),
  /** `observe`: machines look and load nothing. Absent as `enforce`. */
  mode: optional(mode),
  /** Name of the SSM parameter that holds the delivery record. */
  record: setting(PARAMETER_NAME),
  /** Name of the SSM parameter in which operators pause the ring and set machines aside. */
  control: setting(PARAMETER_NAME),
  timing: setting(object(TIMING, refuseLifetimes)),
  /** The longest lifetime that machines may announce for a ticket (s): L as it is deployed, however short a rehearsal has it. */
  announcedAtMost: setting(integer(1)),
  canary: optional(object(explicit(CANARY))),
  ...explicit(START),
  ...explicit(LAG),
  ...explicit(WINDOWS),
}
/** What the rotation function is told at deploy time. */
export type RotationConfiguration = Values<typeof CONFIGURATION>

function refuseLifetimes(timing: Durations, place: Place): void {
  refuseDurations(FUNCTIONS_RULES, timing, place)
}

/** @throws TicketringError `configuration-invalid` that lists every problem. */
export function parseRotationConfiguration(value: string | undefined): RotationConfiguration {
  return readVariable(value, {
    name: ROTATION_VARIABLE,
    construct: 'TicketKeyRing',
    kind: object(CONFIGURATION),
  })
}

/** The inverse of {@link parseRotationConfiguration}. */
export function serialiseRotationConfiguration(configuration: RotationConfiguration): string {
  return JSON.stringify(configuration)
}
