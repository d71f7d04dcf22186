import { Aws, Duration, Lazy, Stack, Validations } from 'aws-cdk-lib'
import { type IMetric, Metric } from 'aws-cdk-lib/aws-cloudwatch'
import { CfnRule } from 'aws-cdk-lib/aws-events'
import type { IGrantable } from 'aws-cdk-lib/aws-iam'
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { controlName, groupName, recordName, secretName } from '../fleet/names.ts'
import { changesByOthers, type Pattern, readsByOthers, ticksOfOurs, type Watched } from './access-patterns.ts'

interface AccessWatchProps {
  readonly ring: string
  /** Names of roles that may read the secret beside those of {@link AccessWatch.letRead}. */
  readonly readers: readonly string[]
  readonly secretArn: string
  /** Name of the rotation function's role. */
  readonly rotationRole: string
  /** Name of the document that carries the program. */
  readonly document: string
}

/** How often each happened, by EventBridge's own count, which costs nothing. */
export type AccessMetrics = Readonly<Record<'reads' | 'changes' | 'heard', IMetric>>

/** What is watched of one kind. */
interface Trace {
  readonly rule: string
  readonly pattern: Pattern
}

/**
 * Principals that read a ring's secret, or change it, its document or its records, and are none of the ring's: rules of EventBridge
 * on what CloudTrail tells of the account's management events. A queue keeps each such event for two weeks.
 */
export class AccessWatch extends Construct {
  readonly metrics: AccessMetrics
  /** Roles that are let read, by their names. */
  readonly #readers: string[]

  constructor(scope: Construct, id: string, props: AccessWatchProps) {
    super(scope, id)
    this.#readers = [...props.readers]
    const watched = this.#watched(props)
    const others = this.#keep('Others', Duration.days(14))
    const ours = this.#keep('Ours', Duration.minutes(1))
    const head = groupName(props.ring)
    this.metrics = {
      reads: this.#trace(
        'Reads',
        { rule: `${head}-read-by-others`, pattern: readsByOthers(watched) },
        others,
      ),
      changes: this.#trace(
        'Changes',
        { rule: `${head}-changed-by-others`, pattern: changesByOthers(watched) },
        others,
      ),
      heard: this.#trace('Heard', { rule: `${head}-heard`, pattern: ticksOfOurs(watched) }, ours),
    }
  }

  /** From now on this role reads without a page. A principal that is no role of a name is told of all the same. */
  letRead({ grantPrincipal }: IGrantable): void {
    if ('roleName' in grantPrincipal) this.#readers.push(String(grantPrincipal.roleName))
  }

  #watched({ ring, secretArn, rotationRole, document }: AccessWatchProps): Watched {
    const { account } = Stack.of(this)
    return {
      account,
      rotationRole: `arn:${Aws.PARTITION}:iam::${account}:role/${rotationRole}`,
      // Grants come after the rules.
      readers: Lazy.list({ produce: () => [rotationRole, ...this.#readers] }),
      // An ARN may lack its last six characters.
      secret: [secretArn, { suffix: secretName(ring) }],
      document: [{ suffix: document }],
      record: [{ suffix: recordName(ring) }],
      control: [{ suffix: controlName(ring) }],
    }
  }

  /** @param retention of what is kept; of what is only counted, the least there is. */
  #keep(id: string, retention: Duration): Queue {
    const queue = new Queue(this, id, {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: retention,
    })
    Validations.of(queue).acknowledge({
      id: 'AwsSolutions-SQS3',
      reason: 'Nothing takes messages from it: it keeps them for an operator, until they end',
    })
    return queue
  }

  /** @returns how often it happened. */
  #trace(id: string, { rule: name, pattern }: Trace, queue: Queue): IMetric {
    const rule = new CfnRule(this, id, {
      name,
      // Reads are told to no rule in the state ENABLED.
      state: 'ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS',
      eventPattern: pattern,
      targets: [{ id: 'Keep', arn: queue.queueArn }],
    })
    queue.addToResourcePolicy(
      new PolicyStatement({
        sid: id,
        actions: ['sqs:SendMessage'],
        principals: [new ServicePrincipal('events.amazonaws.com')],
        resources: [queue.queueArn],
        conditions: { ArnEquals: { 'aws:SourceArn': rule.attrArn } },
      }),
    )
    return new Metric({
      namespace: 'AWS/Events',
      metricName: 'TriggeredRules',
      // By name: the watch stack's alarm needs nothing of this one.
      dimensionsMap: { RuleName: name },
      statistic: 'Sum',
      period: Duration.minutes(5),
    })
  }
}
