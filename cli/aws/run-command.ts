import { nearestName } from '../../lambda/kernel/nearest-name.ts'
import { following } from '../../lambda/kernel/paging.ts'
import { ServiceError } from '../service-error.ts'

/** What is run once on machines: all that have a tag, or one of them. */
export interface Order {
  /** Name of a document of the operator's own account. */
  readonly document: string
  readonly parameters: Readonly<Record<string, string>>
  readonly targets: Targets
  readonly instance?: string | undefined
  /** For those who read the command history: at most 100 characters. */
  readonly comment: string
  /** The document's own time-out (s). */
  readonly timeout: number
}

export interface Targets {
  readonly tag: string
  readonly values: readonly string[]
}

/** A machine of the roll call, and what the command made of it. */
export interface MachineResult extends Machine {
  /** Run Command's details, such as Success, Failed, DeliveryTimedOut or InProgress; NotSent where it was offline or not taken. */
  readonly status: string
  /** What it printed, both streams: Run Command keeps less than 2,500 bytes of it. */
  readonly output: string
}

export interface Machine {
  readonly id: string
  readonly online: boolean
  /** What the machine calls itself, where that is another name. */
  readonly name?: string
}

export interface Ran {
  readonly id: string
  readonly status: string
  readonly output: string
}

export interface Page<T> {
  readonly items: readonly T[]
  readonly next: string | undefined
}

/** Systems Manager, as an operator's role may use it. Each throws ServiceError that has the permission it lacks. */
export interface SystemsManager {
  readonly machines: (targets: Targets, page: string | undefined) => Promise<Page<Machine>>
  /** @returns the command's id; undefined where one of these machines cannot be sent anything. */
  readonly send: (order: Order, to: 'all' | readonly string[]) => Promise<string | undefined>
  readonly progress: (command: string) => Promise<{ readonly ended: boolean; readonly completed: number }>
  readonly results: (command: string, page: string | undefined) => Promise<Page<Ran>>
}

/** Time, and what is told meanwhile. */
export interface Watch {
  /** ms */
  readonly now: () => number
  readonly wait: (ms: number) => Promise<void>
  readonly onProgress: (answered: number, asked: number) => void
}

/** InstanceIds that one command may name. Source: SendCommand. */
const MOST_NAMED = 50
/** Who has not begun by then does not begin any more (s). */
export const BEGIN_WITHIN = 120
const POLL = 1_500
/** For what AWS tells later than it is (ms). */
const GRACE = 30_000

/**
 * Runs it, and tells of every machine of the roll call, by id: also of those that are offline or did not answer. None at all where
 * no machine has the tag.
 * @throws ServiceError where it may not be, or the machine that is named has not the tag.
 */
export async function runOnMachines(
  manager: SystemsManager,
  order: Order,
  watch: Watch,
): Promise<readonly MachineResult[]> {
  const machines = await rollCall(manager, order)
  const online = machines.filter((each) => each.online)
  const commands = await sendTo(
    manager,
    order,
    online,
    order.instance === undefined && online.length === machines.length,
  )
  await ended(manager, commands, online.length, order.timeout, watch)
  const ran = new Map<string, Ran>()
  for (const command of commands)
    for (const each of await pages((page) => manager.results(command, page))) ran.set(each.id, each)
  const late = [...ran.keys()].filter((id) => !machines.some((each) => each.id === id))
  return [...machines, ...late.map((id) => ({ id, online: true }))]
    .map((machine) => ({ ...machine, ...(ran.get(machine.id) ?? { status: 'NotSent', output: '' }) }))
    .toSorted((one, other) => (one.id < other.id ? -1 : 1))
}

async function rollCall(manager: SystemsManager, { targets, instance }: Order): Promise<readonly Machine[]> {
  const found = await pages((page) => manager.machines(targets, page))
  // By id: a page may repeat what an earlier one listed.
  const all = new Map(found.map((each) => [each.id, each]))
  if (instance === undefined) return [...all.values()]
  const named = all.get(instance)
  if (named !== undefined) return [named]
  const nearest = nearestName(instance, [...all.keys()])
  throw new ServiceError(
    `No machine ${instance} among the ${all.size} with the tag ${targets.tag}=${targets.values.join(',')}`,
    nearest === undefined ? 'Check its id, its tag and --region' : `Did you mean ${nearest}?`,
  )
}

/**
 * By the tag where all are online. Else to those that are: Run Command gives it to one machine, then to two and so on, and one
 * that does not answer holds its place until the command expires.
 */
async function sendTo(
  manager: SystemsManager,
  order: Order,
  online: readonly Machine[],
  all: boolean,
): Promise<readonly string[]> {
  if (online.length === 0) return []
  const tagged = all ? await manager.send(order, 'all') : undefined
  if (tagged !== undefined) return [tagged]
  const commands: string[] = []
  for (let from = 0; from < online.length; from += MOST_NAMED)
    commands.push(
      ...(await sendNamed(
        manager,
        order,
        online.slice(from, from + MOST_NAMED).map(({ id }) => id),
      )),
    )
  return commands
}

/** One that has gone meanwhile makes it refuse all that were named with it. */
async function sendNamed(
  manager: SystemsManager,
  order: Order,
  ids: readonly string[],
): Promise<readonly string[]> {
  const command = await manager.send(order, ids)
  if (command !== undefined) return [command]
  if (ids.length === 1) return []
  const half = Math.ceil(ids.length / 2)
  return [
    ...(await sendNamed(manager, order, ids.slice(0, half))),
    ...(await sendNamed(manager, order, ids.slice(half))),
  ]
}

/** Until each of these commands has ended, or would have to. */
async function ended(
  manager: SystemsManager,
  commands: readonly string[],
  asked: number,
  timeout: number,
  { now, wait, onProgress }: Watch,
): Promise<void> {
  const latest = now() + (BEGIN_WITHIN + timeout) * 1000 + GRACE
  const completed = new Map<string, number>()
  let running = commands
  while (running.length > 0 && now() < latest) {
    await wait(POLL)
    const still: string[] = []
    for (const command of running) {
      const progress = await manager.progress(command)
      completed.set(command, progress.completed)
      if (!progress.ended) still.push(command)
    }
    running = still
    onProgress(
      [...completed.values()].reduce((sum, each) => sum + each, 0),
      asked,
    )
  }
}

async function pages<T>(read: (page: string | undefined) => Promise<Page<T>>): Promise<readonly T[]> {
  const all: T[] = []
  const seen = new Set<string>()
  let next: string | undefined
  do {
    const page = await read(next)
    all.push(...page.items)
    next = following(page.next, seen)
  } while (next !== undefined)
  return all
}
