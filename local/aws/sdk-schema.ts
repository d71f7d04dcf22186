import * as logs from '@aws-sdk/client-cloudwatch-logs'
import * as secretsmanager from '@aws-sdk/client-secrets-manager'
import * as ssm from '@aws-sdk/client-ssm'

/**
 * A schema as the SDK's clients export it: a number for a plain type, a tuple for a named shape, either of them with
 * traits behind it, or a function that gives one.
 */
type Schema = number | readonly unknown[] | (() => Schema)

type Exports = Readonly<Record<string, unknown>>
const CLIENTS: Readonly<Record<string, Exports>> = { logs, secretsmanager, ssm }

/** What the first place of a named shape says. Source: the static schemas of `@smithy/types`. */
const [SIMPLE, LIST, MAP, STRUCTURE] = [0, 1, 2, 3]
/** Bits of a plain type that make a list or a map of it. */
const [LIST_OF, MAP_OF] = [64, 128]
/** Plain types as JSON 1.1 writes them: a time is a number of seconds, bytes are base64. */
const WRITTEN: Readonly<Record<number, string>> = {
  0: 'string',
  1: 'number',
  2: 'boolean',
  4: 'number',
  5: 'string',
  6: 'string',
  7: 'number',
  21: 'string',
}

/** Errors that any service may answer. Source: the API references' "Common Errors". */
const COMMON_ERRORS = new Set([
  'AccessDeniedException',
  'ExpiredTokenException',
  'IncompleteSignature',
  'InternalFailure',
  'SerializationException',
  'ThrottlingException',
  'UnknownOperationException',
  'ValidationException',
])

/** What is wrong with a request or an answer of an operation; nothing for a service that the SDK's clients here lack. */
export function misfits(
  service: string,
  operation: string,
  side: 'request' | 'answer',
  value: unknown,
): string[] {
  const client = CLIENTS[service]
  if (client === undefined) return []
  const schema = client[`${operation}$`] as readonly Schema[] | undefined
  if (schema === undefined) return [`the SDK knows no ${operation}`]
  return misfit(schema[side === 'request' ? 4 : 5] ?? 0, value, side)
}

/** Whether a service's clients know an error by this code. */
export function isKnownError(service: string, code: string): boolean {
  const client = CLIENTS[service]
  return client === undefined || COMMON_ERRORS.has(code) || `${code}$` in client
}

function misfit(schema: Schema, value: unknown, where: string): string[] {
  if (typeof schema === 'function') return misfit(schema(), value, where)
  if (typeof schema === 'number') return plainMisfit(schema, value, where)
  const [kind, name, , , ...rest] = schema
  // A member with traits: its own schema stands first.
  if (typeof name !== 'string') return misfit(kind as Schema, value, where)
  switch (kind) {
    case SIMPLE:
      return misfit(rest[0] as Schema, value, where)
    case LIST:
      return everyItem(rest[0] as Schema, value, where)
    case MAP:
      return everyValue(rest[1] as Schema, value, where)
    case STRUCTURE:
      return memberMisfits(rest as Structure, value, where)
    default:
      return [`${where}: a shape that is not modelled here`]
  }
}

type Structure = [names: readonly string[], schemas: readonly Schema[], required?: number]

function memberMisfits([names, schemas, required = 0]: Structure, value: unknown, where: string): string[] {
  if (!isObject(value)) return [`${where} is no structure`]
  const missing = names.slice(0, required).filter((name) => !(name in value))
  const found = Object.entries(value).flatMap(([name, member]) => {
    const schema = schemas[names.indexOf(name)]
    return schema === undefined ? [`${where}.${name} is unknown`] : misfit(schema, member, `${where}.${name}`)
  })
  return [...missing.map((name) => `${where}.${name} is missing`), ...found]
}

function plainMisfit(schema: number, value: unknown, where: string): string[] {
  if (schema & MAP_OF) return everyValue(schema & ~MAP_OF, value, where)
  if (schema & LIST_OF) return everyItem(schema & ~LIST_OF, value, where)
  const wanted = WRITTEN[schema]
  return typeof value === wanted ? [] : [`${where} is no ${wanted}`]
}

function everyItem(schema: Schema, value: unknown, where: string): string[] {
  if (!Array.isArray(value)) return [`${where} is no list`]
  return value.flatMap((item, index) => misfit(schema, item, `${where}[${index}]`))
}

function everyValue(schema: Schema, value: unknown, where: string): string[] {
  if (!isObject(value)) return [`${where} is no map`]
  return Object.entries(value).flatMap(([key, item]) => misfit(schema, item, `${where}.${key}`))
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
