import { RetentionDays } from 'aws-cdk-lib/aws-logs'
import type { Place } from '../../lambda/kernel/inspection.ts'
import { oneOf, text } from '../../lambda/kernel/kinds.ts'
import { object, optional, orEmpty, setting, type Values } from '../../lambda/kernel/settings.ts'
import { KEY_ARN } from '../fleet/arns.ts'

const TOPIC = 'the ARN of an SNS topic'
export const topic = text(/^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w-]{1,256}(\.fifo)?$/, TOPIC)

/** A description has 1,024 characters, and each alarm puts its own heading behind the URL. */
const runbookUrl = text(
  (value) =>
    value.length <= 500 &&
    URL.canParse(value) &&
    /^https?:$/.test(new URL(value).protocol) &&
    !value.includes('#'),
  'a URL of http or https without #',
)

/** Whom alarms tell. */
const ALARMS = {
  page: optional(topic, { says: 'ARN of the SNS topic of alarms that need an operator now' }),
  ticket: optional(topic, {
    says: 'ARN of the SNS topic of alarms that [can wait](runbook.md); without it all tell `page`',
  }),
  runbookUrl: optional(runbookUrl, {
    says: 'where you keep [the runbook](runbook.md), as a URL: alarms link to its headings',
  }),
}
export type AlarmConfiguration = Values<typeof ALARMS>

function refuseTicketAlone({ page, ticket }: AlarmConfiguration, place: Place): void {
  if (ticket !== undefined && page === undefined) place.at('page').note(`${TOPIC}, beside ticket`, undefined)
}

export const alarms = orEmpty(object(ALARMS, refuseTicketAlone))

/** The days that CloudWatch Logs takes; logs without an end are not offered. */
const DAYS = Object.values(RetentionDays).filter(
  (days) => typeof days === 'number' && days !== RetentionDays.INFINITE,
) as [number, ...number[]]

const LOGS = {
  retentionDays: setting(oneOf(...DAYS), {
    says: "days that the functions' logs are kept, of those that CloudWatch Logs knows",
    normal: RetentionDays.ONE_YEAR as number,
  }),
  key: optional(text(KEY_ARN, 'the ARN of a KMS key'), {
    says: "ARN of a KMS key of yours that encrypts them; its policy lets the Region's `logs` service use it",
  }),
}
export const logs = orEmpty(object(LOGS))
