import { describe, expect, it } from 'vitest'
import { duration, durationText, refuseDurations } from '../../lambda/kernel/durations.ts'
import { Inspection, Place } from '../../lambda/kernel/inspection.ts'
import { flag, integer, list, oneOf, text, url } from '../../lambda/kernel/kinds.ts'
import {
  explicit,
  type Kind,
  machineSettings,
  object,
  optional,
  orEmpty,
  refuseNamesakes,
  refuseRepeated,
  setting,
} from '../../lambda/kernel/settings.ts'

/** What a value is read as; throws with every problem where there is one. */
function read<T>(kind: Kind<T>, value: unknown): T {
  const inspection = new Inspection()
  const found = kind.read(value, new Place(inspection, 'a'), {})
  inspection.settle('a sound configuration')
  return found
}
const refusalOf = (kind: Kind<unknown>, value: unknown): string => {
  try {
    read(kind, value)
  } catch (error) {
    return (error as Error).message
  }
  return 'taken'
}

it('a list says how many it takes', () => {
  const wanted = (least: number, most?: number) =>
    refusalOf(list(flag, { least, ...(most === undefined ? {} : { most }), of: 'flags' }), [])
  expect(wanted(2)).toContain('wanted a list of 2 or more flags')
  expect(wanted(1, 3)).toContain('wanted a list of 1 to 3 flags')
  expect(wanted(3, 3)).toContain('wanted a list of 3 flags')
})

describe('a kind of value', () => {
  it.each<[string, Kind<unknown>, readonly unknown[], readonly unknown[], string]>([
    ['a text by a pattern', text(/^x+$/, 'x'), ['x', 'xx'], ['', 'y', 7, null], 'wanted x'],
    ['a text by a rule', text((each) => each.length < 3, 'short'), ['', 'ab'], ['abc', 7], 'wanted short'],
    ['a flag', flag, [true, false], ['true', 0, null], 'wanted true or false'],
    [
      'a number',
      integer(2),
      [2, 1e9],
      [1, 2.5, '2', Number.NaN, 2 ** 53],
      'wanted a whole number of 2 or more',
    ],
    ['a percentage', integer(0, 100, 'percent'), [0, 100], [-1, 101], 'a whole number of percent, 0 to 100'],
    ['one of a few', oneOf('a', 'b'), ['a', 'b'], ['c', 1], 'wanted one of a, b'],
    [
      'a URL',
      url('http:', 'https:'),
      ['http://x/', 'https://x:8443/y?z'],
      ['ftp://x/', 'x', 'http://', 'http://u@x/', 'http://:p@x/', 7],
      'wanted a URL of http or https without credentials',
    ],
    [
      'a list',
      list(flag, { least: 1, of: 'flags' }),
      [[true], [true, false]],
      [[], true],
      'a list of 1 or more flags',
    ],
    [
      'a short list',
      list(flag, { least: 1, most: 2, of: 'flags' }),
      [[true], [true, false]],
      [[], [true, true, true]],
      'a list of 1 to 2 flags',
    ],
    [
      'a list of one size',
      list(flag, { least: 2, most: 2, of: 'flags' }),
      [[true, true]],
      [[true]],
      'a list of 2 flags',
    ],
  ])('is %s', (_, kind, taken, refused, wanted) => {
    for (const value of taken) expect(read(kind, value)).toEqual(value)
    for (const value of refused) expect(refusalOf(kind, value)).toContain(wanted)
  })

  it.each([
    ['1s', 1],
    ['90m', 5400],
    ['4h', 14_400],
    ['1d', 86_400],
    [30, 30],
  ])('is a duration, in seconds: %j', (value, seconds) => {
    expect(read(duration, value)).toBe(seconds)
  })

  it.each(['0s', '-1s', '1.5h', '1 h', '1w', 'x1h', '1hx', '12345678s', '', 0, -1, 1.5, null])(
    'is no duration: %j',
    (value) => {
      expect(refusalOf(duration, value)).toContain('a duration such as 90s, 30m, 4h or 1d')
    },
  )

  it('is a list whose items are judged each at its place, and together', () => {
    const named = list(
      text(/./, 'a name'),
      { least: 0, of: 'names' },
      {
        check: (values, place) => refuseRepeated(values, (index) => place.at(index)),
      },
    )
    expect(refusalOf(named, ['x', ''])).toContain('a[1]: wanted a name; got ""')
    expect(refusalOf(named, ['x', 'y', 'x'])).toContain(
      'a[2]: wanted a name other than that of a[0]; got "x"',
    )
    expect(read(named, ['x', 'y'])).toEqual(['x', 'y'])
  })
})

describe('an object', () => {
  const block = object({
    every: setting(duration, { normal: 60 }),
    half: setting(duration, { normal: ({ every }) => Number(every) / 2 }),
    name: setting(text(/^[a-z]+$/, 'letters')),
    start: optional(oneOf('now', 'later'), { usual: 'now' }),
  })

  it('has what is given, and what is usual where nothing is', () => {
    expect(read(block, { name: 'x' })).toEqual({ every: 60, half: 30, name: 'x' })
    expect(read(block, { name: 'x', every: '2m' })).toEqual({ every: 120, half: 60, name: 'x' })
    expect(read(block, { name: 'x', half: 1, start: 'later' })).toEqual({
      every: 60,
      half: 1,
      name: 'x',
      start: 'later',
    })
    expect(read(block, { name: 'x', start: 'now' })).not.toHaveProperty('start')
  })

  it.each([
    [{}, 'a.name: wanted letters; got nothing'],
    [{ name: 'x', every: '0s' }, 'a.every: wanted a duration'],
    [{ name: 'x', start: 'never' }, 'a.start: wanted one of now, later'],
    [{ name: 'x', evry: 1 }, 'a.evry: wanted no field but every, half, name, start (did you mean every?)'],
    [{ name: 'x', q: 1 }, 'a.q: wanted no field but every, half, name, start; got "q"'],
    ['x', 'a: wanted an object with every, half, name, start; got "x"'],
    [null, 'a: wanted an object'],
    [[], 'a: wanted an object'],
  ])('is refused: %j', (value, problem) => {
    expect(refusalOf(block, value)).toContain(problem)
  })

  it('that is none has one problem, not one for each of its fields', () => {
    expect(refusalOf(block, 7)).toContain('1 problem:')
    expect(refusalOf(block, { every: 'x', name: 7 })).toContain('2 problems:')
  })

  it('may be left out where all of it may', () => {
    const all = object({ every: setting(duration, { normal: 60 }) })
    expect(read(orEmpty(all), undefined)).toEqual({ every: 60 })
    expect(read(orEmpty(all), { every: 1 })).toEqual({ every: 1 })
    expect(refusalOf(all, undefined)).toContain('got nothing')
    expect(refusalOf(orEmpty(all), null)).toContain('got null')
  })

  it('that a construct tells has no defaults', () => {
    const told = object(explicit({ every: setting(duration, { normal: 60 }), at: optional(duration) }))
    expect(read(told, { every: 1 })).toEqual({ every: 1 })
    expect(refusalOf(told, {})).toContain('a.every: wanted a duration')
  })

  it('is judged as a whole, where it is one', () => {
    const judged = object({ a: setting(duration), b: setting(duration) }, (values, place) =>
      refuseDurations([['b', 'more than a', ({ a, b }) => b <= a]], values, place),
    )
    expect(read(judged, { a: 1, b: 2 })).toEqual({ a: 1, b: 2 })
    expect(refusalOf(judged, { a: '1h', b: '30m' })).toContain('a.b: wanted more than a; got "30m"')
    expect(refusalOf(judged, { a: 'x', b: 1 })).toContain('1 problem:')
  })
})

it('names that are repeated are refused each, but not those that are missing', () => {
  const notedOf = (...names: readonly string[]) => {
    const inspection = new Inspection()
    refuseNamesakes(
      names.map((name) => ({ name })),
      new Place(inspection, 'rings'),
    )
    try {
      inspection.settle('names')
    } catch (error) {
      return (error as Error).message
    }
    return ''
  }
  expect(notedOf('a', 'b', '', '')).toBe('')
  expect(notedOf('a', 'b', 'b')).toContain(
    'rings[2].name: wanted a name other than that of rings[1]; got "b"',
  )
})

it('a duration is written in the largest unit that divides it', () => {
  expect([1, 60, 90, 3600, 5400, 86_400, 90_000].map(durationText)).toEqual([
    '1s',
    '1m',
    '90s',
    '1h',
    '90m',
    '1d',
    '25h',
  ])
})

it('machines are told what they are to know, in their words', () => {
  const paths = list(text(/./, 'a path'), { least: 0, of: 'paths' }, { text: (values) => values.join(' ') })
  const fields = {
    every: setting(duration),
    lifetime: setting(duration, { machine: 'TICKET_LIFETIME' }),
    absent: optional(duration, { machine: 'ABSENT' }),
    verify: setting(object({ paths: setting(paths, { machine: 'PATHS' }) })),
  }
  const values = { every: 1, lifetime: 7200, verify: { paths: ['/a', '/b'] } }
  expect(machineSettings(fields, values)).toEqual({ TICKET_LIFETIME: '7200', PATHS: '/a /b' })
})

describe('a problem', () => {
  it('is shown by its value, cut where that is long', () => {
    const shown = (value: unknown) => refusalOf(flag, value)
    expect(shown('x'.repeat(78))).toContain(`got "${'x'.repeat(78)}"`)
    expect(shown('x'.repeat(79))).toContain(`got "${'x'.repeat(76)}…`)
    expect(shown(undefined)).toContain('got nothing')
  })

  it('keeps from use what stands at its place and below, and nothing else', () => {
    const inspection = new Inspection()
    const place = new Place(inspection, 'rings')
    place.at(0).at('name').note('a name', 7)
    expect([place.isSound(), place.at(0).isSound(), place.at(1).isSound()]).toEqual([false, false, true])
    place.at(1).unheard().note('a name', 7)
    expect(place.at(1).isSound()).toBe(true)
    expect(() => inspection.settle('rings')).toThrow('rings[0].name: wanted a name; got 7')
    expect(() => new Inspection().settle('rings')).not.toThrow()
  })
})
