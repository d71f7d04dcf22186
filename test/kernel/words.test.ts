import { expect, it } from 'vitest'
import { allMachines, counted } from '../../lambda/kernel/count.ts'
import { excerpt } from '../../lambda/kernel/excerpt.ts'
import { formatSeconds } from '../../lambda/kernel/time.ts'

it.each([
  [0.4, '0 s'],
  [119, '119 s'],
  [120, '2 min'],
  [7199, '120 min'],
  [7200, '2.0 h'],
  [12_600, '3.5 h'],
])('%d seconds are %s', (seconds, said) => {
  expect(formatSeconds(seconds)).toBe(said)
})

it('one machine is told from several', () => {
  expect([counted(1, 'machine'), counted(6500, 'machine')]).toEqual(['1 machine', '6,500 machines'])
  expect([allMachines(1, 'hold'), allMachines(3, 'hold')]).toEqual([
    'the one machine holds',
    'all 3 machines hold',
  ])
})

it('a text is cut where it is longer than it may be, and nowhere else', () => {
  expect([excerpt('abc', 3), excerpt('abcd', 3)]).toEqual(['abc', 'abc…'])
})
