import type { Journal, JournalEntry, Metrics } from '../app/ports.ts'

/**
 * Writes each entry as one JSON line. Metrics go in CloudWatch's embedded metric format, which costs no call.
 * @param ring the ring's name, the one dimension.
 * @param write takes a line without its end.
 */
export function logJournal(ring: string, now: () => Date, write: (line: string) => void): Journal {
  return {
    record(entry) {
      const time = now()
      const { kind, ...rest } = entry
      const line = { level: levelOf(entry), kind, ring, at: time.toISOString() }
      write(
        JSON.stringify(entry.kind === 'measured' ? embed(entry.metrics, ring, time) : { ...line, ...rest }),
      )
    },
  }
}

function levelOf(entry: JournalEntry): 'info' | 'error' {
  return entry.kind === 'trouble' || (entry.kind === 'decided' && entry.page) ? 'error' : 'info'
}

const UNITS: Readonly<Record<keyof Metrics, string>> = {
  KeyAge: 'Seconds',
  Members: 'Count',
  Stragglers: 'Count',
  RotationHeld: 'Count',
  RotationForced: 'Count',
}

/** Source: CloudWatch user guide, embedded metric format specification. */
function embed(metrics: Metrics, ring: string, time: Date): object {
  const Metrics = Object.entries(UNITS).map(([Name, Unit]) => ({ Name, Unit }))
  const definition = { Namespace: 'Ticketring', Dimensions: [['Ring']], Metrics }
  return { _aws: { Timestamp: time.getTime(), CloudWatchMetrics: [definition] }, Ring: ring, ...metrics }
}
