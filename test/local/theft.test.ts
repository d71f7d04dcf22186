import { createHmac, randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { advance, genesis } from '../../lambda/ring/ring.ts'
import type { TicketKey } from '../../lambda/ring/ticket-key.ts'
import { steal } from '../../local/rehearsal/secrecy/theft.ts'

const making = { parent: 'p', now: new Date(0), random: randomBytes }
const first = genesis('edge', '00000000-0000-4000-8000-000000000000', making)
const stolen = advance(first, making)

/** A ticket as a server makes it (RFC 5077 §4): key name, IV, what is encrypted, MAC. */
function sample(key: TicketKey, at: string) {
  const body = Buffer.concat([Buffer.from(key.name, 'hex'), randomBytes(80)])
  const mac = createHmac('sha256', key.reveal().hmac).update(body).digest()
  const ticket = Buffer.concat([body, mac])
  return { host: 'a', version: 'TLSv1.3', ticket, takenAt: Date.parse(at) } as const
}

const window = { readsFrom: '2026-11-27T10:00:00.000Z', readsTo: '2026-11-27T18:00:00.000Z' }

test('a thief opens what is under one of the three keys, and nothing else', () => {
  const tickets = [
    sample(first.previous, '2026-11-27T11:00:00.000Z'),
    sample(stolen.previous, '2026-11-27T12:00:00.000Z'),
    sample(stolen.current, '2026-11-27T13:00:00.000Z'),
  ]
  const oldest = '2026-11-27T12:00:00.000Z'
  expect(steal(stolen, tickets, window)).toEqual({ window, tried: 3, opened: 2, oldest, outside: 0 })
})

test('a ticket that only bears the name of a key is not opened', () => {
  const { ticket, ...rest } = sample(stolen.current, '2026-11-27T13:00:00.000Z')
  ticket[60] = (ticket[60] ?? 0) ^ 1
  expect(steal(stolen, [{ ticket, ...rest }], window)).toEqual({ window, tried: 1, opened: 0, outside: 0 })
})

test('what is opened though it was given before or after the time that status names is counted', () => {
  const times = ['2026-11-27T09:59:59.999Z', '2026-11-27T10:00:00.000Z', '2026-11-27T18:00:00.001Z']
  const tickets = times.map((at) => sample(stolen.previous, at))
  expect(steal(stolen, tickets, window)).toMatchObject({ opened: 3, outside: 2, oldest: times[0] })
})
