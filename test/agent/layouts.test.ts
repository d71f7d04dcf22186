import { afterEach, describe, expect, test } from 'vitest'
import { keysOf } from '../../lambda/ring/ring.ts'
import { TicketKey } from '../../lambda/ring/ticket-key.ts'
import { advanced, Instance, macVerifies, ringOf } from './instance.ts'

/** AES and HMAC keys exchanged: the mistake that no server reports. */
function swapped(key: TicketKey): TicketKey {
  const { name, aes, hmac } = key.reveal()
  return TicketKey.from(Buffer.concat([name, hmac, aes]))
}

let instance: Instance | undefined
afterEach(() => instance?.stop())

describe.each([
  ['haproxy', 80],
  ['haproxy', 48],
  ['nginx', 80],
  ['nginx', 48],
  ['h2o', 80],
  ['dnsdist', 80],
  ['trafficserver', 48],
] as const)('%s with keys of %i bytes', (server, keySize) => {
  // All of one size have the same HMAC key, but for the one that has keys of its own.
  const layout = server === 'trafficserver' ? 'trafficserver-48' : (`haproxy-${keySize}` as const)

  test('a ticket made after an apply carries the MAC of our current key, and not that of a swapped one', async () => {
    const ring = ringOf(1)
    instance = await Instance.start(server, ring, keySize)
    await instance.run()
    const next = advanced(ring)
    instance.publish(next)
    const { line } = await instance.run()
    expect(line).toMatchObject({ result: 'applied', generation: 2, encryptsWith: next.current.name })
    const ticket = await instance.ticket()
    expect(ticket.subarray(0, 16).toString('hex')).toBe(next.current.name)
    expect(macVerifies(ticket, next.current, layout)).toBe(true)
    expect(macVerifies(ticket, swapped(next.current), layout)).toBe(false)
    for (const other of keysOf(next).filter((key) => key !== next.current)) {
      expect(macVerifies(ticket, other, layout)).toBe(false)
    }
  })
})
