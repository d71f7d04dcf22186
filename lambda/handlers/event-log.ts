import type { EventLog, FleetEvent } from '../fleet/ports.ts'
import type { Metrics, RingEvent } from '../ring/ports.ts'
import type { StapleEvent } from '../staples/ports.ts'
import type { StapleMetrics } from '../staples/report.ts'

type Write = (line: string) => void

/**
 * Writes each entry as one JSON line. Metrics go in CloudWatch's embedded metric format, which costs no call; machines that are
 * behind are also counted by their code.
 * @param ring the ring's name, the one dimension.
 * @param write takes a line without its end.
 * @param requestId of the invocation, so that what it did is found by who asked.
 */
export function logRingEvents(
  ring: string,
  now: () => Date,
  write: Write,
  requestId?: string,
): EventLog<RingEvent> {
  return {
    record(entry) {
      const time = now()
      if (entry.kind === 'measured') write(embed({ Ring: ring }, entry.metrics, UNITS, time))
      else if (entry.kind === 'failing') {
        const counted = { RingFailures: entry.machines }
        write(embed({ Ring: ring, Code: entry.code }, counted, { RingFailures: 'Count' }, time))
      } else write(lineOf(entry, { ring, ...(requestId === undefined ? {} : { requestId }) }, time))
    },
  }
}

/** The same for a set of staples; what fails is also counted by its reason. */
export function logStapleEvents(set: string, now: () => Date, write: Write): EventLog<StapleEvent> {
  return {
    record(entry) {
      const time = now()
      if (entry.kind === 'measured') write(embed({ Set: set }, entry.metrics, STAPLE_UNITS, time))
      else if (entry.kind === 'failing') {
        const counted = { StapleFailures: entry.certificates }
        write(embed({ Set: set, Reason: entry.reason }, counted, { StapleFailures: 'Count' }, time))
      } else write(lineOf(entry, { set }, time))
    },
  }
}

function lineOf(entry: RingEvent | StapleEvent, scope: object, time: Date): string {
  const { kind, ...rest } = entry
  return JSON.stringify({ level: levelOf(entry), kind, ...scope, at: time.toISOString(), ...rest })
}

function levelOf(entry: { readonly kind: string } | FleetEvent): 'info' | 'error' {
  if (entry.kind === 'trouble' || entry.kind === 'refused') return 'error'
  return 'page' in entry && entry.page ? 'error' : 'info'
}

const UNITS: Readonly<Record<keyof Metrics, string>> = {
  KeyAge: 'Seconds',
  Members: 'Count',
  Stragglers: 'Count',
  RotationHeld: 'Count',
  RotationForced: 'Count',
  CanaryFailed: 'Count',
  AuthBypass: 'Count',
  LocalRing: 'Count',
  DriftRepaired: 'Count',
  ControlInvalid: 'Count',
}

const STAPLE_UNITS: Readonly<Record<keyof StapleMetrics, string>> = {
  StapleLifeLeft: 'Percent',
  StapleFailures: 'Count',
  StaplesRevoked: 'Count',
  StaplesUndelivered: 'Count',
  StaplesWithdrawn: 'Count',
  MustStaplesMissing: 'Count',
  WithdrawalHeld: 'Count',
  DriftRepaired: 'Count',
}

/** Source: CloudWatch user guide, embedded metric format specification. */
function embed(scope: Readonly<Record<string, string>>, metrics: object, units: object, time: Date): string {
  const Metrics = Object.entries(units)
    .filter(([Name]) => Name in metrics)
    .map(([Name, Unit]) => ({ Name, Unit }))
  const definition = { Namespace: 'Ticketring', Dimensions: [Object.keys(scope)], Metrics }
  return JSON.stringify({
    _aws: { Timestamp: time.getTime(), CloudWatchMetrics: [definition] },
    ...scope,
    ...metrics,
  })
}
