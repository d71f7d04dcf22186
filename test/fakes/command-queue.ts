import type { Invocation } from '../../lambda/fleet/evidence.ts'
import type { ResultPage } from '../../lambda/fleet/ports.ts'
import type { Address } from '../../lambda/fleet/rollout.ts'
import { TicketringError } from '../../lambda/kernel/errors.ts'

/** Percent of a ramped command's machines that run it at the same time: what is usual. */
const CONCURRENCY = 10

export interface Target {
  readonly id: string
  readonly online: boolean
}

/** Instances on a page of Systems Manager. */
const PAGE = 50

/**
 * Run Command's queue in memory: one machine first, then two and so on as they end; a machine that does not answer holds
 * its place until the command expires, and with it what has not had its turn; too many failures end it.
 * Source: Systems Manager user guide, "Run commands at scale".
 * @returns what became of each.
 */
export function runQueue<T extends Target>(
  targets: readonly T[],
  { ramp }: Pick<Address, 'ramp'>,
  run: (target: T) => Invocation,
  maxFailures = 5,
): Map<string, Invocation> {
  const most = ramp ? Math.max(1, Math.floor((targets.length * CONCURRENCY) / 100)) : targets.length
  const allowed = ramp ? Math.floor((targets.length * maxFailures) / 100) : targets.length
  const invocations = new Map<string, Invocation>()
  let [window, ended, held, errors] = [1, 0, 0, 0]
  for (const target of targets) {
    if (errors > allowed || held >= window) break
    const invocation = run(target)
    invocations.set(target.id, invocation)
    if (invocation.status === EXPIRED) held += 1
    else ended += 1
    if (invocation.status === 'Failed') errors += 1
    if (ended >= window) [window, ended] = [Math.min(most, window * 2), 0]
  }
  const status = errors > allowed ? 'Terminated' : EXPIRED
  for (const { id } of targets.slice(invocations.size)) invocations.set(id, { id, status, output: '' })
  return invocations
}

const EXPIRED = 'Delivery Timed Out'

/** Whom a command goes to. @throws TicketringError `instance-invalid` if one that it names is not there or not online. */
export function targetsOf<T extends Target>(
  members: readonly T[],
  { to }: Pick<Address, 'to'>,
): readonly T[] {
  if (to === 'all') return members
  return to.map((id) => {
    const target = members.find((member) => member.id === id)
    if (target?.online) return target
    const came = `InvalidInstanceId: Instances [[${id}]] not in a valid state for account`
    throw new TicketringError('instance-invalid', { wanted: 'to send a command', came })
  })
}

/** A page of these, by the token of the one before. */
export function pageOf(all: readonly Invocation[], token: string | undefined): ResultPage {
  const from = Number(token ?? 0)
  const invocations = all.slice(from, from + PAGE)
  return { invocations, ...(from + PAGE < all.length ? { next: String(from + PAGE) } : {}) }
}
