import { createHash } from 'node:crypto'
import { type Account, arn, letters, roleArn, uuid } from './account.ts'
import { LoopbackError } from './aws-error.ts'

/** What `Ref` and `Fn::GetAtt` give for a resource. */
export interface Identity {
  readonly name: string
  readonly ref: string
  readonly attributes: Readonly<Record<string, string>>
}

interface Declared {
  readonly type: string
  readonly logicalId: string
  /** Name of its stack. */
  readonly stack: string
  /** A property, worked out. */
  readonly property: (name: string) => unknown
}

type Naming = (resource: Declared, account: Account) => Identity

/** Return values as the CloudFormation reference gives them, type by type. */
const NAMINGS: Readonly<Record<string, Naming>> = {
  'AWS::SecretsManager::Secret': (resource, account) => {
    const name = nameOf(resource, 'Name')
    const secret = arn(account, 'secretsmanager', `secret:${name}-${letters(account, 6)}`)
    return { name, ref: secret, attributes: { Id: secret } }
  },
  'AWS::SecretsManager::ResourcePolicy': plain,
  'AWS::SecretsManager::RotationSchedule': plain,
  'AWS::KMS::Key': ({ logicalId }, account) => {
    const id = uuid(account)
    return { name: logicalId, ref: id, attributes: { Arn: arn(account, 'kms', `key/${id}`), KeyId: id } }
  },
  'AWS::KMS::Alias': named('AliasName'),
  'AWS::IAM::Role': (resource, account) => {
    const name = nameOf(resource, 'RoleName')
    return { name, ref: name, attributes: { Arn: roleArn(account, name), RoleId: `AROA${hash(name, 16)}` } }
  },
  'AWS::IAM::Policy': named('PolicyName'),
  'AWS::IAM::ManagedPolicy': (resource, account) => {
    const name = nameOf(resource, 'ManagedPolicyName')
    const policy = `arn:aws:iam::${account.id}:policy/${name}`
    return { name, ref: policy, attributes: { PolicyArn: policy } }
  },
  'AWS::Lambda::Function': named('FunctionName', (name, account) => ({
    Arn: arn(account, 'lambda', `function:${name}`),
  })),
  'AWS::Lambda::Permission': plain,
  'AWS::Lambda::EventInvokeConfig': plain,
  'AWS::SSM::Document': named('Name'),
  'AWS::SSM::Association': (resource, account) => {
    const id = uuid(account)
    return { name: resource.logicalId, ref: id, attributes: { AssociationId: id } }
  },
  'AWS::SSM::Parameter': (resource) => {
    const name = nameOf(resource, 'Name')
    const attributes = { Type: String(resource.property('Type')), Value: String(resource.property('Value')) }
    return { name, ref: name, attributes }
  },
  'AWS::Scheduler::Schedule': named('Name', (name, account) => ({
    Arn: arn(account, 'scheduler', `schedule/default/${name}`),
  })),
  'AWS::Scheduler::ScheduleGroup': named('Name', (name, account) => ({
    Arn: arn(account, 'scheduler', `schedule-group/${name}`),
  })),
  'AWS::Logs::LogGroup': named('LogGroupName', (name, account) => ({
    Arn: arn(account, 'logs', `log-group:${name}:*`),
  })),
  'AWS::SNS::Topic': (resource, account) => {
    const name = nameOf(resource, 'TopicName')
    const topic = arn(account, 'sns', name)
    return { name, ref: topic, attributes: { TopicArn: topic, TopicName: name } }
  },
  'AWS::SNS::TopicPolicy': plain,
  'AWS::SNS::Subscription': plain,
  'AWS::SQS::Queue': (resource, account) => {
    const name = nameOf(resource, 'QueueName')
    const ref = `https://sqs.${account.region}.amazonaws.com/${account.id}/${name}`
    return { name, ref, attributes: { Arn: arn(account, 'sqs', name), QueueName: name, QueueUrl: ref } }
  },
  'AWS::SQS::QueuePolicy': plain,
  'AWS::CloudWatch::Alarm': named('AlarmName', (name, account) => ({
    Arn: arn(account, 'cloudwatch', `alarm:${name}`),
  })),
  'AWS::CloudWatch::CompositeAlarm': named('AlarmName', (name, account) => ({
    Arn: arn(account, 'cloudwatch', `alarm:${name}`),
  })),
  'AWS::CloudWatch::Dashboard': named('DashboardName'),
  'AWS::Events::Rule': named('Name', (name, account) => ({
    Arn: arn(account, 'events', `rule/${name}`),
  })),
  'AWS::CDK::Metadata': plain,
}

/** @throws LoopbackError for a type that is not modelled. */
export function identify(resource: Declared, account: Account): Identity {
  const naming = NAMINGS[resource.type]
  if (!naming) throw new LoopbackError(`${resource.logicalId}: ${resource.type} is not modelled here`)
  return naming(resource, account)
}

function plain(resource: Declared): Identity {
  return { name: resource.logicalId, ref: resource.logicalId, attributes: { Id: resource.logicalId } }
}

function named(
  property: string,
  attributes: (name: string, account: Account) => Record<string, string> = () => ({}),
): Naming {
  return (resource, account) => {
    const name = nameOf(resource, property)
    return { name, ref: name, attributes: attributes(name, account) }
  }
}

function nameOf(resource: Declared, property: string): string {
  const given = resource.property(property)
  return typeof given === 'string' ? given : `${resource.stack}${madeUpEnd(resource.logicalId)}`
}

/** Whether CloudFormation made the name up, from stack and logical id, since the template gives none. */
export function isMadeUp(name: string, logicalId: string): boolean {
  return name.endsWith(madeUpEnd(logicalId))
}

function madeUpEnd(logicalId: string): string {
  return `-${logicalId}-${hash(logicalId, 12)}`
}

function hash(text: string, length: number): string {
  return createHash('sha256').update(text).digest('hex').slice(0, length).toUpperCase()
}
