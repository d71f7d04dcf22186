import { describe, expect, it } from 'vitest'
import { type Bound, explore } from '../explore/explorer.ts'
import { judge } from '../explore/judge.ts'
import { actorsFor, pairsOf, STATES, scenarioOf } from '../explore/scenarios.ts'

/** One switch or one kill. `npm run explore` goes further. */
const BOUND: Bound = { switches: 1, stale: 0, kills: 1, all: 1 }

/** In parts, none of which takes long on a busy processor. */
const PARTS = STATES.flatMap((state) => actorsFor(state).map((one) => ({ state, one })))

describe('all schedules of two invocations with one switch or one kill', () => {
  it.each(PARTS.map((part) => [`${part.state.name} (${part.state.trigger})`, part.one, part] as const))(
    'keep every promise: %s, %s and another',
    async (_, __, { state, one }) => {
      const made = await state.make()
      for (const pair of pairsOf(actorsFor(state)).filter(([first]) => first === one))
        expect((await explore(scenarioOf(state, made, pair), BOUND, judge)).findings).toEqual([])
    },
  )
})
