import { isRefusal } from '../kernel/errors.ts'
import { later } from '../kernel/time.ts'
import type { DocumentReference, FleetTarget } from './configuration.ts'
import { type DeliveryState, MOST_COMMANDS, type SentCommand, withScript } from './delivery-state.ts'
import type { Chance, Clock, CommandSender, EventLog, FleetEvent, Progress } from './ports.ts'
import { type Address, shareOf, timeoutOf } from './rollout.ts'

/** What sending and waiting need: of whichever story. */
export interface DispatchPorts<O extends Address> {
  readonly sender: CommandSender<O>
  readonly clock: Clock
  readonly chance: Chance
  readonly eventLog: EventLog<FleetEvent>
  readonly configuration: {
    readonly timing: { readonly tick: number; readonly delivery: number; readonly execution: number }
    readonly document: Pick<DocumentReference, 'script'>
    readonly target: FleetTarget
  }
}

const LONGEST_REFUSAL = 200

/**
 * Sends these orders. Does not throw: what could not be sent, and why, is on record, and is tried again by a later run.
 * @param machines how many have the tag.
 */
export async function dispatch<O extends Address, D extends DeliveryState>(
  ports: DispatchPorts<O>,
  delivery: D,
  orders: readonly O[],
  machines: number,
): Promise<D> {
  const sentAt = ports.clock.now()
  const { ids, refusal } = await sendAll(ports, orders, machines)
  const { unsent: _, nextAt: __, ...rest } = delivery
  const { timing, document } = ports.configuration
  const nextAt = later(sentAt, timing.tick / 10)
  const commands = ids.map((id) => ({ id, sentAt, judged: false }))
  return {
    ...(rest as D),
    commands: [...delivery.commands, ...commands].slice(-MOST_COMMANDS),
    ...(ids.length === 0 ? {} : { scripts: withScript(delivery.scripts, document.script) }),
    attempts: delivery.attempts + Math.min(ids.length, 1),
    ...(refusal === undefined ? {} : { unsent: refusal, nextAt }),
  }
}

async function sendAll<O extends Address>(ports: DispatchPorts<O>, orders: readonly O[], machines: number) {
  const ids: string[] = []
  try {
    for (const order of orders) {
      const sent = await sendOne(ports, order, machines)
      ids.push(...sent.ids)
      if (sent.toAll) break
    }
    return { ids }
  } catch (error) {
    const refusal = wordsOf(error)
    ports.eventLog.record({ kind: 'trouble', during: 'sending a command', detail: refusal })
    return { ids, refusal }
  }
}

/** One machine that Systems Manager does not take a command for makes it refuse all that were named: then the tag tells. */
async function sendOne<O extends Address>(
  { sender, configuration, eventLog }: DispatchPorts<O>,
  order: O,
  machines: number,
): Promise<{ ids: readonly string[]; toAll: boolean }> {
  try {
    return { ids: await sender.send(order), toAll: order.to === 'all' && order.canary === undefined }
  } catch (error) {
    if (order.to === 'all' || !isRefusal(error, 'instance-invalid')) throw error
    eventLog.record({ kind: 'trouble', during: 'naming machines to a command', detail: wordsOf(error) })
    const timeout = timeoutOf(machines, shareOf(configuration.target, order.ramp), configuration.timing)
    return { ids: await sender.send({ ...order, to: 'all', timeout }), toAll: order.canary === undefined }
  }
}

function wordsOf(error: unknown): string {
  const words = isRefusal(error) ? `${error.code}: ${error.came}` : String(error)
  return words.slice(0, LONGEST_REFUSAL)
}

const FIRST_POLL = 1000
const SLOWEST_POLL = 15_000
/** A command that Systems Manager does not list after this many seconds never will be. */
const LISTED_WITHIN = 60

/** A command that has not ended, and on how many machines; on 0 where that is not known. */
export interface Unended {
  readonly id: string
  readonly machines: number
}

/** Time to keep back, when to give up in any case, and who is not waited for. */
export interface Patience {
  /** Milliseconds of this invocation. */
  readonly reserve: number
  readonly until?: Date
  /** Whether what is open is not worth the wait: asked where nothing has moved between two looks of the slowest pace. */
  readonly isMoot?: (unended: readonly Unended[]) => Promise<boolean>
}

/** @returns false where time ran out before the commands had ended. */
export async function pollUntilEnded<O extends Address>(
  ports: DispatchPorts<O>,
  open: readonly SentCommand[],
  { reserve, until, isMoot }: Patience,
): Promise<boolean> {
  const { clock, chance } = ports
  let before = ''
  for (let pause = FIRST_POLL; ; pause = Math.min(pause * 1.5, SLOWEST_POLL)) {
    const unended = await stillOpen(ports, open)
    if (unended.length === 0) return true
    const seen = JSON.stringify(unended)
    if (pause === SLOWEST_POLL && seen === before && (await isMoot?.(unended))) return true
    before = seen
    const jittered = pause * (0.8 + (chance.random(1)[0] ?? 0) / 640)
    const isLate = until !== undefined && clock.now().getTime() + jittered >= until.getTime()
    if (isLate || clock.remaining() < jittered + reserve) return false
    await clock.sleep(jittered)
  }
}

async function stillOpen<O extends Address>(
  ports: DispatchPorts<O>,
  open: readonly SentCommand[],
): Promise<readonly Unended[]> {
  return (await Promise.all(open.map((command) => look(ports, command)))).flat()
}

async function look<O extends Address>(ports: DispatchPorts<O>, command: SentCommand): Promise<Unended[]> {
  const progress = await progressOf(ports, command)
  const { state, targets, completed } = progress
  ports.eventLog.record({ kind: 'progress', command: command.id, targets, completed })
  const patience = patienceWith(progress, ports.configuration)
  const hasEnded = state === 'ended' || ports.clock.now() > later(command.sentAt, patience)
  return hasEnded ? [] : [{ id: command.id, machines: targets - completed }]
}

/** An answer that does not come is none: the next poll asks again. Who may not look learns nothing by waiting. */
async function progressOf<O extends Address>(
  { sender, eventLog }: DispatchPorts<O>,
  { id }: SentCommand,
): Promise<Progress> {
  try {
    return await sender.progress(id)
  } catch (error) {
    eventLog.record({ kind: 'trouble', during: `polling the command ${id}`, detail: wordsOf(error) })
    return { state: isRefusal(error, 'access-denied') ? 'ended' : 'running', targets: 0, completed: 0 }
  }
}

/** A command whose first machine stands still is not waited for as long as one that gets on. */
function patienceWith(
  { state, targets, completed }: Progress,
  { timing, target }: DispatchPorts<Address>['configuration'],
): number {
  if (state === 'unknown') return LISTED_WITHIN
  const turns = completed === 0 ? timing.delivery : timeoutOf(targets, shareOf(target, true), timing)
  return turns + timing.execution + LISTED_WITHIN
}
