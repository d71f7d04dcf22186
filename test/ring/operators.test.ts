import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { stateOf } from '../../cli/ring/state.ts'
import { statusText } from '../../cli/ring/status-text.ts'
import { isRefusal, TicketringError } from '../../lambda/kernel/errors.ts'
import { keysOf, parseRing, type Ring, sharesNoKey } from '../../lambda/ring/ring.ts'
import { CANARY } from '../fakes/canary-world.ts'
import { HOUR, hooked, REVOKE, TIMING, TOKEN, World } from '../fakes/world.ts'
import { seedOf } from '../seed.ts'

const MACHINES = 5
/** Of the ten versions that are looked back, so that one is left. */
const MOST_NONSENSE = 9

const ACTIONS = ['rotate', 'deliver', 'promote'] as const
const SURROUNDINGS = ['closed', 'open', 'unreadable', 'loud', 'quiet', 'deploy'] as const
const ON_MACHINES = ['fail', 'heal', 'offline', 'online', 'quarantine', 'release', 'tag'] as const

/** What may happen to a ring with a canary and a calendar whose operators set things. */
type Event =
  | { readonly do: 'tick' | 'scheduled' | 'revoke' | (typeof ACTIONS)[number] }
  | { readonly do: 'resume' | 'rollback' | 'undo' | 'nonsense' | 'clear' }
  | { readonly do: (typeof SURROUNDINGS)[number] }
  | { readonly do: 'pass' | 'pause' | 'pause-by-hand'; readonly seconds: number }
  | { readonly do: (typeof ON_MACHINES)[number]; readonly machine: number }

const plain = <T extends string>(...names: readonly T[]) =>
  fc.record({ do: fc.constantFrom<T>(...(names as [T, ...T[]])) })
const event = fc.oneof(
  { weight: 8, arbitrary: plain('tick', 'scheduled') },
  { weight: 5, arbitrary: plain('revoke', ...ACTIONS) },
  { weight: 5, arbitrary: plain('resume', 'rollback', 'undo', 'nonsense', 'clear', ...SURROUNDINGS) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom('pass', 'pass', 'pause', 'pause-by-hand'),
      seconds: fc.integer({ min: 60, max: 6 * HOUR }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constantFrom(...ON_MACHINES), machine: fc.nat(MACHINES - 1) }),
  },
) as fc.Arbitrary<Event>

/** Runs events against the story, with its own account of what is set, and checks after each what must hold. */
class Drill {
  readonly world: World
  /** ms. */
  #pausedUntil = 0
  /** Versions of the control parameter that are nonsense, since the last sound one. */
  #nonsense = 0
  readonly #aside = new Set<string>()
  readonly #revoked: Ring[] = []
  #promoted: string | undefined
  #count = 0
  #tokens = 0

  /** @param make a world of either trigger. */
  constructor(make: typeof hooked) {
    const ids = Array.from({ length: MACHINES }, (_, n) => `i-${n}`)
    this.world = make(ids, { canary: { ...CANARY, stopOnAlarms: ['loud'] }, calendars: ['freeze'] })
    this.#machine(0).canary = true
    this.world.fleet.alarms.set('loud', 'OK')
  }

  async happen(next: Event): Promise<void> {
    const { secret, fleet } = this.world
    const since = secret.history.length
    const held = new Map(fleet.instances.map(({ id, ring }) => [id, ring]))
    const before = this.#ringOf(secret.holders.get('AWSCURRENT'))
    try {
      await this.#do(next)
    } catch (error) {
      if (!isRefusal(error)) throw error
    }
    for (const version of secret.history.slice(since)) this.#judgeCommit(version, next, held)
    if (next.do === 'revoke') this.#judgeRevoke(before)
    this.#judgeCanary(next, held)
    await this.#judgeStatus()
  }

  async #do(next: Event): Promise<void> {
    const { world } = this
    const by = 'ada'
    switch (next.do) {
      case 'tick':
        await world.reconcile()
        break
      case 'scheduled':
        if (world.configuration.trigger === 'schedule') await world.scheduled()
        // As Secrets Manager comes, in its own time: its next try is of another token.
        else await world.secret.start(`${TOKEN.slice(0, -4)}${String(this.#tokens++).padStart(4, '0')}`)
        break
      case 'promote':
        this.#promoted = world.secret.holders.get('AWSCURRENT')
        await world.invoke({ action: 'promote' })
        break
      case 'rotate':
      case 'deliver':
        await world.invoke({ action: next.do })
        break
      case 'revoke':
        this.#count += 1
        await world.invoke({ ...REVOKE, token: `drill-${this.#count}` })
        break
      case 'pause':
        await this.#set({ action: 'pause', for: `${next.seconds}s`, reason: 'sale', by })
        this.#pausedUntil = this.#later(next.seconds)
        break
      case 'pause-by-hand': {
        const until = new Date(this.#later(next.seconds)).toISOString()
        this.#write({ version: 1, paused: { until, reason: 'sale', by } })
        this.#pausedUntil = this.#later(next.seconds)
        break
      }
      case 'resume':
        await this.#set({ action: 'resume', by })
        this.#pausedUntil = 0
        break
      case 'clear':
        this.#write({ version: 1 })
        this.#pausedUntil = 0
        break
      case 'nonsense':
        if (this.#nonsense === MOST_NONSENSE) return
        world.controls.put('{"version":1,"paused":true}')
        this.#nonsense += 1
        break
      case 'rollback':
        await this.#set({ action: 'rollback', reason: 'slow', by })
        break
      case 'undo':
        await this.#set({ action: 'rollback', reason: 'it was the disk', undo: true, by })
        break
      case 'quarantine':
        await this.#set({
          action: 'quarantine',
          instance: `i-${next.machine}`,
          for: '4h',
          reason: 'disk',
          by,
        })
        break
      case 'release':
        await this.#set({ action: 'release', instance: `i-${next.machine}`, by })
        break
      case 'pass':
        world.clock.advance(next.seconds)
        break
      default:
        this.#change(next)
    }
  }

  /** By the function, which writes what counts. */
  async #set(request: object): Promise<void> {
    await this.world.invoke(request)
    this.#nonsense = 0
  }

  /** By the AWS CLI. */
  #write(control: object): void {
    this.world.controls.put(JSON.stringify(control))
    this.#nonsense = 0
  }

  #change(next: Extract<Event, { do: (typeof SURROUNDINGS)[number] | (typeof ON_MACHINES)[number] }>): void {
    const { fleet, calendars } = this.world
    switch (next.do) {
      case 'closed':
      case 'open':
        calendars.now = { state: next.do }
        calendars.refusal = undefined
        break
      case 'unreadable':
        calendars.refusal = new TicketringError('access-denied', { wanted: 'the calendar', came: 'denied' })
        break
      case 'loud':
      case 'quiet':
        fleet.alarms.set('loud', next.do === 'loud' ? 'ALARM' : 'OK')
        break
      case 'deploy':
        this.#deploy()
        break
      case 'fail':
      case 'heal':
        this.#machine(next.machine).conduct = next.do === 'fail' ? 'fail' : 'apply'
        break
      case 'offline':
      case 'online':
        this.#machine(next.machine).online = next.do === 'online'
        break
      case 'tag':
        this.#machine(next.machine).canary = !this.#machine(next.machine).canary
    }
  }

  #deploy(): void {
    this.#count += 1
    const script = `${this.#count}`.padStart(12, '0')
    this.world.fleet.script = script
    const document = { name: `ticketring-edge-${script}`, version: '1', script }
    this.world.configuration = { ...this.world.configuration, document }
  }

  #machine(n: number) {
    const found = this.world.fleet.instances[n]
    if (found === undefined) throw new RangeError(`no machine ${n}`)
    return found
  }

  get #now(): number {
    return this.world.clock.now().getTime()
  }

  #later(seconds: number): number {
    return this.#now + seconds * 1000
  }

  #ringOf(version: string | undefined): Ring | undefined {
    return parseRing(this.world.secret.values.get(version ?? '') ?? '{}', 'edge')
  }

  /** What holds a generation back, and that no key encrypts before those that are waited for can open its tickets. */
  #judgeCommit(version: string, next: Event, held: ReadonlyMap<string, Ring | undefined>): void {
    const ring = this.#ringOf(version)
    const parent = this.#ringOf(ring?.parent)
    if (ring === undefined || parent === undefined) return
    for (const old of this.#revoked) expect(sharesNoKey(old, ring), 'a revoked key came back').toBe(true)
    if (version.startsWith('revoke-')) {
      expect(next.do).toBe('revoke')
      this.#revoked.push(parent)
      return
    }
    const { calendars, fleet } = this.world
    const isClosed = calendars.refusal === undefined && calendars.now.state === 'closed'
    expect({ isClosed, isPaused: this.#now < this.#pausedUntil }).toEqual({
      isClosed: false,
      isPaused: false,
    })
    if ((this.#now - parent.rotatedAt.getTime()) / 1000 >= TIMING.maxKeyAge) return
    expect(calendars.refusal, 'GetCalendarState gave no state').toBeUndefined()
    const behind = fleet.instances.filter(({ id }) => !opens(held.get(id), ring) && !this.#aside.has(id))
    expect(behind.filter(({ online }) => online).map(({ id }) => id)).toEqual([])
    expect(behind.length, 'more than may lag').toBeLessThanOrEqual(1)
  }

  /** Whatever holds everything else. */
  #judgeRevoke(before: Ring | undefined): void {
    const ring = this.world.ring()
    if (before !== undefined) expect(sharesNoKey(before, ring), 'a revoke was held').toBe(true)
    const reached = this.world.fleet.instances.filter(({ online, conduct }) => online && conduct === 'apply')
    for (const { id, ring: theirs } of reached) expect(theirs?.current.name, id).toBe(ring.current.name)
  }

  /** What is no revoke comes to the others from a canary that proved it and soaked, by a promotion, or by its age. */
  #judgeCanary(next: Event, held: ReadonlyMap<string, Ring | undefined>): void {
    const { canary, version = '', generation } = this.world.delivery() ?? {}
    const moved = this.world.fleet.instances.filter(
      ({ id, ring, ...each }) =>
        !each.canary && ring?.generation === generation && held.get(id)?.generation !== generation,
    )
    if (moved.length === 0 || version.startsWith('revoke-')) return
    expect(canary?.passedAt, `${moved.map(({ id }) => id)} got ${version} by ${next.do}`).toBeDefined()
    if (this.#promoted === version || canary?.forced) return
    const { provedAt, passedAt } = canary ?? {}
    expect((Number(passedAt) - Number(provedAt)) / 1000).toBeGreaterThanOrEqual(CANARY.soak)
    if (Number(passedAt) === this.#now) expect(this.world.fleet.alarms.get('loud')).toBe('OK')
  }

  /** It changes nothing, and says each truth. */
  async #judgeStatus(): Promise<void> {
    const { world } = this
    const traces = () => JSON.stringify([world.traces(), world.controls.versions])
    const before = traces()
    const answer = await world.invoke({ action: 'status' })
    expect(traces()).toBe(before)
    expect(answer.paused !== undefined).toBe(this.#now < this.#pausedUntil)
    expect(answer.controlProblem !== undefined).toBe(this.#nonsense > 0)
    this.#aside.clear()
    for (const { instance } of answer.quarantine ?? []) this.#aside.add(instance)
    const text = statusText(answer)
    expect(text).not.toMatch(/undefined|NaN|Invalid/)
    if (stateOf(answer) !== 'healthy') return expect(text).toMatch(/^ {2}next: \S/m)
    for (const { ring } of world.fleet.instances.filter(({ online }) => online))
      expect(ring?.current.name, text).toBe(answer.encryptsWith)
  }

  /** What is set ends by itself, and the ring turns again. */
  async settle(): Promise<void> {
    const { world } = this
    for (const each of world.fleet.instances) Object.assign(each, { online: true, conduct: 'apply' })
    this.#machine(0).canary = true
    this.#change({ do: 'quiet' })
    this.#change({ do: 'open' })
    if (this.#pausedUntil > this.#now) world.clock.advance((this.#pausedUntil - this.#now) / 1000)
    await world.pass(TIMING.maxKeyAge, 6 * TIMING.tick)
    await world.pass(TIMING.every)
    const age = (this.#now - world.ring().rotatedAt.getTime()) / 1000
    expect(age).toBeLessThanOrEqual(TIMING.every + 5 * TIMING.tick)
    await world.pass(HOUR)
    const { current } = world.ring()
    for (const { id, ring } of world.fleet.instances) expect(ring?.current.name, id).toBe(current.name)
  }
}

function scheduled(...args: ConstructorParameters<typeof World>): World {
  return new World(...args)
}

function opens(held: Ring | undefined, { current }: Ring): boolean {
  return held !== undefined && keysOf(held).some(({ name }) => name === current.name)
}

describe('whatever operators set, with a canary, a calendar, deploys and revokes, in whatever order', () => {
  // In parts, since all of it would not fit into a test's time where processors have much else to do.
  it.each([
    [1, 'by schedule', scheduled],
    [2, 'by schedule', scheduled],
    [3, 'by Secrets Manager', hooked],
    [4, 'by Secrets Manager', hooked],
  ] as const)(
    'no key encrypts before those that are waited for can open its tickets, a revoke waits for nothing, status says so, and all of it ends (part %i, %s)',
    async (part, _, make) => {
      await fc.assert(
        fc.asyncProperty(fc.array(event, { minLength: 5, maxLength: 60 }), async (events) => {
          const drill = new Drill(make)
          await drill.world.reconcile()
          for (const next of events) await drill.happen(next)
          await drill.settle()
        }),
        { numRuns: 25, seed: seedOf(part) },
      )
    },
  )
})
