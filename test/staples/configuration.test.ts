import { describe, expect, it } from 'vitest'
import { Inspection, Place } from '../../lambda/kernel/inspection.ts'
import { parseStapleConfiguration, refresh } from '../../lambda/staples/configuration.ts'
import { settingOf, stapleConfigurationOf } from '../fakes/staple-world.ts'

const MINUTE = 60
const HOUR = 60 * MINUTE

/** What a `refresh` block is read as, or the problems that are listed instead. */
function read(block: object): object | string {
  const inspection = new Inspection()
  const values = refresh.read(block, new Place(inspection, 'refresh'), {})
  try {
    inspection.settle('a sound configuration')
    return values
  } catch (error) {
    return (error as Error).message
  }
}

describe('when responders are asked', () => {
  it('is every quarter of an hour, from an hour to a day after a success, unless the owner says otherwise', () => {
    expect(read({})).toEqual({ every: 15 * MINUTE, least: HOUR, most: 24 * HOUR })
    expect(read({ least: '36h' })).toEqual({ every: 15 * MINUTE, least: 36 * HOUR, most: 36 * HOUR })
  })

  it.each(['5m', '7m', '1h'])('may be every %s', (every) => {
    expect(read({ every })).toMatchObject({ every: expect.any(Number) })
  })

  it.each([
    ['299s', 'from 5m to 1h'],
    ['3601s', 'from 5m to 1h'],
    ['2h', 'from 5m to 1h'],
    ['301s', 'whole minutes'],
  ])('may not be every %s: %s', (every, wanted) => {
    expect(read({ every })).toContain(wanted)
  })

  it('waits at most no shorter than at least', () => {
    expect(read({ least: '2h', most: '2h' })).toMatchObject({ least: 2 * HOUR, most: 2 * HOUR })
    expect(read({ least: '2h', most: '7199s' })).toContain('no less than least')
  })
})

describe('certificates in a file of their own', () => {
  const { certificates: _, ...others } = stapleConfigurationOf()
  const parse = (certificates: unknown, changes: object = {}) => {
    const asked: string[] = []
    const read = (file: string) => {
      asked.push(file)
      return JSON.stringify({ certificates: [settingOf('www')] })
    }
    try {
      const text = JSON.stringify({ ...others, certificates, ...changes })
      return { asked, names: parseStapleConfiguration(text, read).certificates.map(({ name }) => name) }
    } catch (error) {
      return { asked, problems: (error as Error).message }
    }
  }

  it('are read from the file that is named', () => {
    expect(parse({ file: 'certificates.json' })).toEqual({ asked: ['certificates.json'], names: ['www'] })
  })

  it.each(['../certificates.json', 'x/certificates.json', 'certificates.json5', 'certificates', ''])(
    'are not where the file is %j: no such file is opened, and every other problem is listed as well',
    (file) => {
      const { asked, problems } = parse({ file }, { haproxy: 'no' })
      expect(asked).toEqual([])
      expect(problems).toMatch(/certificates\.file/)
      expect(problems).toMatch(/haproxy/)
    },
  )

  it.each([null, 'certificates.json', 7])('are not where %j stands for them', (value) => {
    expect(parse(value).problems).toContain('a list of 0 or more certificates')
  })
})
