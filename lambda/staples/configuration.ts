import {
  COMMAND_TIMING,
  documentReference,
  PARAMETER_NAME,
  readVariable,
  target,
} from '../fleet/configuration.ts'
import { type DurationRule, duration, refuseDurations } from '../kernel/durations.ts'
import { TicketringError } from '../kernel/errors.ts'
import { NAME, parseJson } from '../kernel/fields.ts'
import type { Place } from '../kernel/inspection.ts'
import { flag, list, oneOf, text, url } from '../kernel/kinds.ts'
import {
  explicit,
  type Kind,
  object,
  optional,
  refuseNamesakes,
  setting,
  type Values,
} from '../kernel/settings.ts'

/** Name of the staple function's one environment variable: {@link StapleConfiguration} as JSON. */
export const STAPLES_VARIABLE = 'TICKETRING_STAPLES'

/** Where a certificate's PEM chain is: the certificate first, its issuers after it in any order, no key needed. */
export type ChainSource =
  | { readonly parameter: string }
  /** ARN of a secret whose string is the chain or, with `field`, a JSON object that has it there. */
  | { readonly secret: string; readonly field?: string }

// Parameter Store keeps names that begin with aws or ssm for itself.
const PARAMETER = /^(?!\/?(aws|ssm))(\/?[\w.-]+|(\/[\w.-]+){2,15})$/i

export const CHAIN = {
  parameter: optional(text(PARAMETER, 'the name of an SSM parameter, or else secret')),
  secret: optional(text(/^arn:/, 'the whole ARN of a secret, with its six last characters')),
  field: optional(text(/./, 'the name of a field')),
}

/** Notes what is not one place: a parameter, or a secret and a field of it. */
export function refuseOtherPlaces(
  { parameter, secret, field }: { parameter?: string; secret?: string; field?: string },
  place: Place,
): void {
  const both = 'absent beside parameter: one of the two has the chain'
  if (parameter !== undefined && secret !== undefined) place.at('secret').note(both, secret)
  if (parameter === undefined && secret === undefined)
    place.at('parameter').note('the name of an SSM parameter, or else secret', undefined)
  if (secret === undefined && field !== undefined)
    place.at('field').note('absent: only a secret has fields', field)
}

const NAMES = /^[A-Za-z0-9][A-Za-z0-9._*-]{0,63}$/

/** One certificate, as an owner and as the function says it: only how a chain is named differs. */
export function certificateSettings<C>(chain: Kind<C>) {
  return {
    name: setting(text(NAMES, 'a name of 1 to 64 letters, digits and . _ * -'), {
      says: 'what events and `status` call it',
    }),
    chain: setting(chain, {
      says: '`parameter` (name) or `secret` (ARN, and its `field`) of the PEM chain, without its key; `key`, ARN of a KMS key of yours that encrypts it. A missing issuer is fetched by caIssuers',
    }),
    url: optional(url('http:', 'https:'), {
      says: "asks this responder in place of the certificate's; any address may be meant",
    }),
    proxy: optional(url('http:'), { says: 'an HTTP proxy to go through' }),
    hash: setting(oneOf('sha1', 'sha256'), {
      says: '`sha1` or `sha256` in the CertID; HAProxy takes SHA-1 only',
      normal: 'sha1',
    }),
    revoked: setting(oneOf('staple', 'withhold'), {
      says: 'what to do with a response that says so: `staple` or `withhold`. The alarm comes either way',
      normal: 'staple',
    }),
    mustStaple: setting(oneOf('withdraw', 'keep-until-end'), {
      says: "a must-staple certificate's last response is taken away in time (`withdraw`) or by the last run before its end (`keep-until-end`)",
      normal: 'withdraw',
    }),
    allowSha1: optional(flag, { says: 'accept SHA-1 as the hash of a signature' }),
    maxAge: optional(duration, { says: 'accept a response without nextUpdate for so long' }),
  }
}

/** One of the two places: {@link refuseOtherPlaces} sees to it. */
const chainSource = object(CHAIN, refuseOtherPlaces) as Kind<ChainSource>
const CERTIFICATE = explicit(certificateSettings(chainSource))
export type CertificateSetting = Values<typeof CERTIFICATE>
const certificates = list(object(CERTIFICATE), { least: 0, of: 'certificates' }, { check: refuseNamesakes })

const MINUTE = 60
const HOUR = 60 * MINUTE

const WAITS = {
  least: setting(duration, { says: 'after a success, ask no sooner than this', normal: HOUR }),
  most: setting(duration, {
    says: 'after a success, ask no later than this',
    normal: ({ least }) => Math.max(24 * HOUR, Number(least)),
  }),
}
type Waits = Values<typeof WAITS>
const WAITS_RULES: readonly DurationRule<Waits>[] = [
  ['most', 'no less than least', ({ least, most }) => most < least],
]

/** When responders are asked. Durations in whole seconds. */
export const REFRESH = {
  every: setting(duration, {
    says: 'from one look at what is due to the next: 5 minutes to 1 hour',
    normal: 15 * MINUTE,
  }),
  ...WAITS,
}
type Refresh = Values<typeof REFRESH>
const REFRESH_RULES: readonly DurationRule<Refresh>[] = [
  ['every', 'from 5m to 1h', ({ every }) => every < 5 * MINUTE || every > HOUR],
  ['every', 'whole minutes', ({ every }) => every % MINUTE > 0],
  ...WAITS_RULES,
]
export const refresh = object(REFRESH, (values, place) => refuseDurations(REFRESH_RULES, values, place))

const TIMING = { ...explicit(WAITS), ...COMMAND_TIMING }
/** Durations in whole seconds. */
export type StapleTiming = Values<typeof TIMING>

const CONFIGURATION = {
  set: setting(text(NAME, 'a name of a set')),
  certificates: setting(certificates),
  document: setting(documentReference),
  target: setting(target),
  /** Prefix of the parameters that hold the staples, such as `/ticketring/staples/edge`. */
  store: setting(text(/^\/.*[^/]$/, 'the prefix of parameter names')),
  /** Name of the parameter that holds the delivery record. */
  record: setting(PARAMETER_NAME),
  timing: setting(object(TIMING, (values, place) => refuseDurations(WAITS_RULES, values, place))),
  /** Whether a machine of the target runs HAProxy, which drops a staple five minutes early. */
  haproxy: setting(flag),
  /** Ranges in CIDR notation that URLs from certificates may lead to though they are not public. */
  allow: setting(
    list(text(/^[0-9a-fA-F:.]+\/\d{1,3}$/, 'ranges such as 10.0.0.0/8'), { least: 0, of: 'ranges' }),
  ),
}
/** What the staple function is told at deploy time. */
export type StapleConfiguration = Values<typeof CONFIGURATION>

/**
 * @param read gives the text of a file beside the function: a function's environment holds 4 kB, some 30 certificates,
 * so more of them stand in one. In `value` they are then `{"file":"<its name>"}`, in it `{"certificates":[…]}`.
 * @throws TicketringError `configuration-invalid` that lists every problem.
 */
export function parseStapleConfiguration(
  value: string | undefined,
  read: (file: string) => string = noFile,
): StapleConfiguration {
  const fields = { ...CONFIGURATION, certificates: setting(placed(read)) }
  return readVariable(value, {
    name: STAPLES_VARIABLE,
    construct: 'OcspStapling',
    kind: object(fields),
  })
}

/** The inverse of {@link parseStapleConfiguration}. */
export function serialiseStapleConfiguration(configuration: StapleConfiguration): string {
  return JSON.stringify(configuration)
}

/** Certificates, or the name of the file that has them. */
function placed(read: (file: string) => string): typeof certificates {
  const named = object({ file: setting(text(/^[a-z]+\.json$/, 'a file name')) })
  return {
    read(value, place, earlier) {
      if (typeof value !== 'object' || value === null || Array.isArray(value))
        return certificates.read(value, place, earlier)
      const { file } = named.read(value, place, {})
      if (file === '') return []
      const held = parseJson(read(file), file, 'configuration-invalid')
      return object({ certificates: setting(certificates) }).read(held, place.at(file), {}).certificates
    },
  }
}

function noFile(file: string): never {
  throw new TicketringError('configuration-invalid', {
    wanted: `the file ${file} beside the function`,
    came: 'none',
  })
}
