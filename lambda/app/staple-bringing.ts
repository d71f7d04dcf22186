import { withOlder } from '../core/confirmation.ts'
import { MOST_COMMANDS } from '../core/delivery-record.ts'
import { isConverged, rollCallOf } from '../core/gate.ts'
import { stragglersOf, weigh } from '../core/judgement.ts'
import {
  type DeliveryDecision,
  decideDelivery,
  judgeStaples,
  type StapleVerdict,
} from '../core/staple-delivery.ts'
import {
  changesOf,
  type Holding,
  holdingMark,
  type StapleDelivery,
  serialiseStapleRecord,
  unsent,
} from '../core/staple-record.ts'
import { pollUntilEnded } from './delivery.ts'
import { callRoll } from './observation.ts'
import type { StapleSituation } from './staple-observation.ts'
import type { StaplePorts } from './staple-ports.ts'

/** How far a holding has got: everything that the next step is decided from. */
export interface Course extends Pick<StapleSituation, 'fleet'> {
  readonly holding: Holding
  readonly changed: readonly string[] | undefined
  readonly delivery: StapleDelivery
  readonly carried: StapleSituation['record']['carried']
}

/** Where the delivery stands once the fleet is to hold this. */
export function courseTo({ record, fleet }: StapleSituation, before: Holding, holding: Holding): Course {
  const { delivery, carried } = record
  const mark = holdingMark(holding)
  if (delivery?.holding === mark) return { fleet, carried, holding, delivery, changed: undefined }
  // Only where everybody is known to hold everything else may a command name no more than what changed.
  const complete =
    delivery !== undefined &&
    delivery.holding === holdingMark(before) &&
    isConverged(delivery) &&
    delivery.membership === rollCallOf(fleet)
  const changed = complete ? changesOf(before, holding) : undefined
  return { fleet, carried, holding, changed, delivery: unsent(mark) }
}

/** What bringing came to. */
export interface Brought {
  readonly course: Course
  readonly decision: DeliveryDecision
  readonly did: readonly string[]
}

/** More steps than any situation needs. */
const MOST_STEPS = 8

/**
 * Sends what has changed, waits for it and judges every machine, until there is nothing to do or something to wait for.
 * One run sends once: what failed then is for a later run, or a fleet that keeps failing would keep this one for ever.
 */
export async function bring(ports: StaplePorts, start: Course, forced: boolean): Promise<Brought> {
  let course = start
  let wanted = forced
  const did: string[] = []
  for (let step = 0; step < MOST_STEPS; step++) {
    const due = nextStep(ports, course, wanted)
    const decision = due.action === 'send' && did.length > 0 ? postponed(due) : due
    const page = decision.action === 'hold' && decision.page
    ports.journal.record({
      kind: 'decided',
      action: `deliver-${decision.action}`,
      reason: decision.reason,
      page,
    })
    const after = await act(ports, course, decision)
    if (after === undefined) return { course, decision, did }
    if (decision.action === 'send') {
      wanted = false
      did.push(`delivered: ${decision.reason}`)
    }
    course = after
  }
  throw new RangeError(`no end after ${MOST_STEPS} steps: ${did.join('; ')}`)
}

function postponed({ reason }: DeliveryDecision): DeliveryDecision {
  return { action: 'hold', page: false, reason: `${reason}; the next run sends it again` }
}

/** The step that is due now. */
export function nextStep(
  { clock, configuration }: StaplePorts,
  course: Course,
  forced: boolean,
): DeliveryDecision {
  return decideDelivery({ ...course, now: clock.now(), forced }, configuration)
}

/** @returns `undefined` where there is nothing to do, or to go on with, in this run. */
async function act(
  ports: StaplePorts,
  course: Course,
  decision: DeliveryDecision,
): Promise<Course | undefined> {
  switch (decision.action) {
    case 'send':
      return send(ports, course, decision)
    case 'await': {
      const open = course.delivery.commands.filter(({ judged }) => !judged)
      return (await pollUntilEnded(ports, open)) ? judgeFleet(ports, course) : undefined
    }
    case 'judge':
      return judgeFleet(ports, course)
    case 'hold':
    case 'rest':
      return undefined
  }
}

async function send(
  ports: StaplePorts,
  course: Course,
  { to, told }: Extract<DeliveryDecision, { action: 'send' }>,
): Promise<Course> {
  const sentAt = ports.clock.now()
  const ids = await ports.courier.send({ to, told, ramp: true })
  const commands = ids.map((id) => ({ id, sentAt, judged: false }))
  const { delivery } = course
  const sent = {
    ...course,
    delivery: {
      ...delivery,
      commands: [...delivery.commands, ...commands].slice(-MOST_COMMANDS),
      attempts: delivery.attempts + 1,
    },
  }
  await saveCourse(ports, sent)
  return sent
}

async function judgeFleet(ports: StaplePorts, course: Course): Promise<Course> {
  const { configuration, courier, clock } = ports
  const wanted = { set: configuration.set, script: configuration.document.script }
  let evidence: ReadonlyMap<string, StapleVerdict> = new Map()
  let changed = false
  for (const command of [...course.delivery.commands].reverse()) {
    if (command.judged && isComplete(course, evidence)) break
    const invocations = await courier.results(command.id)
    const verdicts = new Map(
      invocations.map((invocation) => [invocation.id, judgeStaples(invocation, wanted)]),
    )
    changed ||= !command.judged && [...verdicts.values()].some((each) => each.confirmed && each.changed)
    evidence = withOlder(evidence, verdicts)
  }
  const fleet = isComplete(course, evidence) ? course.fleet : await callRoll(ports.rollCall)
  const commands = course.delivery.commands.map((command) => ({ ...command, judged: true }))
  const judged = { delivery: { ...course.delivery, commands }, carried: course.carried }
  const weighed = weigh(judged, { fleet, evidence, changed }, configuration.target, clock.now())
  const after = { ...course, ...weighed, fleet }
  await saveCourse(ports, after)
  return after
}

function isComplete({ fleet }: Course, evidence: ReadonlyMap<string, StapleVerdict>): boolean {
  return fleet.known && stragglersOf(fleet.members, evidence).length === 0
}

async function saveCourse(
  { records, configuration }: StaplePorts,
  { delivery, carried }: Course,
): Promise<void> {
  await records.write(serialiseStapleRecord({ set: configuration.set, delivery, carried }))
}
