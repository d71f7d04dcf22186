import type { EventLog } from '../fleet/ports.ts'
import { isRefusal, type TicketringError } from '../kernel/errors.ts'
import { type Control, NOTHING_SET, parseControl } from './control.ts'
import type { Controls, RingEvent, StoredControl } from './ports.ts'

/** Versions before an unsound one that are looked at for a sound one. */
const MOST_BACK = 10

/** What operators have set, as far as that can be read. */
export interface ControlSight {
  readonly control: Control
  /** Why the parameter of now is not what counts. */
  readonly controlProblem?: string
}

interface ControlPorts {
  readonly controls: Pick<Controls, 'earlier'>
  readonly eventLog: EventLog<RingEvent>
}

/**
 * What the parameter says; where that is nonsense, what the last sound version of it said, which Parameter Store keeps: an
 * operator's slip must neither resume a paused ring nor stop one that runs.
 */
export async function soundControl(
  ports: ControlPorts,
  stored: StoredControl | undefined,
): Promise<ControlSight> {
  if (stored === undefined) return { control: NOTHING_SET }
  const control = tryParsing(stored)
  if (!isRefusal(control)) return { control }
  ports.eventLog.record({ kind: 'trouble', during: 'reading the control parameter', detail: control.message })
  return { control: await lastSound(ports, stored.version), controlProblem: control.message }
}

async function lastSound({ controls }: ControlPorts, version: number): Promise<Control> {
  for (let before = version - 1; before >= Math.max(1, version - MOST_BACK); before--) {
    const stored = await controls.earlier(before)
    const control = stored === undefined ? undefined : tryParsing(stored)
    if (control !== undefined && !isRefusal(control)) return control
  }
  return NOTHING_SET
}

function tryParsing({ text, modifiedAt }: StoredControl): Control | TicketringError {
  try {
    return parseControl(text, modifiedAt)
  } catch (error) {
    if (isRefusal(error, 'control-malformed')) return error
    throw error
  }
}
