import { roleArn, uuid } from './account.ts'
import type { Context } from './authorisation.ts'
import { AwsError, LoopbackError } from './aws-error.ts'
import type { Retained } from './contract.ts'
import type { DeploymentParts } from './deployment.ts'
import { isMadeUp } from './resource-identity.ts'
import { Secret } from './secret-store.ts'
import { putVersion } from './secret-versions.ts'
import type { DeclaredSecret, Stack } from './stack.ts'
import type { TemplateResource } from './template.ts'

/** Nothing with a name of its own can be made where something of that name was left. @throws AwsError `AlreadyExists` */
export function refuseTwin(
  { type, logicalId, identity }: TemplateResource,
  retained: readonly Retained[],
): void {
  const twin = retained.find((each) => each.type === type && each.name === identity.name)
  // What the template does not name gets another name each time.
  const named = identity.name !== logicalId && !isMadeUp(identity.name, logicalId)
  if (twin === undefined || !named) return
  throw new AwsError('AlreadyExists', `${type} with the name ${identity.name} already exists`)
}

/** A policy is attached to roles that are there. @throws AwsError `NoSuchEntity` */
export function findRoles(
  { type, properties }: TemplateResource,
  { roles }: Stack,
  outside: readonly string[],
): void {
  if (type !== 'AWS::IAM::Policy' && type !== 'AWS::IAM::ManagedPolicy') return
  const known = [...roles.map(({ name }) => name), ...outside]
  const missing = [properties.Roles ?? []].flat().find((role) => !known.includes(String(role)))
  if (missing !== undefined)
    throw new AwsError('NoSuchEntity', `The role with name ${missing} cannot be found.`)
}

/** CloudFormation writes a value when it makes the secret, and again whenever the template's changes. */
export async function makeSecret(
  declared: DeclaredSecret,
  change: { readonly before: TemplateResource | undefined; readonly now: TemplateResource },
  { account, calls, faults, operator, secrets, secretsManager }: DeploymentParts,
): Promise<void> {
  const { value } = declared
  if (change.before === undefined) {
    const { caller } = calls.open('secretsmanager', 'CreateSecret', operator)
    await secretsManager.create(new Secret(declared, account, faults), value, uuid(account), caller)
  } else if (change.before.properties.SecretString !== change.now.properties.SecretString) {
    const version = { id: uuid(account), value, labels: ['AWSCURRENT'], now: account.now() }
    secrets.find(declared.arn).update((versions) => putVersion(versions, version))
  }
}

/** A service takes a role only if the role's trust policy lets it. Roles outside the stack are not ours to judge. */
export async function mayAssume(
  service: string,
  role: string,
  { roles }: Stack,
  { account, calls }: DeploymentParts,
  context: Context = {},
): Promise<void> {
  if (!roles.some(({ name }) => name === role)) return
  const { caller } = calls.open('sts', 'AssumeRole', { kind: 'service', arn: service, name: service })
  const all = { 'aws:SourceAccount': account.id, ...context }
  if (await caller.may('sts:AssumeRole', roleArn(account, role), all)) return
  throw new LoopbackError(`${service} may not assume the role ${role}`)
}
