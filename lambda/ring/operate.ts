import { callRoll } from '../fleet/inventory.ts'
import type { Fleet } from '../fleet/membership.ts'
import { isRefusal, TicketringError } from '../kernel/errors.ts'
import { type Answer, answer, controlIn } from './answer.ts'
import { type Control, inForce, serialiseControl } from './control.ts'
import { type ControlChange, changeOf, type Settable } from './control-change.ts'
import { decideByCalendars } from './look-at-calendars.ts'
import { type ObservationPorts, observe, type RotationPorts } from './observation.ts'
import type { StoredControl } from './ports.ts'
import { soundControl } from './read-control.ts'
import type { ControlRequest } from './request.ts'
import type { Situation } from './situation.ts'

/** An operator who is overtaken this often in a row meets something that no repetition mends. */
const MOST_TRIES = 8

/** Sets what an operator asks for. Whatever is due then, the next tick does. */
export async function operate(ports: RotationPorts, request: ControlRequest): Promise<Answer> {
  const change = changeOf(request, await settable(ports, request))
  const control = await save(ports, change)
  try {
    return await told(ports, request, { ...(await observe(ports)), control }, [change.told])
  } catch (error) {
    if (!isRefusal(error)) throw error
    return unseen(ports, request, control, [change.told], error)
  }
}

/** What a change is measured by. The secret is none of it: a ring can be paused whatever has become of it. */
async function settable(ports: ObservationPorts, request: ControlRequest): Promise<Settable> {
  const { control } = await soundControl(ports, await ports.controls.read())
  const fleet = request.action === 'quarantine' ? await callRoll(ports) : UNCALLED
  const now = ports.clock.now()
  const document = ports.configuration.document.name
  return { control: inForce(control, now, document), fleet, now, document }
}

const UNCALLED: Fleet = { known: false, refusal: 'it was not called' }

function unseen(
  { configuration, clock }: ObservationPorts,
  { action }: ControlRequest,
  control: Control,
  did: readonly string[],
  { message }: TicketringError,
): Answer {
  const reason = `it is set; the ring cannot be looked at: ${message}`
  const head = { action, ring: configuration.ring, asOf: clock.now().toISOString(), did }
  return { ...head, decision: { action: 'hold', reason }, ...controlIn({ control }) }
}

/** Says what {@link operate} would set, and what would be done then. */
export async function rehearse(ports: ObservationPorts, request: ControlRequest): Promise<Answer> {
  const change = changeOf(request, await settable(ports, request))
  const situation = await observe(ports)
  const control = change.apply(situation.control ?? { quarantine: [] })
  return told(ports, request, { ...situation, control }, [], `would be ${change.told}; `)
}

async function told(
  ports: ObservationPorts,
  request: ControlRequest,
  situation: Situation,
  did: readonly string[],
  prefix = '',
): Promise<Answer> {
  const { controlProblem, ...mended } = situation
  const problem = controlProblem === undefined ? {} : { controlProblem }
  const { situation: seen, decision } = await decideByCalendars(ports, mended, { action: 'reconcile' })
  const said = { ...decision, reason: prefix + decision.reason }
  return answer(ports, request, request.dryRun ? { ...seen, ...problem } : seen, said, did)
}

/** Parameter Store has no compare-and-set: what another operator wrote in between is found afterwards, and changed again. */
async function save(ports: RotationPorts, { apply }: ControlChange): Promise<Control> {
  const { controls, clock, configuration } = ports
  let before = await controls.read()
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const { control } = await soundControl(ports, before)
    const after = apply(inForce(control, clock.now(), configuration.document.name))
    const written = await controls.write(serialiseControl(after), before?.version ?? 0)
    if (written === (before?.version ?? 0) + 1) return after
    before = await overtaken(ports, written)
  }
  throw new TicketringError('control-contended', {
    wanted: 'to write the control parameter',
    came: `${MOST_TRIES} tries that each met another writer`,
  })
}

/** What the other one wrote, to be followed by what is written next. */
async function overtaken(
  { controls }: RotationPorts,
  written: number | undefined,
): Promise<StoredControl | undefined> {
  const theirs = written === undefined ? undefined : await controls.earlier(written - 1)
  return theirs === undefined ? controls.read() : { ...theirs, version: written ?? theirs.version }
}
