import { Aws, Duration, Stack, Validations } from 'aws-cdk-lib'
import { PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { CfnPermission, type IFunction } from 'aws-cdk-lib/aws-lambda'
import { CfnSchedule, CfnScheduleGroup } from 'aws-cdk-lib/aws-scheduler'
import { CfnRotationSchedule } from 'aws-cdk-lib/aws-secretsmanager'
import { type IQueue, Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import type { Rotation } from './configuration.ts'
import { groupName } from './names.ts'
import type { RingSecret } from './ring-secret.ts'
import { TICK_MINUTES } from './rotation-function.ts'

/** Seconds by which a rotation may come earlier than T after the one before: as long as its schedule's window. */
export function windowSeconds({ every, trigger }: Rotation): number {
  // Secrets Manager's own window for hourly schedules is one hour: it takes none shorter.
  if (trigger === 'secrets-manager') return 3600
  return 60 * Math.min(15, Math.max(1, Math.floor(every / 60 / 16)))
}

interface RingSchedulesProps {
  readonly ring: string
  readonly rotation: Rotation
  readonly handler: IFunction
}

/** One schedule; `window` is how many minutes late it may fire. */
interface Wake {
  readonly name: string
  readonly minutes: number
  readonly window: number
  readonly event: object
}

/** Wakes a ring's function: every T to rotate, unless Secrets Manager does that, and on every tick to reconcile. */
export class RingSchedules extends Construct {
  /** Holds the events that Scheduler could not hand over. */
  readonly undelivered: IQueue
  readonly #group: CfnScheduleGroup
  readonly #handler: IFunction

  constructor(scope: Construct, id: string, { ring, rotation, handler }: RingSchedulesProps) {
    super(scope, id)
    this.#handler = handler
    this.#group = new CfnScheduleGroup(this, 'Group', { name: groupName(ring) })
    this.undelivered = this.#createQueue()
    const role = this.#createRole(ring)
    this.#wake(role, 'Reconcile', {
      name: `${groupName(ring)}-reconcile`,
      minutes: TICK_MINUTES,
      window: 0,
      event: { action: 'reconcile' },
    })
    if (rotation.trigger === 'secrets-manager') return
    this.#wake(role, 'Rotate', {
      name: `${groupName(ring)}-rotate`,
      minutes: rotation.every / 60,
      window: windowSeconds(rotation) / 60,
      event: { action: 'rotate', scheduledTime: '<aws.scheduler.scheduled-time>' },
    })
  }

  #createQueue(): Queue {
    const queue = new Queue(this, 'Undelivered', {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
    })
    Validations.of(queue).acknowledge({
      id: 'AwsSolutions-SQS3',
      reason: 'This is the dead-letter queue of the schedules',
    })
    return queue
  }

  #createRole(ring: string): Role {
    const stack = Stack.of(this)
    const group = `arn:${Aws.PARTITION}:scheduler:${stack.region}:${stack.account}:schedule-group/${groupName(ring)}`
    return new Role(this, 'Role', {
      description: `Wakes the rotation function of ring ${ring}`,
      assumedBy: new ServicePrincipal('scheduler.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': stack.account, 'aws:SourceArn': group } },
      }),
      inlinePolicies: {
        wake: new PolicyDocument({
          minimize: false,
          statements: [
            new PolicyStatement({
              sid: 'WakeTheFunction',
              actions: ['lambda:InvokeFunction'],
              resources: [this.#handler.functionArn],
            }),
            new PolicyStatement({
              sid: 'KeepWhatCouldNotBeHandedOver',
              actions: ['sqs:SendMessage'],
              resources: [this.undelivered.queueArn],
            }),
          ],
        }),
      },
    })
  }

  #wake(role: Role, id: string, { name, minutes, window, event }: Wake): void {
    new CfnSchedule(this, id, {
      // With the ring in it, though the group has it too: CloudFormation tells schedules apart by this name alone.
      name,
      groupName: this.#group.ref,
      scheduleExpression: `rate(${minutes} minutes)`,
      flexibleTimeWindow:
        window === 0 ? { mode: 'OFF' } : { mode: 'FLEXIBLE', maximumWindowInMinutes: window },
      target: {
        arn: this.#handler.functionArn,
        roleArn: role.roleArn,
        input: JSON.stringify(event),
        deadLetterConfig: { arn: this.undelivered.queueArn },
        // An event older than a tick has a younger one behind it that sees the same state.
        retryPolicy: { maximumRetryAttempts: 2, maximumEventAgeInSeconds: TICK_MINUTES * 60 },
      },
    })
  }
}

/**
 * Has Secrets Manager drive the rotation. In CloudFormation's terms: the L2 leaves the source account out of the
 * permission and gives the function's role more than it uses.
 */
export function rotateBySecretsManager(
  scope: Construct,
  { every }: Rotation,
  { secret, handler }: { readonly secret: RingSecret; readonly handler: IFunction },
): void {
  const permission = new CfnPermission(scope, 'SecretsManagerMayInvoke', {
    action: 'lambda:InvokeFunction',
    functionName: handler.functionArn,
    principal: 'secretsmanager.amazonaws.com',
    sourceAccount: Stack.of(scope).account,
  })
  const schedule = new CfnRotationSchedule(scope, 'RotationSchedule', {
    secretId: secret.arn,
    rotationLambdaArn: handler.functionArn,
    // The first tick makes the ring: a rotation at deploy time would meet a secret without one.
    rotateImmediatelyOnUpdate: false,
    rotationRules: {
      scheduleExpression: `rate(${every / 3600} hours)`,
      duration: `${windowSeconds({ every, trigger: 'secrets-manager' } as Rotation) / 3600}h`,
    },
  })
  // Secrets Manager invokes testSecret while the schedule is being created.
  schedule.addResourceDependency(permission)
}
