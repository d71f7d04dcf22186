import { describe, expect, it } from 'vitest'
import { TicketringError } from '../../lambda/kernel/errors.ts'
import { Fields, kindOf } from '../../lambda/kernel/fields.ts'

/** What was wanted and what came, of a field that is refused. */
function refusalOf(read: () => unknown): string {
  try {
    return `taken: ${String(read())}`
  } catch (error) {
    if (!(error instanceof TicketringError) || error.code !== 'request-invalid') throw error
    return `${error.wanted}; ${error.came}`
  }
}

function fieldsOf(value: unknown): Fields {
  return Fields.of(value, 'an event', 'request-invalid', ['it'])
}

describe('a field', () => {
  it.each([
    ['a string', (fields: Fields) => fields.string('it'), '', 'a non-empty string; an empty string'],
    ['a name', (fields: Fields) => fields.name('it', 'a name'), 'No', 'a name; a string of 2'],
    ['one of a few', (fields: Fields) => fields.oneOf('it', ['a', 'b']), 'c', 'one of a, b; "c"'],
    [
      'a whole number',
      (fields: Fields) => fields.integer('it', 3),
      2,
      'a whole number of 3 or more; a number',
    ],
    ['whole', (fields: Fields) => fields.integer('it', 3), 3.5, 'a whole number of 3 or more; a number'],
    [
      'a number',
      (fields: Fields) => fields.integer('it', 3),
      '3',
      'a whole number of 3 or more; a string of 1',
    ],
    ['a boolean', (fields: Fields) => fields.boolean('it'), 'true', 'true or false; a string of 4'],
    [
      'a time',
      (fields: Fields) => fields.time('it'),
      '2026-13-41T19:00:00Z',
      'a time such as 2026-11-21T19:00:00.000Z; a string of 20',
    ],
    ['a list', (fields: Fields) => fields.list('it', String), { length: 0 }, 'a list; a object'],
  ] as const)('that has to be %s is refused by name where it is not', (_, read, value, said) => {
    expect(refusalOf(() => read(fieldsOf({ it: value })))).toBe(`an event with "it" as ${said}`)
    expect(refusalOf(() => read(fieldsOf({})))).toMatch(/; no such field$/)
  })

  it('is taken as it is where it fits, down to the least that may come', () => {
    expect(fieldsOf({ it: 3 }).integer('it', 3)).toBe(3)
    expect(fieldsOf({ it: false }).boolean('it')).toBe(false)
    expect(fieldsOf({ it: ['a', 7] }).list('it', (each, at) => `${at}${each}`)).toEqual(['0a', '17'])
  })

  it('that is not known is refused, and shown no longer than a name is', () => {
    expect(refusalOf(() => fieldsOf({ it: 1, other: 2 }))).toBe(
      'an event with no fields but it; the unknown field "other"',
    )
    expect(refusalOf(() => fieldsOf({ ['x'.repeat(65)]: 1 }))).toContain(`"${'x'.repeat(64)}"`)
  })
})

it.each([
  [null, 'null'],
  [undefined, 'nothing'],
  ['', 'an empty string'],
  ['secret', 'a string of 6'],
  [[1, 2], 'an array of 2'],
  [7, 'a number'],
])('%o is described without being repeated', (value, said) => {
  expect(kindOf(value)).toBe(said)
})
