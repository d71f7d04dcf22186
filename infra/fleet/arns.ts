import { Aws, Stack, Validations } from 'aws-cdk-lib'
import type { IConstruct } from 'constructs'
import { endpointSuffix } from './regions.ts'

/** Resources with a wildcard that a policy names, and why each has to be one. */
export type Wildcards = Readonly<Record<string, string>>

/** The whole ARN of a secret: its name and six characters of Secrets Manager's own. */
export const SECRET_ARN =
  /^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[\w/+=.@!-]{1,512}-[A-Za-z0-9]{6}$/
/** An alias will not do: policies compare ARNs of keys. */
export const KEY_ARN = /^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key\/[\w-]{1,128}$/

/** ARN of a resource in the stack's own Region and account. */
export function arnOf(scope: IConstruct, service: string, resource: string): string {
  const { region, account } = Stack.of(scope)
  return `arn:${Aws.PARTITION}:${service}:${region}:${account}:${resource}`
}

/**
 * What `kms:ViaService` says of a service in the stack's Region. Which suffix it has outside amazonaws.com is written
 * nowhere: either is the service itself, so a stack that names such a Region takes both.
 */
export function viaService(scope: IConstruct, service: string): string | string[] {
  const { region } = Stack.of(scope)
  const usual = 'amazonaws.com'
  const own = endpointSuffix(region) ?? usual
  const name = `${service}.${region}`
  return own === usual ? `${name}.${usual}` : [`${name}.${usual}`, `${name}.${own}`]
}

/** Tells cdk-nag why the policies of a role have wildcards. */
export function acknowledgeWildcards(role: IConstruct, wildcards: Wildcards): void {
  for (const [resource, reason] of Object.entries(wildcards)) {
    Validations.of(role).acknowledge({
      id: `AwsSolutions-IAM5[Resource::${asNagShows(role, resource)}]`,
      reason,
    })
  }
}

/** cdk-nag's finding for an ARN shows its references as `<AWS::Region>`. */
function asNagShows(scope: IConstruct, arn: string): string {
  const resolved: string | { 'Fn::Join': [string, (string | { Ref: string })[]] } =
    Stack.of(scope).resolve(arn)
  if (typeof resolved === 'string') return resolved
  return resolved['Fn::Join'][1].map((part) => (typeof part === 'string' ? part : `<${part.Ref}>`)).join('')
}
