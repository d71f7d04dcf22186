import { describe, expect, it } from 'vitest'
import type { Host } from '../../local/rehearsal/clients/messages.ts'
import { type Ticket, TicketPool } from '../../local/rehearsal/clients/ticket-pool.ts'
import {
  DRAINING,
  isPromised,
  isRetired,
  type RingView,
} from '../../local/rehearsal/clients/ticket-validity.ts'

const LIFETIME = 3_000
const view: RingView = {
  committed: 5,
  confirmed: 5,
  confirmedAt: 0,
  revoked: 0,
  delivering: false,
  encryptsIn: {},
}
const promised = (generation: number | undefined, age: number) =>
  isPromised({ generation, issuedAt: 0 }, view, age, LIFETIME)
const retired = (generation: number | undefined, bent: Partial<RingView> = {}, now = DRAINING) =>
  isRetired({ generation, issuedAt: 0 }, { ...view, ...bent }, now)

describe('the ring promises a ticket', () => {
  it('for L whatever its key, for that is what the gate is for', () => {
    expect(promised(3, LIFETIME)).toBe(true)
    expect(promised(undefined, LIFETIME)).toBe(true)
  })

  it('after L for as long as its key is in every machine’s ring', () => {
    expect(promised(5, 60_000)).toBe(true)
    expect(promised(4, 60_000)).toBe(true)
    expect(promised(3, LIFETIME + 1)).toBe(false)
    expect(promised(undefined, LIFETIME + 1)).toBe(false)
  })
})

describe('a ticket is retired', () => {
  it('once every machine has confirmed a ring two generations on, and had time to settle', () => {
    expect(retired(3)).toBe(true)
    expect(retired(4)).toBe(false)
    expect(retired(3, { confirmed: 4 })).toBe(false)
    expect(retired(3, {}, DRAINING - 1)).toBe(false)
  })

  it('never while a delivery runs, nor under a key that no ring had', () => {
    expect(retired(3, { delivering: true })).toBe(false)
    expect(retired(undefined)).toBe(false)
  })
})

describe('a revoke', () => {
  const revoked = { ...view, committed: 6, revoked: 6 }
  it('ends what was promised of all generations before it, however young', () => {
    const of = (generation: number, confirmed: number) =>
      isPromised({ generation, issuedAt: 0 }, { ...revoked, confirmed }, 0, LIFETIME)
    expect([of(5, 5), of(5, 6)]).toEqual([false, false])
    // Under its own keys a ticket is promised once every machine has them.
    expect([of(6, 5), of(6, 6), of(7, 6)]).toEqual([false, true, true])
  })

  it('retires them once every machine has proved it', () => {
    expect(retired(5, { ...revoked, confirmed: 5 })).toBe(false)
    expect(retired(5, { ...revoked, confirmed: 6 })).toBe(true)
    expect(retired(6, { ...revoked, confirmed: 6 })).toBe(false)
  })
})

describe('the pool of tickets', () => {
  const from: Host = { id: 'a', server: 'nginx', port: 1, proxyProtocol: false, serverName: 'x' }
  const ticket = (generation: number, proven = true): Ticket => ({
    from,
    version: 'TLSv1.3',
    session: Buffer.alloc(1),
    keyName: '',
    generation,
    issuedAt: 0,
    proven,
  })
  const draw = (pool: TicketPool, chance: number) => pool.draw(view, 60_000, LIFETIME, () => chance)

  it('draws only what is promised, each generation as often however many tickets it has', () => {
    const pool = new TicketPool()
    for (const generation of [3, 4, 5, 5, 5, 5]) pool.add(ticket(generation))
    expect(draw(pool, 0.4)?.generation).toBe(4)
    expect(draw(pool, 0.6)?.generation).toBe(5)
    expect(new TicketPool().draw(view, 0, LIFETIME, () => 0)).toBeUndefined()
  })

  it('hands out retired tickets once, and only those that were accepted before', () => {
    const pool = new TicketPool()
    for (const each of [ticket(3), ticket(3, false), ticket(4)]) pool.add(each)
    expect(pool.takeRetired(view, DRAINING)).toHaveLength(1)
    expect(pool.takeRetired(view, DRAINING)).toEqual([])
  })

  it('knows of which machine, version and generation it keeps one', () => {
    const pool = new TicketPool()
    pool.add(ticket(3))
    expect(pool.hasOf(from, 'TLSv1.3', 3)).toBe(true)
    expect(pool.hasOf(from, 'TLSv1.2', 3)).toBe(false)
    expect(pool.hasOf(from, 'TLSv1.3', 4)).toBe(false)
    expect(pool.hasOf({ ...from, id: 'b' }, 'TLSv1.3', 3)).toBe(false)
  })

  it('keeps old tickets of every key however many young ones come', () => {
    const pool = new TicketPool()
    pool.add(ticket(3))
    for (let count = 0; count < 50; count += 1) pool.add(ticket(5))
    expect(pool.takeRetired(view, DRAINING).map(({ generation }) => generation)).toEqual([3])
  })
})
