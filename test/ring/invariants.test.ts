import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { keysOf, parseRing, type Ring, sharesNoKey } from '../../lambda/ring/ring.ts'
import { HOUR, REVOKE, TIMING, World } from '../fakes/world.ts'
import { seedOf } from '../seed.ts'

/** One thing that may happen to a fleet and its rotation. */
type Event =
  | { readonly do: 'tick' | 'scheduled' | 'duplicate' | 'rotate' | 'revoke' | 'late' | 'deliver' }
  | { readonly do: 'pass'; readonly seconds: number }
  | { readonly do: 'crash'; readonly event: 'reconcile' | 'rotate' | 'revoke'; readonly call: number }
  | { readonly do: 'conduct'; readonly instance: number; readonly conduct: 'apply' | 'lose' | 'late' }
  | { readonly do: 'leave' | 'return'; readonly instance: number }

const INSTANCES = 4

const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('tick', 'scheduled').map((name) => ({ do: name }) as Event) },
  {
    weight: 3,
    arbitrary: fc
      .constantFrom('duplicate', 'rotate', 'revoke', 'late', 'deliver')
      .map((name) => ({ do: name }) as Event),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('pass' as const),
      seconds: fc.integer({ min: 60, max: 5 * HOUR }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('crash' as const),
      event: fc.constantFrom('reconcile', 'rotate', 'revoke'),
      call: fc.integer({ min: 1, max: 14 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('conduct' as const),
      instance: fc.nat(INSTANCES - 1),
      conduct: fc.constantFrom('apply' as const, 'lose' as const, 'late' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('leave' as const, 'return' as const),
      instance: fc.nat(INSTANCES - 1),
    }),
  },
)

/** A ticket as its issuer would have made it: under which key, and when. */
interface Ticket {
  readonly key: string
  readonly at: number
}

/** Runs events against the story and checks, after each, what must hold whatever has happened. */
class Drill {
  readonly world = new World(Array.from({ length: INSTANCES }, (_, n) => `i-${n}`))
  readonly #tickets: Ticket[] = []
  readonly #committed = new Map<string, string>()
  /** From a revoke, or an advance that maxKeyAge forced, until the fleet has converged after it. */
  #disturbed = false
  /** Tickets from before this moment may be refused. */
  #excusedUntil = 0
  readonly #revoked: Ring[] = []
  /** What was current when a revoke was answered, or staged before it was killed: it has to go. */
  readonly #owed: Ring[] = []
  #lastScheduled = ''
  #revokes = 0

  async happen(next: Event): Promise<void> {
    const { world } = this
    const generations = world.secret.history.length
    switch (next.do) {
      case 'tick':
        await this.#tick()
        break
      case 'scheduled':
        this.#lastScheduled = world.clock.now().toISOString()
        await world.rotate({ scheduledTime: this.#lastScheduled })
        break
      case 'duplicate':
        if (this.#lastScheduled !== '') await world.rotate({ scheduledTime: this.#lastScheduled })
        break
      case 'rotate':
        await world.rotate()
        break
      case 'revoke':
        this.#owed.push(world.ring())
        await world.invoke({ ...REVOKE, token: this.#newToken() })
        break
      case 'deliver':
        await world.invoke({ action: 'deliver' })
        break
      case 'late':
        world.fleet.arriveLate()
        break
      case 'pass':
        world.clock.advance(next.seconds)
        break
      case 'crash':
        await this.#crash(next.event, next.call)
        break
      case 'conduct':
        this.#instance(next.instance).conduct = next.conduct
        break
      case 'leave':
        this.#instance(next.instance).present = false
        break
      case 'return':
        this.#comeBack(next.instance)
        break
    }
    this.#noteCommits(generations)
    this.#check()
    this.#issueTickets()
  }

  /** The next tick at the latest finishes a revoke that was killed. */
  async #tick(): Promise<void> {
    await this.world.reconcile()
    const ring = this.world.ring()
    for (const old of this.#owed) expect(sharesNoKey(old, ring), 'a revoke was lost').toBe(true)
  }

  /** Without one, a revoke goes on with one that is younger than ten minutes. */
  #newToken(): string {
    this.#revokes += 1
    return `incident-${this.#revokes}`
  }

  #instance(n: number) {
    const instance = this.world.fleet.instances[n]
    if (instance === undefined) throw new RangeError(`no instance ${n}`)
    return instance
  }

  /** A machine that comes back boots first: its unit fetches the ring before it takes traffic. */
  #comeBack(n: number): void {
    const instance = this.#instance(n)
    if (instance.present) return
    instance.present = true
    instance.ring = undefined
    const value = this.world.secret.values.get(this.world.secret.holders.get('AWSCURRENT') ?? '') ?? '{}'
    if (value !== '{}') instance.apply(value, 'edge', 1)
  }

  async #crash(action: 'reconcile' | 'rotate' | 'revoke', call: number): Promise<void> {
    const { world } = this
    const before = world.ring()
    const ports = world.ports()
    let calls = 0
    const guard = <T extends object>(port: T): T =>
      new Proxy(port, {
        get(target, name) {
          const member = Reflect.get(target, name, target)
          if (typeof member !== 'function') return member
          return (...args: unknown[]) => {
            calls += 1
            if (calls >= call) throw new Error('killed')
            return member.apply(target, args)
          }
        },
      })
    const { versions, commits, records, inventory, sender } = ports
    const failing = {
      ...ports,
      versions: guard(versions),
      commits: guard(commits),
      records: guard(records),
      inventory: guard(inventory),
      sender: guard(sender),
    }
    const event = action === 'revoke' ? { ...REVOKE, token: this.#newToken() } : { action }
    await world.invoke(event, failing).catch(() => {})
    const { holders } = world.secret
    const staged = holders.get('REVOKING')
    const isStaged = staged !== undefined && staged !== holders.get('AWSCURRENT')
    if (action === 'revoke' && isStaged) this.#owed.push(before)
  }

  #noteCommits(since: number): void {
    const { secret, clock, eventLog } = this.world
    for (const version of secret.history.slice(since)) {
      const ring = parseRing(secret.values.get(version) ?? '', 'edge')
      if (ring === undefined) continue
      const name = `${ring.lineage}/${ring.generation}`
      const keys = keysOf(ring).join()
      expect(this.#committed.get(name) ?? keys, `generation ${name} was overwritten`).toBe(keys)
      this.#committed.set(name, keys)
      if (version.startsWith('revoke-')) this.#noteRevocation(ring)
    }
    const forced = eventLog.of('decided').some(({ reason }) => reason.includes('past maxKeyAge'))
    if (forced) this.#disturbed = true
    eventLog.entries.length = 0
    if (this.#disturbed) this.#excusedUntil = clock.now().getTime()
    if (this.#isConverged()) this.#disturbed = false
  }

  #noteRevocation({ parent }: Ring): void {
    const revoked = parseRing(this.world.secret.values.get(parent) ?? '', 'edge')
    if (revoked !== undefined) this.#revoked.push(revoked)
    this.#disturbed = true
  }

  /** True if every machine that is there holds the ring that AWSCURRENT names, and the record says so. */
  #isConverged(): boolean {
    const { fleet, secret } = this.world
    const delivery = this.world.delivery()
    if (delivery === undefined || delivery.version !== secret.holders.get('AWSCURRENT')) return false
    const held = fleet.present().every(({ ring }) => ring?.current.name === delivery.encryptsWith)
    return held && delivery.convergedAt !== undefined && delivery.confirmed >= delivery.members
  }

  #check(): void {
    const generations = this.world.secret.history.map((version) => {
      const ring = parseRing(this.world.secret.values.get(version) ?? '', 'edge')
      return ring?.generation ?? 0
    })
    expect(generations, 'generations only grow').toEqual([...generations].sort((a, b) => a - b))
    expect(new Set(generations).size, 'no generation twice').toBe(generations.length)
    this.#checkRevoked()
    const now = this.world.clock.now().getTime()
    if (now <= this.#excusedUntil) return
    this.#checkHeld()
    this.#checkTickets(now)
  }

  /** No machine encrypts with a key that another does not hold, and none is two generations behind another. */
  #checkHeld(): void {
    const holding = this.world.fleet.present().filter(({ ring }) => ring !== undefined)
    const generations = holding.map(({ ring }) => ring?.generation ?? 0)
    expect(Math.max(...generations, 0) - Math.min(...generations, 9e9)).toBeLessThanOrEqual(1)
    for (const one of holding)
      for (const other of holding)
        if (!other.accepts(one.ring?.current.name ?? ''))
          expect.fail(`${other.id} lacks what ${one.id} encrypts with`)
  }

  /** What was revoked is in no later ring. */
  #checkRevoked(): void {
    const current = this.world.secret.holders.get('AWSCURRENT') ?? ''
    const ring = parseRing(this.world.secret.values.get(current) ?? '', 'edge')
    if (ring === undefined) return
    const names = keysOf(ring).map(({ name }) => name)
    for (const old of this.#revoked) {
      if (keysOf(old).some(({ name }) => names.includes(name))) expect.fail('a revoked key came back')
    }
  }

  /** A ticket lives L on every machine of the fleet, whichever issued it. */
  #checkTickets(now: number): void {
    for (const { key, at } of this.#tickets) {
      if (at <= this.#excusedUntil || now > at + TIMING.ticketLifetime * 1000) continue
      for (const instance of this.world.fleet.present()) {
        if (!instance.accepts(key)) expect.fail(`${instance.id} refuses a ticket of ${(now - at) / 1000} s`)
      }
    }
  }

  #issueTickets(): void {
    const at = this.world.clock.now().getTime()
    for (const { ring } of this.world.fleet.present()) {
      if (ring !== undefined) this.#tickets.push({ key: ring.current.name, at })
    }
  }

  /** Nothing stays broken: given time and a healthy fleet, everybody holds one ring that is young enough. */
  async settle(): Promise<void> {
    for (const instance of this.world.fleet.instances) instance.conduct = 'apply'
    for (let n = 0; n < INSTANCES; n++) this.#comeBack(n)
    // Ticks that come late, then as they should.
    await this.world.pass(TIMING.maxKeyAge, 4 * TIMING.tick)
    await this.world.pass(TIMING.every)
    const ring = this.world.ring()
    for (const { ring: held } of this.world.fleet.present())
      expect(held?.current.name).toBe(ring.current.name)
    const age = (this.world.clock.now().getTime() - ring.rotatedAt.getTime()) / 1000
    expect(age).toBeLessThanOrEqual(TIMING.every + 3 * TIMING.tick)
    this.#checkRevoked()
  }
}

describe('whatever sequence of rotations, crashes, losses, revokes, departures and returns happens', () => {
  // In parts, since all of it would not fit into a test's time where processors have much else to do.
  it.each([1, 2, 3, 4])(
    'generations only grow, none is overwritten, tickets live their life, and revoked keys never come back (part %i)',
    async (part) => {
      await fc.assert(
        fc.asyncProperty(fc.array(event, { minLength: 5, maxLength: 60 }), async (events) => {
          const drill = new Drill()
          await drill.world.reconcile()
          for (const next of events) await drill.happen(next)
          await drill.settle()
        }),
        { numRuns: 50, seed: seedOf(part) },
      )
    },
  )
})
