import { expect, it } from 'vitest'
import { mapConcurrently } from '../../lambda/kernel/map-concurrently.ts'

it.each([
  [2, 5, 2],
  [5, 2, 2],
])('with %d hands, %d works are under way %d at a time', async (hands, works, most) => {
  let underWay = 0
  let seen = 0
  const results = await mapConcurrently([...Array(works).keys()], hands, async (each) => {
    underWay += 1
    seen = Math.max(seen, underWay)
    await Promise.resolve()
    underWay -= 1
    return each * 2
  })
  expect(results).toEqual([...Array(works).keys()].map((each) => each * 2))
  expect(seen).toBe(most)
})
