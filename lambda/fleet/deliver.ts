import {
  type CollectedEvidence,
  collectEvidence,
  type EvidencePorts,
  type Judge,
  reserveFor,
} from './collect-evidence.ts'
import { stragglersOf, weigh } from './convergence.ts'
import type { DeliveryState } from './delivery-state.ts'
import { DepartureWatch } from './departures.ts'
import { type DispatchPorts, dispatch, pollUntilEnded } from './dispatch.ts'
import type { Heard } from './evidence.ts'
import type { Measured } from './expected-members.ts'
import { type CallingPorts, callRollAgain } from './inventory.ts'
import type { Leave } from './leave.ts'
import type { Fleet } from './membership.ts'
import type { Address } from './rollout.ts'

/** What sending, waiting and judging need of the world. */
export interface DeliveryPorts<O extends Address> extends DispatchPorts<O>, EvidencePorts, CallingPorts {
  readonly sender: DispatchPorts<O>['sender']
}

/** How far something has got in the fleet. */
export interface Delivering {
  readonly fleet: Fleet
  readonly delivery: DeliveryState
  readonly carried: Measured
}

/** What a capability brings to the fleet: its message, its judge, and where the delivery is on record. */
export interface Capability<S extends Delivering, O extends Address, V extends Heard> {
  readonly message: (to: Address, state: S) => O
  readonly judge: (state: S) => Judge<V>
  /** Identifies what is delivered. */
  readonly subject: (state: S) => string
  /** Whom the others need not wait for; without it everyone is waited for. */
  readonly leave?: (state: S) => Leave
  /** What is to be on record of what machines said that was not heard before. */
  readonly keep?: (state: S, news: readonly V[]) => S
  readonly save: (state: S) => Promise<void>
}

/** Where waiting has led: `ended` is false where time ran out, and the next run goes on. */
export interface Awaited<S> {
  readonly state: S
  readonly ended: boolean
}

/** Sends what is due. Does not throw where nothing can be sent: that is on record. */
export async function send<S extends Delivering, O extends Address, V extends Heard>(
  ports: DeliveryPorts<O>,
  { message, save }: Capability<S, O, V>,
  state: S,
  to: readonly Address[],
): Promise<S> {
  const { delivery, fleet } = state
  const machines = fleet.known ? fleet.members.length : delivery.members
  const orders = to.map((address) => message(address, state))
  const sent = { ...state, delivery: await dispatch(ports, delivery, orders, machines) }
  await save(sent)
  return sent
}

/**
 * Waits for the commands under way, as long as this invocation may and a machine of the fleet has yet to answer, and judges
 * what they brought.
 * @param until when to give up in any case.
 */
export async function awaitCommands<S extends Delivering, O extends Address, V extends Heard>(
  ports: DeliveryPorts<O>,
  capability: Capability<S, O, V>,
  state: S,
  until?: Date,
): Promise<Awaited<S>> {
  const open = state.delivery.commands.filter(({ judged }) => !judged)
  const watch = new DepartureWatch(ports, state.fleet)
  const ended = await pollUntilEnded(ports, open, {
    reserve: reserveFor(state.fleet, 2),
    isMoot: (unended) => watch.hasFleetAnswered(unended),
    ...(until === undefined ? {} : { until }),
  })
  return ended ? judgeFleet(ports, capability, { ...state, fleet: watch.fleet }) : { state, ended }
}

/** Judges every member of the roll call by what it said. */
export async function judgeFleet<S extends Delivering, O extends Address, V extends Heard>(
  ports: DeliveryPorts<O>,
  capability: Capability<S, O, V>,
  state: S,
): Promise<Awaited<S>> {
  const { judge, note } = capability.judge(state)
  const news: V[] = []
  const collected = await collectEvidence<V>(ports, state.delivery, state.fleet, {
    judge,
    note(verdicts, holders) {
      news.push(...verdicts.values())
      note?.(verdicts, holders)
    },
  })
  const changed = news.some((verdict) => verdict.confirmed && verdict.changed === true)
  const judged = await weighed(ports, capability, state, collected, changed)
  const after = capability.keep?.(judged, news) ?? judged
  await capability.save(after)
  return { state: after, ended: collected.whole }
}

/** While machines are missing the roll is called again: they may have gone. */
async function weighed<S extends Delivering, O extends Address, V extends Heard>(
  ports: DeliveryPorts<O>,
  { subject, leave }: Capability<S, O, V>,
  state: S,
  { evidence, commands, releases, programs, reading }: CollectedEvidence,
  changed: boolean,
): Promise<S> {
  const { target, timing } = ports.configuration
  const isComplete = state.fleet.known && stragglersOf(state.fleet.members, evidence).length === 0
  const fleet = isComplete ? state.fleet : await callRollAgain(ports, state.fleet)
  const { reading: _, ...delivery } = state.delivery
  const judged = { ...delivery, commands, releases, programs, ...(reading === undefined ? {} : { reading }) }
  const lanes = delivery.commands.filter((command) => !command.judged).length
  const scales = { target, tick: timing.tick, what: subject(state), lanes, leave: leave?.(state) }
  const heard = { fleet, evidence, changed }
  return {
    ...state,
    ...weigh({ delivery: judged, carried: state.carried }, heard, scales, ports.clock.now()),
    fleet,
  }
}
