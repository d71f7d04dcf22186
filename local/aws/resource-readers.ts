/** The resources of a template, each as what a service here works with. All throw LoopbackError for what is not modelled. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { type Account, letters, roleName } from './account.ts'
import { LoopbackError } from './aws-error.ts'
import type { DurationOverride } from './contract.ts'
import type { CommandDocument } from './document.ts'
import type { FunctionDeployment } from './function-environment.ts'
import { parseRate } from './rate-expression.ts'
import type { DeclaredRotation, DeclaredSchedule, DeclaredSecret } from './stack.ts'
import type { Association } from './state-manager.ts'
import type { TemplateResource } from './template.ts'

export interface Surroundings {
  readonly account: Account
  readonly assembly: string
  readonly timing: DurationOverride
}

const TAGS = z
  .array(z.object({ Key: z.string(), Value: z.string() }))
  .default([])
  .transform((tags) => Object.fromEntries(tags.map(({ Key, Value }) => [Key, Value])))

export function readSecret(resource: TemplateResource, account: Account): DeclaredSecret {
  const { SecretString, KmsKeyId, Tags, ReplicaRegions } = parse(resource, {
    SecretString: z.string().default(letters(account, 32)),
    KmsKeyId: z.string().optional(),
    Tags: TAGS,
    ReplicaRegions: z.array(z.unknown()).default([]),
  })
  if (ReplicaRegions.length > 0)
    throw new LoopbackError(`${resource.logicalId}: there is one Region only here`)
  const { logicalId, identity } = resource
  return {
    logicalId,
    name: identity.name,
    arn: identity.ref,
    keyArn: KmsKeyId,
    value: SecretString,
    tags: Tags,
  }
}

export function readFunction(
  resource: TemplateResource,
  around: Surroundings,
  retryAttempts: number,
): FunctionDeployment {
  const { logicalId, identity } = resource
  const properties = parse(resource, {
    Handler: z.string(),
    Role: z.string(),
    Code: z.object({ S3Key: z.string() }),
    Environment: z.object({ Variables: z.record(z.string(), z.string()) }).default({ Variables: {} }),
    Timeout: z.number().default(3),
    MemorySize: z.number().default(128),
    ReservedConcurrentExecutions: z.number().optional(),
    LoggingConfig: z.object({ LogGroup: z.string().optional() }).default({}),
  })
  const taskRoot = join(around.assembly, `asset.${properties.Code.S3Key.replace(/\.zip$/, '')}`)
  if (!existsSync(taskRoot)) throw new LoopbackError(`${logicalId}: the assembly has no ${taskRoot}`)
  const { Variables } = properties.Environment
  const { name } = identity
  return {
    logicalId,
    name,
    arn: identity.attributes.Arn ?? '',
    // Asked for at each start of a process, so that an override may change its mind.
    get environment() {
      return around.timing.environment?.(Variables, { logicalId, name }) ?? Variables
    },
    role: roleName(properties.Role),
    taskRoot,
    handler: properties.Handler,
    timeout: properties.Timeout,
    memory: properties.MemorySize,
    logGroup: properties.LoggingConfig.LogGroup ?? `/aws/lambda/${name}`,
    reservedConcurrency: properties.ReservedConcurrentExecutions,
    retryAttempts,
  }
}

/** Lambda's default is two retries. */
export function retriesOf(
  { identity }: TemplateResource,
  configurations: readonly TemplateResource[],
): number {
  const mine = configurations.find(({ properties }) => properties.FunctionName === identity.name)
  return mine === undefined ? 2 : Number(mine.properties.MaximumRetryAttempts ?? 2)
}

export function readAssociation(
  resource: TemplateResource,
  documents: readonly CommandDocument[],
): Association {
  const { Name, DocumentVersion, Parameters, Targets, MaxConcurrency, ScheduleExpression } = parse(resource, {
    Name: z.string(),
    DocumentVersion: z.enum(['1', '$LATEST', '$DEFAULT']).default('$DEFAULT'),
    Parameters: z.record(z.string(), z.array(z.string())).default({}),
    Targets: z.array(z.object({ Key: z.string(), Values: z.array(z.string()) })),
    MaxConcurrency: z.string().default('50'),
    ScheduleExpression: z.string().optional(),
  })
  const document = documents.find(({ name }) => name === Name)
  const { logicalId, identity } = resource
  if (!document) throw new LoopbackError(`${logicalId}: no document ${Name} of version ${DocumentVersion}`)
  return {
    logicalId,
    name: identity.name,
    document,
    parameters: Parameters,
    targets: Targets.map(({ Key, Values }) => ({ key: Key, values: Values })),
    maxConcurrency: MaxConcurrency,
    period: ScheduleExpression === undefined ? undefined : associationPeriod(ScheduleExpression, logicalId),
  }
}

/** Source: Systems Manager user guide, cron and rate expressions. */
function associationPeriod(expression: string, logicalId: string): number {
  const seconds = parseRate(expression, logicalId)
  if (seconds >= 30 * 60) return seconds
  throw new LoopbackError(`${logicalId}: State Manager's least rate is 30 minutes, not ${expression}`)
}

export function readSchedule(resource: TemplateResource): DeclaredSchedule {
  const { ScheduleExpression, State, FlexibleTimeWindow, GroupName, Target } = parse(resource, {
    ScheduleExpression: z.string(),
    State: z.enum(['ENABLED', 'DISABLED']).default('ENABLED'),
    FlexibleTimeWindow: z.object({ Mode: z.string(), MaximumWindowInMinutes: z.number().default(0) }),
    GroupName: z.string().default('default'),
    Target: z.object({
      Arn: z.string(),
      RoleArn: z.string(),
      Input: z.string().default('{}'),
      RetryPolicy: z.object({ MaximumRetryAttempts: z.number().default(185) }).prefault({}),
      DeadLetterConfig: z.object({ Arn: z.string() }).optional(),
    }),
  })
  return {
    logicalId: resource.logicalId,
    name: resource.identity.name,
    enabled: State === 'ENABLED',
    period: parseRate(ScheduleExpression, resource.logicalId),
    window: FlexibleTimeWindow.MaximumWindowInMinutes * 60,
    group: GroupName,
    target: {
      arn: Target.Arn,
      role: roleName(Target.RoleArn),
      input: Target.Input,
      retryAttempts: Target.RetryPolicy.MaximumRetryAttempts,
      deadLetters: Target.DeadLetterConfig?.Arn,
    },
  }
}

export function readRotation(resource: TemplateResource): DeclaredRotation {
  const { SecretId, RotationLambdaARN, RotationRules, RotateImmediatelyOnUpdate } = parse(resource, {
    SecretId: z.string(),
    RotationLambdaARN: z.string(),
    RotationRules: z.object({ ScheduleExpression: z.string().optional() }).default({}),
    RotateImmediatelyOnUpdate: z.boolean().default(true),
  })
  return {
    logicalId: resource.logicalId,
    secret: SecretId,
    functionArn: RotationLambdaARN,
    expression: RotationRules.ScheduleExpression,
    immediately: RotateImmediatelyOnUpdate,
  }
}

/** The properties that matter here; others (descriptions, runtimes) change nothing a loopback could show. */
function parse<Shape extends z.ZodRawShape>(
  { logicalId, properties }: TemplateResource,
  shape: Shape,
): z.infer<z.ZodObject<Shape>> {
  const parsed = z.object(shape).safeParse(properties)
  if (parsed.success) return parsed.data as z.infer<z.ZodObject<Shape>>
  throw new LoopbackError(`${logicalId}: ${z.prettifyError(parsed.error)}`)
}
