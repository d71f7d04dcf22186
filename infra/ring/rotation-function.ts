import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import type { Construct } from 'constructs'
import {
  ROTATION_VARIABLE,
  type RotationConfiguration,
  serialiseRotationConfiguration,
} from '../../lambda/ring/configuration.ts'
import { arnOf, type Wildcards } from '../fleet/arns.ts'
import type { FleetDelivery } from '../fleet/delivery.ts'
import type { FleetDocument } from '../fleet/document.ts'
import { DELIVERY_SECONDS, FleetFunction } from '../fleet/function.ts'
import { controlName, functionName, recordName, statusName } from '../fleet/names.ts'
import type { LogKeeping } from '../fleet/operations.ts'
import type { RingConfiguration } from './configuration.ts'
import { executionOf } from './document.ts'
import type { RingSecret } from './secret.ts'

/** From one reconcile tick to the next, in minutes. */
export const TICK_MINUTES = 5

interface RotationFunctionProps {
  readonly ring: RingConfiguration
  readonly secret: RingSecret
  readonly document: FleetDocument
  readonly delivery: FleetDelivery
  readonly logs: LogKeeping | undefined
  /** Seconds by which a schedule may fire early. */
  readonly window: number
}

/** Creates the function that turns one ring. */
export function createRotationFunction(
  scope: Construct,
  id: string,
  props: RotationFunctionProps,
): FleetFunction {
  const { ring, secret, delivery } = props
  const { name, rotation } = ring
  return new FleetFunction(scope, id, {
    name: functionName(name),
    description: `Turns ticket ring ${name} and has the fleet prove it`,
    entry: 'rotate.ts',
    memory: 256,
    logs: props.logs,
    variable: [ROTATION_VARIABLE, serialiseRotationConfiguration(rotationConfiguration(props))],
    role: { description: `Rotates ticket ring ${name}`, policy: 'rotate' },
    statements: [
      ...secret.rotationStatements(rotation.trigger),
      ...(rotation.trigger === 'secrets-manager' ? [letRotateSecretInvoke(scope, name)] : []),
      ...delivery.statements(),
      ...lookAtAlarms(ring),
      ...lookAtCalendars(scope, ring),
      new PolicyStatement({
        sid: 'KeepRecordAndControl',
        actions: ['ssm:GetParameters', 'ssm:PutParameter'],
        resources: parametersOf(scope, name),
      }),
    ],
    wildcards: withAlarms(ring, delivery.wildcards()),
  })
}

/** Creates the function that looks at one ring and can do nothing else: it reads no key, and writes nothing but its log. */
export function createRingStatusFunction(
  scope: Construct,
  id: string,
  props: RotationFunctionProps,
): IFunction {
  const { ring, secret, delivery } = props
  const { name } = ring
  const { handler } = new FleetFunction(scope, id, {
    name: statusName(name),
    description: `Looks at ticket ring ${name}`,
    entry: 'rotate.ts',
    looks: true,
    memory: 256,
    logs: props.logs,
    variable: [ROTATION_VARIABLE, serialiseRotationConfiguration(rotationConfiguration(props))],
    role: { description: `Looks at ticket ring ${name}`, policy: 'look' },
    statements: [
      ...secret.lookStatements(),
      ...delivery.lookStatements(),
      ...lookAtAlarms(ring),
      ...lookAtCalendars(scope, ring),
      new PolicyStatement({
        sid: 'ReadRecordAndControl',
        actions: ['ssm:GetParameters'],
        resources: parametersOf(scope, name),
      }),
    ],
    wildcards: withAlarms(ring, delivery.lookWildcards()),
  })
  return handler
}

/** Neither is in the template: a deploy, or one that is undone, must not undo what is on record or what operators set. */
function parametersOf(scope: Construct, ring: string): string[] {
  return [recordName(ring), controlName(ring)].map((name) => arnOf(scope, 'ssm', `parameter${name}`))
}

/** The calendars that hold rotations: each by its own ARN. */
function lookAtCalendars(
  scope: Construct,
  { rotation: { calendars } }: RingConfiguration,
): PolicyStatement[] {
  if (calendars === undefined) return []
  const resources = calendars.map((each) =>
    each.startsWith('arn:') ? each : arnOf(scope, 'ssm', `document/${each}`),
  )
  return [
    new PolicyStatement({ sid: 'SeeWhetherCalendarsAreOpen', actions: ['ssm:GetCalendarState'], resources }),
  ]
}

/** The alarms that the canary's soak looks at. */
function lookAtAlarms({ canary }: RingConfiguration): PolicyStatement[] {
  if (!watchesAlarms(canary)) return []
  const actions = ['cloudwatch:DescribeAlarms']
  // Source: DescribeAlarms: "you must be signed on with permission scoped to *" to be told of composite alarms.
  return [new PolicyStatement({ sid: 'SeeAlarmsOfTheCanary', actions, resources: ['*'] })]
}

function watchesAlarms(canary: RingConfiguration['canary']): boolean {
  return canary !== undefined && canary.stopOnAlarms.length > 0
}

function withAlarms({ canary }: RingConfiguration, wildcards: Wildcards): Wildcards {
  if (!watchesAlarms(canary)) return wildcards
  return {
    ...wildcards,
    '*': `${wildcards['*']}; cloudwatch:DescribeAlarms tells of composite alarms at * alone`,
  }
}

/** RotateSecret asks whether its caller may invoke the rotation function. */
function letRotateSecretInvoke(scope: Construct, ring: string): PolicyStatement {
  return new PolicyStatement({
    sid: 'HaveSecretsManagerRotate',
    actions: ['lambda:InvokeFunction'],
    // By name: a reference would make the role wait for the function and the function for the role.
    resources: [arnOf(scope, 'lambda', `function:${functionName(ring)}`)],
  })
}

function rotationConfiguration({
  ring: { name, targets, canary, servers, rotation, mode },
  secret,
  document,
  window,
}: RotationFunctionProps): RotationConfiguration {
  const { trigger, every, ticketLifetime, maxKeyAge, start, mayLag, calendars } = rotation
  return {
    ring: name,
    secret: secret.arn,
    document: { name: document.name, version: document.version, script: document.script },
    target: targets,
    mode,
    record: recordName(name),
    control: controlName(name),
    timing: {
      every,
      window,
      ticketLifetime,
      maxKeyAge,
      tick: TICK_MINUTES * 60,
      delivery: DELIVERY_SECONDS,
      execution: executionOf(servers),
    },
    announcedAtMost: ticketLifetime,
    ...(canary === undefined ? {} : { canary }),
    trigger,
    ...(start === undefined ? {} : { start }),
    ...(mayLag === undefined ? {} : { mayLag }),
    ...(calendars === undefined ? {} : { calendars }),
  }
}
