import { messageOf } from '../kernel/errors.ts'
import type { EventLog, FleetEvent, Records } from './ports.ts'

/**
 * What is on record; `undefined` where nothing is. A record is derived from what can be looked at again: a garbled one is
 * as good as none.
 * @param parse throws TicketringError `record-malformed`; gives `undefined` for another's record.
 */
export async function readRecordBy<R>(
  { records, eventLog }: { readonly records: Pick<Records, 'read'>; readonly eventLog: EventLog<FleetEvent> },
  parse: (text: string) => R | undefined,
): Promise<R | undefined> {
  const text = await records.read()
  if (text === undefined) return undefined
  try {
    return parse(text)
  } catch (error) {
    eventLog.record({ kind: 'trouble', during: 'reading the delivery record', detail: messageOf(error) })
    return undefined
  }
}
