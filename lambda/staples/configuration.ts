import {
  type DocumentReference,
  type FleetTarget,
  parseDocumentReference,
  parseFleetTarget,
  requireVariable,
} from '../fleet/configuration.ts'
import { TicketringError } from '../kernel/errors.ts'
import { Fields } from '../kernel/fields.ts'

/** Name of the staple function's one environment variable: {@link StapleConfiguration} as JSON. */
export const STAPLES_VARIABLE = 'TICKETRING_STAPLES'

/** Where a certificate's PEM chain is: the certificate first, its issuers after it in any order, no key needed. */
export type ChainSource =
  | { readonly parameter: string }
  /** ARN of a secret whose string is the chain or, with `field`, a JSON object that has it there. */
  | { readonly secret: string; readonly field?: string }

/** One certificate as configured. */
export interface CertificateSetting {
  readonly name: string
  readonly chain: ChainSource
  /** Asks this responder instead of those that the certificate names: the owner's word, so any address may be meant. */
  readonly url?: string
  /** HTTP proxy to go through, such as `http://proxy.internal:3128`. */
  readonly proxy?: string
  /** Hash of the CertID. HAProxy knows SHA-1 alone. */
  readonly hash: 'sha1' | 'sha256'
  /** What to do with a response that says revoked. */
  readonly revoked: 'staple' | 'withhold'
  /** Whether a must-staple certificate loses its staple ahead of the end, or keeps it until the last run before that. */
  readonly mustStaple: 'withdraw' | 'keep-until-end'
  /** Accept SHA-1 as the hash of a signature. */
  readonly allowSha1?: boolean
  /** Seconds that a response without nextUpdate counts; without it such a response is refused. */
  readonly maxAge?: number
}

/** What the staple function is told at deploy time. */
export interface StapleConfiguration {
  readonly set: string
  readonly certificates: readonly CertificateSetting[]
  readonly document: DocumentReference
  readonly target: FleetTarget
  /** Prefix of the parameters that hold the staples, such as `/ticketring/staples/edge`. */
  readonly store: string
  /** Name of the parameter that holds the delivery record. */
  readonly record: string
  readonly timing: StapleTiming
  /** Whether a machine of the target runs HAProxy, which drops a staple five minutes early. */
  readonly haproxy: boolean
  /** Ranges in CIDR notation that URLs from certificates may lead to though they are not public. */
  readonly allow: readonly string[]
}

/** Durations in whole seconds. */
export interface StapleTiming {
  /** From one scheduled run to the next. */
  readonly tick: number
  /** No refresh sooner than this after a success. */
  readonly least: number
  /** No later than this after a success. */
  readonly most: number
  /** How long a command may wait for an instance, then run there. */
  readonly delivery: number
  readonly execution: number
}

const CODE = 'configuration-invalid'
const CERTIFICATE_NAME = /^[A-Za-z0-9][A-Za-z0-9._*-]{0,63}$/
const CIDR = /^[0-9a-fA-F:.]+\/\d{1,3}$/

/**
 * @param read gives the text of a file beside the function: a function's environment holds 4 kB, some 30 certificates,
 * so more of them stand in one. In `text` they are then `{"file":"<its name>"}`, in it `{"certificates":[…]}`.
 * @throws TicketringError `configuration-invalid` naming the field.
 */
export function parseStapleConfiguration(
  text: string | undefined,
  read: (file: string) => string = noFile,
): StapleConfiguration {
  const variable = requireVariable(text, STAPLES_VARIABLE, 'OcspStapling')
  const fields = Fields.ofJson(variable, 'the configuration', CODE, [
    'set',
    'certificates',
    'document',
    'target',
    'store',
    'record',
    'timing',
    'haproxy',
    'allow',
  ])
  const certificates = parseCertificates(fields, read)
  if (new Set(certificates.map(({ name }) => name)).size < certificates.length)
    fields.refuse('certificates', 'a list in which each name stands once')
  return Object.freeze({
    set: fields.name('set', 'a name of a set'),
    certificates,
    document: parseDocumentReference(fields.raw('document')),
    target: parseFleetTarget(fields.raw('target')),
    store: fields.string('store', /^\/.*[^/]$/, 'the prefix of parameter names'),
    record: fields.string('record', /^\//, 'a parameter name'),
    timing: parseTiming(fields.raw('timing')),
    haproxy: fields.boolean('haproxy'),
    allow: fields.list('allow', (value) => {
      const range = stringOr(value, () => fields.refuse('allow', 'address ranges'))
      return CIDR.test(range) ? range : fields.refuse('allow', 'ranges such as 10.0.0.0/8')
    }),
  })
}

/** The inverse of {@link parseStapleConfiguration}. */
export function serialiseStapleConfiguration(configuration: StapleConfiguration): string {
  return JSON.stringify(configuration)
}

function parseCertificates(
  fields: Fields,
  read: (file: string) => string,
): StapleConfiguration['certificates'] {
  const value = fields.raw('certificates')
  if (typeof value !== 'object' || Array.isArray(value))
    return fields.list('certificates', parseCertificateSetting)
  const file = Fields.of(value, 'certificates', CODE, ['file']).string(
    'file',
    /^[a-z]+\.json$/,
    'a file name',
  )
  return Fields.ofJson(read(file), file, CODE, ['certificates']).list('certificates', parseCertificateSetting)
}

function noFile(file: string): never {
  throw new TicketringError(CODE, { wanted: `the file ${file} beside the function`, came: 'none' })
}

/** As at synth: what is written there is read here. */
export const CERTIFICATE_FIELDS = [
  'name',
  'chain',
  'url',
  'proxy',
  'hash',
  'revoked',
  'mustStaple',
  'allowSha1',
  'maxAge',
] as const satisfies readonly (keyof CertificateSetting)[]

function parseCertificateSetting(value: unknown): CertificateSetting {
  const fields = Fields.of(value, 'a certificate', CODE, CERTIFICATE_FIELDS)
  return {
    name: fields.string('name', CERTIFICATE_NAME, 'a name of letters, digits, dots and dashes'),
    chain: parseChainSource(fields.raw('chain')),
    ...(fields.has('url') ? { url: parseUrl(fields, 'url', ['http:', 'https:']) } : {}),
    ...(fields.has('proxy') ? { proxy: parseUrl(fields, 'proxy', ['http:']) } : {}),
    hash: fields.oneOf('hash', ['sha1', 'sha256'] as const),
    revoked: fields.oneOf('revoked', ['staple', 'withhold'] as const),
    mustStaple: fields.oneOf('mustStaple', ['withdraw', 'keep-until-end'] as const),
    ...(fields.has('allowSha1') ? { allowSha1: fields.boolean('allowSha1') } : {}),
    ...(fields.has('maxAge') ? { maxAge: fields.integer('maxAge', 1) } : {}),
  }
}

function parseChainSource(value: unknown): ChainSource {
  const fields = Fields.of(value, 'chain', CODE, ['parameter', 'secret', 'field'])
  if (fields.has('parameter') === fields.has('secret')) fields.refuse('parameter', 'a name, or else "secret"')
  if (fields.has('parameter')) {
    if (fields.has('field')) fields.refuse('field', 'absent: only a secret has fields')
    return { parameter: fields.string('parameter') }
  }
  const secret = fields.string('secret', /^arn:/, 'an ARN')
  return fields.has('field') ? { secret, field: fields.string('field') } : { secret }
}

function parseUrl(fields: Fields, name: string, schemes: readonly string[]): string {
  const text = fields.string(name)
  const url = URL.canParse(text) ? new URL(text) : undefined
  const fits =
    url !== undefined && schemes.includes(url.protocol) && url.username === '' && url.password === ''
  if (!fits) fields.refuse(name, `a URL of ${schemes.join(' or ')} without credentials`)
  return text
}

function parseTiming(value: unknown): StapleTiming {
  const names = ['tick', 'least', 'most', 'delivery', 'execution'] as const
  const fields = Fields.of(value, 'timing', CODE, names)
  const timing = {
    tick: fields.integer('tick', 1),
    least: fields.integer('least', 1),
    most: fields.integer('most', 1),
    delivery: fields.integer('delivery', 1),
    execution: fields.integer('execution', 1),
  }
  if (timing.most < timing.least) fields.refuse('most', 'no less than "least"')
  return timing
}

function stringOr(value: unknown, refuse: () => never): string {
  return typeof value === 'string' && value !== '' ? value : refuse()
}
