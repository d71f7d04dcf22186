import { Duration, Stack, Validations } from 'aws-cdk-lib'
import { PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import { CfnSchedule, CfnScheduleGroup } from 'aws-cdk-lib/aws-scheduler'
import { type IQueue, Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { arnOf } from './arns.ts'

/** One schedule; `window` is how many minutes late it may fire. */
export interface Schedule {
  readonly name: string
  readonly minutes: number
  readonly window: number
  readonly event: object
}

interface SchedulesProps {
  /** Name of the schedule group. */
  readonly group: string
  /** Whom the schedules wake, in words. */
  readonly whom: string
  readonly handler: IFunction
  /** Minutes after which an undelivered event is given up: a younger one is behind it that sees the same state. */
  readonly tick: number
  readonly schedules: Readonly<Record<string, Schedule>>
  /** They are there, and wake nothing. */
  readonly isStopped?: boolean
}

/** The schedules that wake one function, with a queue for what could not be handed over. */
export class Schedules extends Construct {
  /** Holds the events that Scheduler could not hand over. */
  readonly undelivered: IQueue

  constructor(scope: Construct, id: string, props: SchedulesProps) {
    super(scope, id)
    const group = new CfnScheduleGroup(this, 'Group', { name: props.group })
    this.undelivered = this.#createQueue()
    const role = this.#createRole(props)
    for (const [each, wake] of Object.entries(props.schedules))
      this.#wake(each, wake, { ...props, group, role })
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

  #createRole({ group, whom, handler }: SchedulesProps): Role {
    return new Role(this, 'Role', {
      description: `Wakes ${whom}`,
      assumedBy: new ServicePrincipal('scheduler.amazonaws.com', {
        conditions: {
          StringEquals: {
            'aws:SourceAccount': Stack.of(this).account,
            'aws:SourceArn': arnOf(this, 'scheduler', `schedule-group/${group}`),
          },
        },
      }),
      inlinePolicies: {
        wake: new PolicyDocument({
          minimize: false,
          statements: [
            new PolicyStatement({
              sid: 'WakeTheFunction',
              actions: ['lambda:InvokeFunction'],
              resources: [handler.functionArn],
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

  #wake(
    id: string,
    { name, minutes, window, event }: Schedule,
    {
      group,
      role,
      handler,
      tick,
      isStopped = false,
    }: Pick<SchedulesProps, 'handler' | 'tick' | 'isStopped'> & { group: CfnScheduleGroup; role: Role },
  ): void {
    new CfnSchedule(this, id, {
      // With the group's name in it: CloudFormation tells schedules apart by this name alone.
      name,
      groupName: group.ref,
      ...(isStopped ? { state: 'DISABLED' } : {}),
      scheduleExpression: `rate(${minutes} minutes)`,
      flexibleTimeWindow:
        window === 0 ? { mode: 'OFF' } : { mode: 'FLEXIBLE', maximumWindowInMinutes: window },
      target: {
        arn: handler.functionArn,
        roleArn: role.roleArn,
        input: JSON.stringify(event),
        deadLetterConfig: { arn: this.undelivered.queueArn },
        retryPolicy: { maximumRetryAttempts: 2, maximumEventAgeInSeconds: tick * 60 },
      },
    })
  }
}
