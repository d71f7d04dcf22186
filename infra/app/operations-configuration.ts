import { RetentionDays } from 'aws-cdk-lib/aws-logs'
import { KEY_ARN } from '../fleet/arns.ts'
import type { Section } from '../fleet/inspection.ts'

/** Whom alarms tell, as configured. */
export interface AlarmConfiguration {
  /** ARN of the SNS topic for what needs an operator now. */
  readonly page?: string
  /** The same, for what can wait for the morning; `page` where there is none. */
  readonly ticket?: string
  readonly runbookUrl?: string
}

export interface LogConfiguration {
  readonly retentionDays: number
  /** ARN of a KMS key of the owner's. */
  readonly key?: string
}

const TOPIC = /^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w-]{1,256}(\.fifo)?$/
const TOPIC_WANTED = 'the ARN of an SNS topic'

/** Reads whom alarms tell; `alarmTopic` alone means one topic for both. */
export function readAlarms(top: Section): AlarmConfiguration {
  if (top.has('alarmTopic')) {
    if (top.has('alarms')) top.refuse('alarmTopic', 'absent beside alarms, which names topics itself', '')
    const topic = top.text('alarmTopic', TOPIC, TOPIC_WANTED)
    return { page: topic }
  }
  const alarms = top.section('alarms', ['page', 'ticket', 'runbookUrl'], {})
  if (alarms.has('ticket') && !alarms.has('page')) alarms.refuse('page', `${TOPIC_WANTED}, beside ticket`, '')
  return {
    ...(alarms.has('page') ? { page: alarms.text('page', TOPIC, TOPIC_WANTED) } : {}),
    ...(alarms.has('ticket') ? { ticket: alarms.text('ticket', TOPIC, TOPIC_WANTED) } : {}),
    ...(alarms.has('runbookUrl') ? { runbookUrl: readRunbookUrl(alarms) } : {}),
  }
}

/** A description has 1,024 characters, and each alarm puts its own heading behind the URL. */
function readRunbookUrl(alarms: Section): string {
  const fits = (text: string) =>
    text.length <= 500 &&
    URL.canParse(text) &&
    /^https?:$/.test(new URL(text).protocol) &&
    !text.includes('#')
  return alarms.text('runbookUrl', fits, 'a URL of http or https without #')
}

export function readLogs(top: Section): LogConfiguration {
  const logs = top.section('logs', ['retentionDays', 'key'], {})
  return {
    retentionDays: logs.oneOf('retentionDays', DAYS, RetentionDays.ONE_YEAR),
    ...(logs.has('key') ? { key: logs.text('key', KEY_ARN, 'the ARN of a KMS key') } : {}),
  }
}

/** The days that CloudWatch Logs takes; logs without an end are not offered. */
const DAYS = Object.values(RetentionDays).filter(
  (days) => typeof days === 'number' && days !== RetentionDays.INFINITE,
) as [number, ...number[]]
