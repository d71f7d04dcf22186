import { z } from 'zod'
import { type Account, roleArn, roleName } from './account.ts'
import { LoopbackError } from './aws-error.ts'
import type { PolicyBook } from './policies.ts'
import type { TemplateResource } from './template.ts'

/** AWS's own policies that the stack may attach, as far as actions that exist here are concerned. */
const AWS_MANAGED: Readonly<Record<string, readonly string[]>> = {
  AWSLambdaBasicExecutionRole: ['logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:PutLogEvents'],
  AWSLambdaVPCAccessExecutionRole: ['logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:PutLogEvents'],
  AmazonSSMManagedInstanceCore: ['ssm:GetParameter', 'ssm:GetParameters'],
}

/** Puts what a resource says about permissions into the book: identity policies by role, resource policies by ARN. */
export function readPoliciesOf(
  { type, logicalId, identity, properties }: TemplateResource,
  book: PolicyBook,
  account: Account,
  resources: readonly TemplateResource[],
): void {
  switch (type) {
    case 'AWS::IAM::Role': {
      book.protect(roleArn(account, identity.name), `${logicalId}.Trust`, properties.AssumeRolePolicyDocument)
      for (const { PolicyName, PolicyDocument } of INLINE.parse(properties.Policies ?? [])) {
        book.attach(identity.name, `${logicalId}.${PolicyName}`, PolicyDocument)
      }
      for (const arn of z.array(z.string()).parse(properties.ManagedPolicyArns ?? [])) {
        attachManaged(identity.name, arn, book, resources)
      }
      return
    }
    case 'AWS::IAM::Policy':
    case 'AWS::IAM::ManagedPolicy':
      // A role that is only named, like a fleet's own, is outside the stack and gets the policy all the same.
      for (const role of z.array(z.string()).parse(properties.Roles ?? [])) {
        book.attach(roleName(role), logicalId, properties.PolicyDocument)
      }
      return
    case 'AWS::SecretsManager::ResourcePolicy':
      book.protect(String(properties.SecretId), logicalId, properties.ResourcePolicy)
      return
    case 'AWS::KMS::Key':
      book.protect(identity.attributes.Arn ?? '', logicalId, properties.KeyPolicy)
      return
    case 'AWS::Lambda::Permission': {
      const { functionArn, document } = permission(properties, resources)
      book.protect(functionArn, logicalId, document)
    }
  }
}

const INLINE = z.array(z.object({ PolicyName: z.string(), PolicyDocument: z.unknown() }))

/** A managed policy of the stack is counted where it stands in the template, once for each role. */
function attachManaged(
  role: string,
  arn: string,
  book: PolicyBook,
  resources: readonly TemplateResource[],
): void {
  const own = resources.find(
    ({ type, identity }) => type === 'AWS::IAM::ManagedPolicy' && identity.ref === arn,
  )
  if (own) {
    book.attach(role, own.logicalId, own.properties.PolicyDocument)
    return
  }
  const name = arn.replace(/^.*\//, '')
  const actions = AWS_MANAGED[name]
  if (!actions) throw new LoopbackError(`the managed policy ${arn} is not modelled here`)
  const Statement = [{ Effect: 'Allow', Action: actions, Resource: '*' }]
  book.attach(role, name, { Version: '2012-10-17', Statement }, false)
}

/** AddPermission turns a permission into a statement of the function's policy. */
function permission(properties: Record<string, unknown>, resources: readonly TemplateResource[]) {
  const { FunctionName, Action, Principal, SourceAccount, SourceArn } = z
    .object({
      FunctionName: z.string(),
      Action: z.string(),
      Principal: z.string(),
      SourceAccount: z.string().optional(),
      SourceArn: z.string().optional(),
    })
    .parse(properties)
  const target = resources.find(
    ({ type, identity }) =>
      type === 'AWS::Lambda::Function' && [identity.name, identity.attributes.Arn].includes(FunctionName),
  )
  const functionArn = target?.identity.attributes.Arn
  if (functionArn === undefined)
    throw new LoopbackError(`a permission names the unknown function ${FunctionName}`)
  const condition = {
    ...(SourceAccount === undefined ? {} : { StringEquals: { 'aws:SourceAccount': SourceAccount } }),
    ...(SourceArn === undefined ? {} : { ArnLike: { 'aws:SourceArn': SourceArn } }),
  }
  const statement = { Effect: 'Allow', Principal: { Service: Principal }, Action, Resource: functionArn }
  const Statement = [{ ...statement, ...(Object.keys(condition).length > 0 ? { Condition: condition } : {}) }]
  return { functionArn, document: { Version: '2012-10-17', Statement } }
}
