import { isRefusal } from '../../lambda/kernel/errors.ts'
import type { Answer } from '../../lambda/ring/answer.ts'
import { isHeldToCanary } from '../../lambda/ring/canary.ts'
import { parseRecord } from '../../lambda/ring/delivery-record-text.ts'
import { parseRing, type Ring, sharesNoKey } from '../../lambda/ring/ring.ts'
import { isRevocation } from '../../lambda/ring/situation.ts'
import type { World } from '../fakes/world.ts'
import type { Run } from './explorer.ts'
import type { Process } from './process.ts'
import { programOf } from './scenarios.ts'

/** What is expected of the revokes of a scenario. */
interface Revokes {
  /** The most that may be committed after its start. */
  readonly most: number
  /** True if what was current at the start has to go. */
  readonly owed: boolean
}

/** What is wrong with a run: while it ran, when it ended, and after the next two ticks. */
export async function judge(run: Run): Promise<string | undefined> {
  return duringOf(run) ?? (await afterOf(run))
}

function duringOf(run: Run): string | undefined {
  const { world, processes, scenario } = run
  for (const process of processes) {
    const problem = outcomeProblem(world, process)
    if (problem !== undefined) return `${process.name}: ${problem}`
  }
  return (
    historyProblem(world) ??
    lineageProblem(scenario.start, world) ??
    skewProblem(run) ??
    strangerProblem(world, scenario.start)
  )
}

function outcomeProblem(world: World, { outcome, current }: Process): string | undefined {
  if (outcome === undefined) return undefined
  if ('error' in outcome) return isRefusal(outcome.error) ? undefined : `uncoded: ${String(outcome.error)}`
  return outcome.answer && answerProblem(world, outcome.answer, current)
}

function answerProblem(world: World, answer: Answer, current: ReadonlySet<string>): string | undefined {
  const { version = '', generation } = answer
  if (!current.has(version)) return `answers that ${version} is current, and ${[...current].join(' or ')} is`
  const real = ringOf(world, version)?.generation
  return real === generation ? undefined : `answers generation ${generation}, and ${version} is ${real}`
}

/** Each version is the child of the one before it, by one generation. */
function historyProblem(world: World): string | undefined {
  const { history } = world.secret
  for (const [n, version] of history.entries()) {
    const parent = history[n - 1]
    if (parent === undefined) continue
    const [ring, before] = [ringOf(world, version), ringOf(world, parent)]
    if (ring?.parent !== parent) return `${version} follows ${parent}, and is derived from ${ring?.parent}`
    if (ring.generation !== (before?.generation ?? 0) + 1)
      return `generation ${ring.generation} follows ${before?.generation}`
  }
  return undefined
}

function lineageProblem(start: World, world: World): string | undefined {
  const [before, after] = [currentOf(start), currentOf(world)]
  return before === undefined || before.lineage === after?.lineage ? undefined : 'the lineage was replaced'
}

/** The ring does not advance while a machine is behind, unless the ring is too old: then it would be two generations apart. */
function skewProblem({ world, scenario, commits }: Run): string | undefined {
  const { maxKeyAge } = scenario.start.configuration.timing
  for (const { version, at, held } of commits) {
    const ring = ringOf(world, version)
    const before = ringOf(world, ring?.parent ?? '')
    if (ring === undefined || before === undefined || isRevocation(version)) continue
    const age = (at.getTime() - before.rotatedAt.getTime()) / 1000
    const behind = held.find((generation) => generation < before.generation)
    if (age < maxKeyAge && behind !== undefined)
      return `generation ${ring.generation} was committed while a machine held ${behind}`
  }
  return undefined
}

/** What encrypts anywhere opens everywhere, unless a revoke has begun: also where a canary alone has gone on. */
function strangerProblem(world: World, start: World): string | undefined {
  const { maxKeyAge } = world.configuration.timing
  const ring = currentOf(start)
  const isTooOld =
    ring !== undefined && (world.clock.now().getTime() - ring.rotatedAt.getTime()) / 1000 >= maxKeyAge
  if (world.configuration.canary === undefined || isTooOld || world.secret.history.some(isRevocation))
    return undefined
  const machines = world.fleet.present().filter(({ ring }) => ring !== undefined)
  for (const { id, ring } of machines) {
    const stranger = machines.find((each) => !each.accepts(ring?.current.name ?? ''))
    if (stranger !== undefined) return `${stranger.id} cannot open tickets of ${id}`
  }
  return undefined
}

async function afterOf(run: Run): Promise<string | undefined> {
  const { world, scenario } = run
  const revokes = expected(run)
  const problem = (await tick(world)) ?? (await tick(world)) ?? endProblem(world)
  if (problem !== undefined) return `after two ticks: ${problem}`
  const [old, ring] = [currentOf(scenario.start), currentOf(world)]
  if (revokes.owed && old && ring && !sharesNoKey(old, ring)) return 'a revoke was lost'
  return (
    (await retryProblem(run)) ??
    countProblem(run, revokes) ??
    (await soakProblem(run)) ??
    historyProblem(world)
  )
}

/** A canary keeps what it proves from the others for as long as its soak; what it does not prove, for as long as it may. */
async function soakProblem({ world, scenario }: Run): Promise<string | undefined> {
  const { canary, timing } = world.configuration
  if (canary === undefined) return undefined
  const problem = strangerProblem(world, scenario.start)
  for (let waited = 0; waited < canary.soak + 3 * timing.tick; waited += timing.tick * 0.7) {
    const failed = await tick(world)
    if (failed !== undefined) return failed
  }
  return problem ?? strangerProblem(world, scenario.start) ?? followProblem(world) ?? endProblem(world)
}

/** After its soak. */
function followProblem(world: World): string | undefined {
  const { delivery } = parseRecord(world.record.text ?? '')
  const isWell = world.fleet.present().some(({ canary, conduct }) => canary && conduct === 'apply')
  const isHeld = delivery !== undefined && isHeldToCanary({ delivery }, world.configuration)
  return isWell && isHeld ? 'the canary has proved its generation, and the others do not follow' : undefined
}

async function tick(world: World): Promise<string | undefined> {
  world.clock.advance(world.configuration.timing.tick * 0.7)
  try {
    await world.reconcile()
    return undefined
  } catch (error) {
    return `a tick fails: ${String(error)}`
  }
}

function endProblem(world: World): string | undefined {
  const { secret, fleet, record } = world
  const version = secret.holders.get('AWSCURRENT') ?? ''
  const ring = currentOf(world)
  if (ring === undefined) return 'there is no ring'
  const { delivery, carried } = parseRecord(record.text ?? '')
  if (delivery?.version !== version) return `the record is of ${delivery?.version}, and ${version} is current`
  const highest = Math.max(...secret.history.map((each) => ringOf(world, each)?.generation ?? 0))
  if (carried.highest?.generation !== highest)
    return `highest fell to ${carried.highest?.generation}, from ${highest}`
  const isHeld = isHeldToCanary({ delivery }, world.configuration)
  const reachable = fleet
    .present()
    .filter(({ conduct, canary }) => conduct === 'apply' && (canary || !isHeld))
  const behind = reachable.find((each) => each.ring?.current.name !== ring.current.name)
  if (behind !== undefined)
    return `${behind.id} holds generation ${behind.ring?.generation}, not ${ring.generation}`
  if (delivery.confirmed !== reachable.length)
    return `${delivery.confirmed} of ${reachable.length} have confirmed`
  return labelProblem(world, version, reachable.length === fleet.present().length)
}

/** No label is left on what was replaced; what a rotation has begun may go on. */
function labelProblem(world: World, current: string, converged: boolean): string | undefined {
  const revocations = world.secret.history
    .filter(isRevocation)
    .map((version) => ringOf(world, version)?.parent)
  const revoked = revocations.flatMap((version) => ringOf(world, version ?? '') ?? [])
  for (const [label, version] of world.secret.holders) {
    if (version === current) continue
    const ring = ringOf(world, version)
    if (ring && revoked.some((each) => !sharesNoKey(each, ring)))
      return `${label} names keys that were revoked`
    if (converged && label !== 'AWSPENDING') return `${label} is still on ${version}`
  }
  return undefined
}

/** A client whose revoke was killed asks again, with its token or without. */
async function retryProblem(run: Run): Promise<string | undefined> {
  const { world, scenario, processes } = run
  for (const [n, { name }] of scenario.actors.entries()) {
    if (processes[n]?.killed !== true || !name.startsWith('revoke')) continue
    const program = programOf(name as 'revoke', world)
    world.clock.allow(300_000)
    const answer = await program(world.ports())
    const problem =
      answer && answerProblem(world, answer, new Set([world.secret.holders.get('AWSCURRENT') ?? '']))
    if (problem !== undefined) return `the retry of ${name}: ${problem}`
    const old = currentOf(scenario.start)
    const ring = currentOf(world)
    if (old && ring && !hadRevoke(run) && !sharesNoKey(old, ring))
      return `the retry of ${name} revoked nothing`
  }
  return undefined
}

function countProblem({ world, scenario }: Run, { most }: Revokes): string | undefined {
  const made = world.secret.history.slice(scenario.start.secret.history.length).filter(isRevocation)
  return made.length <= most ? undefined : `${made.length} revokes were committed, and ${most} asked for`
}

/** True if the ring at the start came from a revoke that the caller here has asked for. */
function hadRevoke({ scenario }: Run): boolean {
  return isRevocation(scenario.start.secret.holders.get('AWSCURRENT') ?? '')
}

function expected(run: Run): Revokes {
  const { world, scenario, processes } = run
  const names = scenario.actors.map(({ name }) => name)
  const staged = [...scenario.start.secret.holders.values()].some((version) =>
    isStagedRevoke(scenario.start, version),
  )
  const tokened = names.includes('revoke with a token') || staged
  // Without a token it goes on with the one that is under way, or has just been.
  const plain = names.includes('revoke') && !staged
  const had = hadRevoke(run)
  const most = had ? 0 : Number(tokened) + Number(plain)
  const asked = processes.some(
    ({ name, outcome }) => name.includes('revoke') && outcome !== undefined && 'answer' in outcome,
  )
  const isUninitialised = currentOf(scenario.start) === undefined
  const stagedNow = [...world.secret.values.keys()].some((version) => isStagedRevoke(world, version))
  return { most, owed: !had && !isUninitialised && (asked || staged || stagedNow) }
}

function isStagedRevoke(world: World, version: string): boolean {
  return isRevocation(version) && !world.secret.history.includes(version)
}

/** Schedules by the thousand come to the same few rings. */
const parsed = new Map<string, Ring | undefined>()

function ringOf(world: World, version: string): Ring | undefined {
  const text = world.secret.values.get(version) ?? '{}'
  if (!parsed.has(text)) parsed.set(text, parseRing(text, world.configuration.ring))
  return parsed.get(text)
}

function currentOf(world: World): Ring | undefined {
  return ringOf(world, world.secret.holders.get('AWSCURRENT') ?? '')
}
