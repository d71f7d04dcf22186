import { expect, it } from 'vitest'
import { Inspection, Place } from '../../lambda/kernel/inspection.ts'
import { object } from '../../lambda/kernel/settings.ts'

it.each([
  [() => 1, '() => 1'],
  [Symbol('x'), 'Symbol(x)'],
])('what JSON has no words for is refused as what it is: %s', (value, shown) => {
  const inspection = new Inspection()
  object({}).read(value, new Place(inspection, 'rings[0]'), {})
  expect(() => inspection.settle('a sound configuration')).toThrow(
    expect.objectContaining({ code: 'configuration-invalid', message: expect.stringContaining(shown) }),
  )
})

it('a place is sound where all that is wrong stands elsewhere', () => {
  const inspection = new Inspection()
  const [first, second] = [new Place(inspection, 'rings[0]'), new Place(inspection, 'rings[1]')]
  first.at('name').note('a name', 7)
  second.at('target').note('a tag', undefined)
  expect([first, first.at('name'), first.at('every'), second].map((place) => place.isSound())).toEqual([
    false,
    false,
    true,
    false,
  ])
})
