import { expect, it } from 'vitest'
import { mostHopeful, type TryFailure } from '../../lambda/staples/failure.ts'

const failure = (kind: TryFailure['kind'], detail: string): TryFailure => ({
  code: 'responder-timeout',
  detail,
  kind,
  remedy: 'none',
})

it('of several responders that fail, one that asking soon may mend is acted on', () => {
  const [rejected, down, unheard] = [
    failure('permanent', 'rejected'),
    failure('transient', 'down'),
    failure('awaited', 'unheard'),
  ]
  expect(mostHopeful([rejected, down])).toBe(down)
  expect(mostHopeful([rejected, unheard, down])).toBe(unheard)
  expect(mostHopeful([rejected, failure('permanent', 'too')])).toBe(rejected)
  expect(mostHopeful([])).toBeUndefined()
})
