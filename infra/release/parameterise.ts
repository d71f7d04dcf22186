import { join } from 'node:path'
import { outputHead } from '../fleet/outputs.ts'
import { conditionOf, conditionsFor, optionOfResource, rulesFor } from './options.ts'
import { type Json, PARAMETERS, type Parameter } from './parameters.ts'
import { type Replacements, replacements, substitute } from './substitution.ts'
import type { ReleasedCode } from './template.ts'

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
    const option = optionOfResource(id)
    const condition = option === undefined ? {} : { Condition: conditionOf(option) }
    return [id, { ...resource, ...condition, Properties: properties }] as const
  })
  const all = replacements(documentNames(resources))
  // A bootstrapped environment is what the CDK's own assets need.
  const { Rules: _, Resources: __, Parameters, Outputs, ...rest } = template
  const { BootstrapVersion: ___, ...asked } = Parameters as Json
  const parts = {
    Resources: substitute(Object.fromEntries(released), all),
    ...(Outputs === undefined ? {} : { Outputs: substitute(withoutHead(Outputs as Json), all) }),
  }
  const Conditions = conditionsFor(JSON.stringify(parts))
  const declared = declaredFor(JSON.stringify({ ...parts, Conditions }))
  const rules = rulesFor(declared)
  return {
    template: {
      AWSTemplateFormatVersion: '2010-09-09',
      ...rest,
      Parameters: { ...asked, ...declared },
      ...(rules === undefined ? {} : { Rules: rules }),
      Conditions,
      ...parts,
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

/**
 * A document's name follows from its content, which parameters change: CloudFormation makes one up, a new one for each
 * content, which begins with the stack's name.
 */
function documentNames(resources: readonly (readonly [string, Resource])[]): Replacements {
  const documents = resources.filter(([, { Type }]) => Type === 'AWS::SSM::Document')
  return documents.flatMap(([id, { Properties }]) => {
    const name = String(Properties.Name)
    return [
      { text: name, reference: `\${${id}}` },
      { text: name.replace(/[0-9a-f]{12}$/, '?'.repeat(12)), reference: `\${AWS::StackName}-*` },
    ]
  })
}

/** Those that the text refers to: CloudFormation would ask for the others too. */
function declaredFor(text: string): Json {
  const referred = Object.entries<Parameter>(PARAMETERS).filter(([name]) => refersTo(text, name))
  return Object.fromEntries(
    referred.map(([name, { default: normal, pattern, most, description }]) => [
      name,
      {
        Type: 'String',
        ...(normal === undefined ? {} : { Default: normal }),
        AllowedPattern: pattern,
        ...(most === undefined ? {} : { MaxLength: most }),
        Description: description,
      },
    ]),
  )
}

function refersTo(text: string, parameter: string): boolean {
  return text.includes(`\${${parameter}}`) || text.includes(`{"Ref":"${parameter}"}`)
}
