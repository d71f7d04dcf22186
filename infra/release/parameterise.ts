import { join } from 'node:path'
import { outputHead } from '../fleet/outputs.ts'
import { PARAMETERS, type Parameter } from './parameters.ts'
import type { ReleasedCode } from './template.ts'

export type Json = Readonly<Record<string, unknown>>

interface Resource {
  readonly Type: string
  readonly Properties: Json
  readonly Metadata?: Json
}

/** Puts parameters into the place of their stand-ins, and the release's zip files in that of the CDK's assets. */
export function parameterise(
  template: Json,
  assembly: string,
): { readonly template: Json; readonly code: readonly ReleasedCode[] } {
  const resources = Object.entries(template.Resources as Readonly<Record<string, Resource>>)
  const code = new Map<string, ReleasedCode>()
  const released = resources.map(([id, { Metadata: _, ...resource }]) => {
    const properties = { ...resource.Properties }
    if (resource.Type === 'AWS::SSM::Document') delete properties.Name
    if (resource.Type === 'AWS::Lambda::Function') {
      const zip = codeOf(properties, assembly)
      code.set(zip.name, zip)
      properties.Code = { S3Bucket: { Ref: 'CodeBucket' }, S3Key: zip.name }
    }
    return [id, { ...resource, Properties: properties }] as const
  })
  const named = replacements(resources)
  // A bootstrapped environment is what the CDK's own assets need.
  const { Rules: _, Resources: __, Parameters, Outputs, ...rest } = template
  const { BootstrapVersion: ___, ...asked } = Parameters as Json
  const substituted = substitute(Object.fromEntries(released), named)
  return {
    template: {
      AWSTemplateFormatVersion: '2010-09-09',
      ...rest,
      Parameters: { ...asked, ...declaredFor(JSON.stringify(substituted)) },
      Resources: substituted,
      ...(Outputs === undefined ? {} : { Outputs: substitute(withoutHead(Outputs as Json), named) }),
    },
    code: [...code.values()],
  }
}

/** One ring has the stack for itself: its outputs are `Function`, `Status` and the like, whatever its name. */
function withoutHead(outputs: Json): Json {
  const head = outputHead(PARAMETERS.RingName.stand)
  return Object.fromEntries(Object.entries(outputs).map(([key, each]) => [key.replace(head, ''), each]))
}

function codeOf({ Code }: Json, assembly: string): ReleasedCode {
  const { S3Key } = Code as { readonly S3Key: string }
  return { directory: join(assembly, `asset.${S3Key.replace(/\.zip$/, '')}`), name: `ticketring-${S3Key}` }
}

/** Texts of the template, each with what CloudFormation puts there. */
type Replacements = readonly (readonly [text: string, reference: string])[]

/**
 * A document's name follows from its content, which parameters change: CloudFormation makes one up, a new one for each
 * content, which begins with the stack's name.
 */
function replacements(resources: readonly (readonly [string, Resource])[]): Replacements {
  const stands = Object.entries<Parameter>(PARAMETERS).flatMap(([name, { stand, within = ['*'] }]) =>
    within.map((around) => [around.replace('*', stand), around.replace('*', `\${${name}}`)] as const),
  )
  const documents = resources.filter(([, { Type }]) => Type === 'AWS::SSM::Document')
  const names = documents.flatMap(([id, { Properties }]) => {
    const name = String(Properties.Name)
    return [
      [name, `\${${id}}`],
      [name.replace(/[0-9a-f]{12}$/, '?'.repeat(12)), `\${AWS::StackName}-*`],
    ] as const
  })
  // The longer first: one holds another.
  return [...names, ...stands].toSorted(([one], [other]) => other.length - one.length)
}

/** The value with a `Fn::Sub` for each text that holds one of them. */
function substitute(value: unknown, named: Replacements): unknown {
  if (typeof value === 'string') return substituteText(value, named)
  if (Array.isArray(value)) return value.map((each) => substitute(each, named))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [keyOf(key, named), substitute(each, named)]),
  )
}

function substituteText(text: string, named: Replacements): unknown {
  if (!named.some(([each]) => text.includes(each))) return text
  const literal = text.replaceAll('${', '${!')
  return { 'Fn::Sub': named.reduce((done, [each, reference]) => done.replaceAll(each, reference), literal) }
}

/** CloudFormation substitutes nothing in a key. */
function keyOf(key: string, named: Replacements): string {
  if (!named.some(([each]) => key.includes(each))) return key
  throw new Error(`a parameter in the key ${key}, where CloudFormation knows none`)
}

/** Those that the text refers to: CloudFormation would ask for the others too. */
function declaredFor(text: string): Json {
  const referred = Object.entries<Parameter>(PARAMETERS).filter(([name]) => text.includes(`\${${name}}`))
  return Object.fromEntries(
    referred.map(([name, { default: normal, pattern, description }]) => [
      name,
      {
        Type: 'String',
        ...(normal === undefined ? {} : { Default: normal }),
        AllowedPattern: pattern,
        Description: description,
      },
    ]),
  )
}
