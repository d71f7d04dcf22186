import { describe, expect, it } from 'vitest'
import { expectedMembers, followed, isNews } from '../../lambda/fleet/expected-members.ts'
import { countOf, fleetTrouble, type Left, membershipOf, rollCallOf } from '../../lambda/fleet/membership.ts'

const NOW = new Date('2026-11-21T12:00:00.000Z')
const TARGET = { tag: 'ring', values: ['a', 'b'] }
const hoursAgo = (hours: number) => new Date(NOW.getTime() - hours * 3_600_000)
const membersOf = (count: number) =>
  Array.from({ length: count }, (_, at) => ({ id: `i-${at}`, online: at > 0 }))

function troubleOf(members: number, before: number, left?: Left, target: object = {}): string | undefined {
  return fleetTrouble({
    fleet: { known: true, members: membersOf(members), ...(left === undefined ? {} : { left }) },
    carried: before === 0 ? {} : { baseline: { members: before, at: NOW } },
    target: { ...TARGET, ...target },
    now: NOW,
  })
}

describe('a roll call is trusted', () => {
  it.each<[string, ...Parameters<typeof troubleOf>]>([
    ['where no machine has ever answered', 0, 0],
    ['where no machine has ever answered, whatever minInstances says', 0, 0, undefined, { minInstances: 3 }],
    ['where half of them answer', 2, 4],
    ['where the others were terminated', 1, 4, { ended: 2, untagged: 0 }],
    ['where all were terminated', 0, 4, { ended: 4, untagged: 0 }],
    ['where more were terminated than are known', 0, 4, { ended: 5, untagged: 0 }],
    ['where as many answer as minInstances says', 3, 100, undefined, { minInstances: 3 }],
    ['where the share that is to be there is', 9, 10, undefined, { minShare: 90 }],
  ])('%s', (_, ...question) => {
    expect(troubleOf(...question)).toBeUndefined()
  })
})

describe('a roll call is not trusted', () => {
  it.each<[string, ...Parameters<typeof troubleOf>]>([
    ['only 1 of 4 machines still answer to the tag ring=a|b', 1, 4],
    ['only 1 of 4 machines still answer to the tag ring=a|b', 1, 4, { ended: 1, untagged: 0 }],
    [
      'only 1 of 4 machines still answer to the tag ring=a|b; 2 that Systems Manager still lists do not',
      1,
      4,
      { ended: 1, untagged: 2 },
    ],
    ['no machine answers to the tag ring=a|b any more; 4 did', 0, 4],
    ['no machine answers to the tag ring=a|b any more; 1 did', 0, 1],
    ['only 8 of 10 machines still answer to the tag ring=a|b', 8, 10, undefined, { minShare: 90 }],
    ['2 machines with the tag ring=a|b, fewer than minInstances (3)', 2, 2, undefined, { minInstances: 3 }],
    ['2 machines with the tag ring=a|b, fewer than minInstances (3)', 2, 0, undefined, { minInstances: 3 }],
  ])('%s', (said, ...question) => {
    expect(troubleOf(...question)).toBe(said)
  })

  it('where it was refused', () => {
    const fleet = { known: false, refusal: 'AccessDenied' } as const
    expect(fleetTrouble({ fleet, carried: {}, target: TARGET, now: NOW })).toBe(
      'the roll call was refused: AccessDenied',
    )
    expect(rollCallOf(fleet)).toBeUndefined()
  })
})

it('machines are the same fleet in whatever order they are listed, and another one where one differs', () => {
  expect(membershipOf(['i-1', 'i-2'])).toMatch(/^[0-9a-f]{32}$/)
  expect(membershipOf(['i-2', 'i-1'])).toBe(membershipOf(['i-1', 'i-2']))
  expect(membershipOf(['i-1', 'i-3'])).not.toBe(membershipOf(['i-1', 'i-2']))
  expect(rollCallOf({ known: true, members: membersOf(2) })).toBe(membershipOf(['i-0', 'i-1']))
  expect(countOf(membersOf(3))).toEqual({ members: 3, online: 2 })
})

describe('what a fleet is measured against', () => {
  const before = { members: 8, at: hoursAgo(9) }

  it('is as many as there were, for an hour after they became fewer; then half as many after each two hours', () => {
    const expected = (hours: number) => expectedMembers({ ...before, fewerSince: hoursAgo(hours) }, NOW)
    expect([0, 1, 3, 5].map(expected)).toEqual([8, 8, 4, 2])
    expect(expectedMembers(before, NOW)).toBe(8)
    expect(expectedMembers(undefined, NOW)).toBe(0)
  })

  it('follows a larger fleet at once, and a smaller one from when it was seen', () => {
    expect(followed(before, 8, NOW)).toEqual({ members: 8, at: NOW })
    expect(followed(before, 9, NOW)).toEqual({ members: 9, at: NOW })
    expect(followed(undefined, 2, NOW)).toEqual({ members: 2, at: NOW })
    const fewer = followed(before, 3, NOW)
    expect(followed({ ...before, fewerSince: hoursAgo(0.5) }, 8, NOW)).toEqual({ members: 8, at: NOW })
    expect(fewer).toEqual({ ...before, fewerSince: NOW })
    expect(followed(fewer, 2, new Date(NOW.getTime() + 1000))).toBe(fewer)
  })

  it('has news where the number changes, or begins or ends to be fewer', () => {
    expect(isNews(undefined, 3, NOW)).toBe(false)
    expect(isNews(before, 8, NOW)).toBe(false)
    expect(isNews(before, 9, NOW)).toBe(true)
    expect(isNews(before, 7, NOW)).toBe(true)
    const fewer = { ...before, fewerSince: hoursAgo(0.5) }
    expect(isNews(fewer, 7, NOW)).toBe(false)
    expect(isNews(fewer, 8, NOW)).toBe(true)
  })
})
