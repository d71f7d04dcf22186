import type { IAlarmAction } from 'aws-cdk-lib/aws-cloudwatch'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import type { Construct } from 'constructs'

/** How the people who run it hear of it. */
export interface Operations {
  /**
   * Whom alarms tell.
   * @default - they change colour and nothing else
   */
  readonly alarms?: AlarmActions
  /**
   * Where the alarms are made that a silent function trips, such as a stack that only holds them: deleted with the functions
   * they would tell of nothing.
   * @default - beside the other alarms
   */
  readonly watch?: Construct
  /**
   * How logs are kept.
   * @default - for a year, under CloudWatch's own key
   */
  readonly logs?: LogKeeping
}

/** Whom alarms tell, such as an `SnsAction`. Without one they change colour and nothing else. */
export interface AlarmActions {
  /**
   * For what needs an operator now.
   * @default - no action
   */
  readonly page?: IAlarmAction
  /**
   * For what can wait for the morning.
   * @default - as `page`
   */
  readonly ticket?: IAlarmAction
  /**
   * Where docs/runbook.md is to be read, as a URL; alarms link to its headings.
   * @default 'docs/runbook.md'
   */
  readonly runbookUrl?: string
}

export interface LogKeeping {
  /**
   * Days, one of CloudWatch's own numbers.
   * @default 365
   */
  readonly retentionDays?: number
  /**
   * Encrypts the logs; its policy has to let the Region's `logs` service use it.
   * @default - CloudWatch's own key
   */
  readonly key?: IKey
}
