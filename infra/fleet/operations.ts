import type { IAlarmAction } from 'aws-cdk-lib/aws-cloudwatch'
import type { IKey } from 'aws-cdk-lib/aws-kms'

/** How the people who run it hear of it. */
export interface Operations {
  readonly alarms?: AlarmActions
  readonly logs?: LogKeeping
}

/** Whom alarms tell, such as an `SnsAction`. Without one they change colour and nothing else. */
export interface AlarmActions {
  /** For what needs an operator now. */
  readonly page?: IAlarmAction
  /** For what can wait for the morning; as `page` where there is none. */
  readonly ticket?: IAlarmAction
  /** Where docs/runbook.md is to be read, as a URL; alarms link to its headings. */
  readonly runbookUrl?: string
}

export interface LogKeeping {
  /** One of CloudWatch's own numbers; 365 where there is none. */
  readonly retentionDays?: number
  /** Encrypts the logs; its policy has to let the Region's `logs` service use it. */
  readonly key?: IKey
}
