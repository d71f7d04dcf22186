import { isRefusal } from '../kernel/errors.ts'
import type { RotationConfiguration } from './configuration.ts'
import type { Delivery } from './delivery-record.ts'
import type { CanaryWatch } from './ports.ts'
import type { AlarmSight, CanarySight } from './situation.ts'

interface CanaryPorts {
  readonly configuration: Pick<RotationConfiguration, 'canary'>
  readonly canary: CanaryWatch
}

const LONGEST_REFUSAL = 300

/** The machines of the canary; `undefined` where none is configured. Does not throw: what is not known holds the others. */
export async function callCanary({ configuration, canary }: CanaryPorts): Promise<CanarySight | undefined> {
  if (configuration.canary === undefined) return undefined
  try {
    return { known: true, ids: new Set(await canary.machines()) }
  } catch (error) {
    return { known: false, refusal: refusalOf(error) }
  }
}

function refusalOf(error: unknown): string {
  return (isRefusal(error) ? error.came : String(error)).slice(0, LONGEST_REFUSAL)
}

/** The alarms are asked for where their word is next: after the canary's proof, until the others are let have it. */
export async function withAlarms(
  { configuration, canary }: CanaryPorts,
  sight: CanarySight | undefined,
  delivery: Delivery | undefined,
): Promise<CanarySight | undefined> {
  const { stopOnAlarms = [] } = configuration.canary ?? {}
  const { provedAt, passedAt } = delivery?.canary ?? {}
  if (sight?.known !== true || stopOnAlarms.length === 0 || provedAt === undefined || passedAt !== undefined)
    return sight
  return { ...sight, alarms: await statesOf(canary, stopOnAlarms) }
}

async function statesOf(canary: CanaryWatch, alarms: readonly string[]): Promise<AlarmSight> {
  try {
    return { known: true, states: await canary.alarmStates(alarms.map(alarmName)) }
  } catch (error) {
    return { known: false, refusal: refusalOf(error) }
  }
}

/** An alarm's name; of an ARN, which ends with it. */
export function alarmName(alarm: string): string {
  return alarm.replace(/^arn:[^:]+:cloudwatch:[^:]+:[^:]+:alarm:/, '')
}
