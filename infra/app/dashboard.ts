import { Stack } from 'aws-cdk-lib'
import {
  Alarm,
  AlarmStatusWidget,
  Dashboard,
  GraphWidget,
  type IWidget,
  LogQueryVisualizationType,
  LogQueryWidget,
  MathExpression,
  SingleValueWidget,
  TextWidget,
} from 'aws-cdk-lib/aws-cloudwatch'
import type { ILogGroup } from 'aws-cdk-lib/aws-logs'
import type { Construct } from 'constructs'
import { groupName } from '../fleet/names.ts'
import { ACCESS_ALARMS } from '../ring/alarms.ts'
import type { TicketKeyRing } from '../ring/ticket-key-ring.ts'
import type { OcspStapling } from '../stapling/ocsp-stapling.ts'

/** Columns of a dashboard. */
const WIDE = 24

/** A ring, and what its dashboard names. */
export interface ShownRing {
  readonly name: string
  /** Seconds after which its keys are too old. */
  readonly maxKeyAge: number
  readonly construct: TicketKeyRing
}

export interface ShownSet {
  readonly name: string
  readonly construct: OcspStapling
}

/** One page for rings and sets, each in the order in which an operator asks: what is, since when, how near the limits, why. */
export function addDashboard(
  scope: Construct,
  id: string,
  { rings, sets }: { readonly rings: readonly ShownRing[]; readonly sets: readonly ShownSet[] },
): void {
  new Dashboard(scope, id, {
    // Dashboards belong to the account, whatever the Region.
    dashboardName: `ticketring-${Stack.of(scope).region}`,
    widgets: [...rings.map((ring) => ringWidgets(scope, ring)), ...sets.map(setWidgets)].flat(),
  })
}

function ringWidgets(scope: Construct, ring: ShownRing): readonly IWidget[][] {
  const { name, maxKeyAge, construct } = ring
  const [members, stragglers] = [construct.metricMembers(), construct.metricStragglers()]
  const confirmed = new MathExpression({
    expression: 'members - stragglers',
    usingMetrics: { members, stragglers },
    label: 'confirmed',
  })
  const codes = new MathExpression({
    expression: `SEARCH('{Ticketring,Ring,Code} Ring="${name}" MetricName="RingFailures"', 'Maximum')`,
    usingMetrics: {},
    label: '',
  })
  const events = [
    construct.metricRotationHeld(),
    construct.metricRotationForced(),
    construct.metricCanaryFailed(),
    construct.metricAuthBypass(),
    construct.metricLocalRing(),
    construct.metricDriftRepaired(),
    construct.metricControlInvalid(),
  ]
  return [
    [heading(`Ring ${name}`, `ticketring status ${name}`)],
    [
      new SingleValueWidget({
        title: 'now',
        width: 6,
        metrics: [confirmed, members, construct.metricKeyAge()],
      }),
      new GraphWidget({ title: 'machines: confirmed of all', width: 6, left: [members, confirmed] }),
      new GraphWidget({
        title: 'age of the key that encrypts: each fall is a new generation',
        width: 6,
        left: [construct.metricKeyAge()],
        leftAnnotations: [{ value: maxKeyAge, label: 'maxKeyAge' }],
      }),
      new GraphWidget({ title: 'held, forced, bypassed, local, drifted', width: 6, left: events }),
    ],
    [
      new GraphWidget({ title: 'machines that are behind, by code', width: 12, left: [codes] }),
      timesToProof(construct.logs),
    ],
    ...accessWidgets(scope, ring),
    [decisions(construct.logs)],
  ]
}

/** Of a ring that is watched for other principals: the alarms, one of which is in the watch stack, and what they count. */
function accessWidgets(scope: Construct, { name, construct }: ShownRing): readonly IWidget[][] {
  const { accessMetrics } = construct
  if (accessMetrics === undefined) return []
  const { reads, changes, heard } = accessMetrics
  const alarms = ACCESS_ALARMS.map((heading) => {
    const alarm = `${groupName(name)}-${heading}`
    return Alarm.fromAlarmName(scope, `Shown-${alarm}`, alarm)
  })
  return [
    [
      new AlarmStatusWidget({ title: 'other principals', width: 6, alarms }),
      new GraphWidget({ title: 'reads and changes by other principals', width: 9, left: [reads, changes] }),
      new GraphWidget({ title: 'calls of its own function that were heard', width: 9, left: [heard] }),
    ],
  ]
}

function setWidgets({ name, construct }: ShownSet): readonly IWidget[][] {
  const reasons = new MathExpression({
    expression: `SEARCH('{Ticketring,Set,Reason} Set="${name}" MetricName="StapleFailures"', 'Maximum')`,
    usingMetrics: {},
    label: '',
  })
  const counts = [
    construct.metricUndelivered(),
    construct.metricRevoked(),
    construct.metricWithdrawn(),
    construct.metricMustStaplesMissing(),
    construct.metricWithdrawalHeld(),
  ]
  return [
    [heading(`Staples ${name}`, `ticketring explain ${name} CERT`)],
    [
      new GraphWidget({
        title: 'life left of the response nearest its end, in percent',
        width: 8,
        left: [construct.metricLifeLeft()],
        leftAnnotations: [25, 10].map((value) => ({ value, label: `${value} %` })),
      }),
      new GraphWidget({ title: 'certificates that fail, by reason', width: 8, left: [reasons] }),
      new GraphWidget({ title: 'undelivered, revoked, withdrawn, missing, held', width: 8, left: counts }),
    ],
    [decisions(construct.logs)],
  ]
}

function heading(title: string, next: string): IWidget {
  return new TextWidget({ markdown: `## ${title}\n\`npx ${next}\``, width: WIDE, height: 2 })
}

/** How long it took until all that are waited for had applied a generation and proved it. */
function timesToProof(logs: ILogGroup): IWidget {
  return new LogQueryWidget({
    title: 'seconds from a generation to its proof, the slowest of each hour',
    width: 12,
    view: LogQueryVisualizationType.LINE,
    logGroupNames: [logs.logGroupName],
    queryLines: ["filter kind = 'converged'", 'stats max(seconds) as slowest by bin(1h)'],
  })
}

/** The last twenty decisions, with their reasons. */
function decisions(logs: ILogGroup): IWidget {
  return new LogQueryWidget({
    title: 'last twenty decisions',
    width: WIDE,
    height: 6,
    view: LogQueryVisualizationType.TABLE,
    logGroupNames: [logs.logGroupName],
    queryLines: [
      'fields at, action, reason, page',
      "filter kind = 'decided'",
      'sort @timestamp desc',
      'limit 20',
    ],
  })
}
