import { describe, expect, it } from 'vitest'
import { callRoll, callRollAgain } from '../../lambda/fleet/inventory.ts'
import type { Fleet, Member } from '../../lambda/fleet/membership.ts'
import { TicketringError } from '../../lambda/kernel/errors.ts'
import { ManualClock } from '../fakes/clock.ts'
import { instant, membersOf, START } from './deliveries.ts'

function portsAt(seconds: number, members: () => readonly Member[]) {
  const inventory = { members: async () => members(), countListed: () => expect.unreachable() }
  return { inventory, clock: new ManualClock(instant(seconds).toISOString()) }
}

describe('a roll call', () => {
  it('says who is there, and when', async () => {
    const members = membersOf(2)
    expect(await callRoll(portsAt(5, () => members))).toEqual({ known: true, members, at: instant(5) })
  })

  it.each([
    [
      new TicketringError('access-denied', { wanted: 'a list', came: 'AccessDenied: no' }),
      'AccessDenied: no',
    ],
    [new Error('x'.repeat(400)), `Error: ${'x'.repeat(293)}`],
  ])('that is refused says why, in 300 characters where the words are not ours', async (error, refusal) => {
    const refusing = portsAt(5, () => {
      throw error
    })
    expect(await callRoll(refusing)).toEqual({ known: false, refusal })
  })
})

describe('a roll call that was made before', () => {
  const called = (count: number, more: object = {}): Fleet & { known: true } => ({
    known: true,
    members: membersOf(count),
    at: START,
    ...more,
  })
  const again = (seconds: number, before: Fleet, now: number) =>
    callRollAgain(
      portsAt(seconds, () => membersOf(now)),
      before,
    )

  it('is repeated once it is a second old for each fifty machines', async () => {
    expect(await again(1.999, called(149), 1)).toMatchObject({ members: { length: 149 } })
    expect(await again(2, called(149), 1)).toMatchObject({ members: { length: 1 }, at: instant(2) })
    expect(await again(0, called(49), 1)).toMatchObject({ members: { length: 1 } })
  })

  it('is repeated where it was refused, or where it is not known when it was made', async () => {
    expect(await again(0, { known: false, refusal: 'x' }, 1)).toMatchObject({ members: { length: 1 } })
    const { at: _, ...undated } = called(500)
    expect(await again(0, undated, 1)).toMatchObject({ members: { length: 1 } })
  })

  it('tells what became of those that left, unless more have left since', async () => {
    const left = { ended: 1, untagged: 0 }
    expect(await again(9, called(3, { left }), 3)).toMatchObject({ left })
    expect(await again(9, called(3, { left }), 4)).toMatchObject({ left })
    expect(await again(9, called(3, { left }), 2)).not.toHaveProperty('left')
    expect(await again(9, called(3), 3)).not.toHaveProperty('left')
  })

  it('keeps nothing where the repetition is refused', async () => {
    const refusing = portsAt(9, () => {
      throw new Error('no')
    })
    const before = called(3, { left: { ended: 1, untagged: 0 } })
    expect(await callRollAgain(refusing, before)).toEqual({ known: false, refusal: 'Error: no' })
  })
})
