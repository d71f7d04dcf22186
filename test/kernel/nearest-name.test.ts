import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nearestName } from '../../lambda/kernel/nearest-name.ts'

const KNOWN = ['name', 'targets', 'fleetRoles', 'servers', 'rotation', 'minInstances', 'every', 'vpc', 'page']

describe('the nearest known name', () => {
  it.each([
    ['target', 'targets'],
    ['targetss', 'targets'],
    ['tragets', 'targets'],
    ['tarbets', 'targets'],
    ['fleetroles', 'fleetRoles'],
    ['FleetRole', 'fleetRoles'],
    ['mininstance', 'minInstances'],
    ['minimumInstances', 'minInstances'],
    ['evry', 'every'],
    ['vcp', 'vpc'],
    ['pages', 'page'],
  ])('for %s is %s', (name, nearest) => {
    expect(nearestName(name, KNOWN)).toBe(nearest)
  })

  it.each(['', 'x', 'role', 'schedule', 'vxx', 'evxxy', 'eexry', 'exvry', 'tragexx', 'x'.repeat(100_000)])(
    'for %s is none',
    (name) => {
      expect(nearestName(name, KNOWN)).toBeUndefined()
    },
  )

  it('is none where none is known, and the first of those that are as near', () => {
    expect(nearestName('name', [])).toBeUndefined()
    expect(nearestName('raters', ['waters', 'haters'])).toBe('waters')
    expect(nearestName('haters', ['waters', 'haters'])).toBe('haters')
  })

  const word = fc.string({ minLength: 6, maxLength: 12, unit: fc.constantFrom(...'abcdefgh') })

  it('is found whichever letter of it is wrong, missing, doubled or swapped with the next', () => {
    fc.assert(
      fc.property(word, fc.nat(10), fc.nat(3), (name, position, kind) => {
        const index = position % (name.length - 1)
        const [head, letter, next, tail] = [
          name.slice(0, index),
          name[index],
          name[index + 1],
          name.slice(index + 2),
        ]
        const wrong = [
          `${head}z${next}`,
          `${head}${next}`,
          `${head}${letter}${letter}${next}`,
          `${head}${next}${letter}`,
        ][kind]
        expect(nearestName(`${wrong}${tail}`, [name])).toBe(name)
      }),
    )
  })
})
