import { describe, expect, it } from 'vitest'
import { Inspection, Place } from '../../lambda/kernel/inspection.ts'
import { parseRotationConfiguration, type Rotation, rotation } from '../../lambda/ring/configuration.ts'
import { configurationOf, TIMING } from '../fakes/world.ts'

/** What an owner's `rotation` block comes to. */
function read(block: object): Rotation {
  const inspection = new Inspection()
  const read = rotation.read(block, new Place(inspection, 'rotation'), {})
  inspection.settle('a rotation')
  return read
}

const HOUR = 3600

describe('an owner who sets nothing', () => {
  it('gets T of 4 h, L of 2 h or half of T, and three times T as the oldest key', () => {
    expect(read({})).toMatchObject({ every: 4 * HOUR, ticketLifetime: 2 * HOUR, maxKeyAge: 12 * HOUR })
    expect(read({ every: '8h' })).toMatchObject({ ticketLifetime: 2 * HOUR, maxKeyAge: 24 * HOUR })
    expect(read({ every: '1h' })).toMatchObject({ ticketLifetime: HOUR / 2, maxKeyAge: 3 * HOUR })
    expect(read({ every: '61m' })).toMatchObject({ ticketLifetime: 1830 })
  })

  it('gets the schedule as trigger, and a ring at once', () => {
    expect(read({})).toMatchObject({ trigger: 'schedule' })
    expect(read({})).not.toHaveProperty('start')
  })
})

describe('an owner may set', () => {
  it.each([
    { every: '30m' },
    { every: '24h' },
    { every: '90m', trigger: 'schedule' },
    { every: '4h', trigger: 'secrets-manager' },
    { every: '5h', trigger: 'secrets-manager' },
    { every: '4h', ticketLifetime: '2h' },
    { every: '4h', ticketLifetime: '1h', maxKeyAge: '301m' },
    { start: 'paused' },
  ])('%j', (block) => {
    expect(read(block)).toMatchObject({ trigger: 'schedule', ...block, ...secondsOf(block) })
  })

  function secondsOf(block: object): object {
    const UNITS: Record<string, number> = { m: 60, h: HOUR }
    return Object.fromEntries(
      Object.entries(block).flatMap(([name, value]) => {
        const [, count, unit = ''] = /^(\d+)([mh])$/.exec(value) ?? []
        return count === undefined ? [] : [[name, Number(count) * (UNITS[unit] ?? 0)]]
      }),
    )
  }
})

describe('an owner may not set', () => {
  it.each([
    [{ every: '29m' }, 'rotation.every: wanted from 30m to 24h'],
    [{ every: '1441m' }, 'rotation.every: wanted from 30m to 24h'],
    [{ every: '1801s' }, 'rotation.every: wanted whole minutes'],
    [{ every: '3h', trigger: 'secrets-manager' }, 'rotation.every: wanted whole hours, 4 or more'],
    [{ every: '270m', trigger: 'secrets-manager' }, 'rotation.every: wanted whole hours, 4 or more'],
    [{ every: '4h', ticketLifetime: '7201s' }, 'rotation.ticketLifetime: wanted at most half of every'],
    [
      { every: '4h', ticketLifetime: '1h', maxKeyAge: '5h' },
      'rotation.maxKeyAge: wanted more than every and ticketLifetime together',
    ],
    [{ start: 'never' }, 'rotation.start'],
  ])('%j', (block, problem) => {
    expect(() => read(block)).toThrow(problem)
  })
})

describe('what the function is told', () => {
  const told = (timing: object) =>
    parseRotationConfiguration(JSON.stringify({ ...configurationOf(), timing: { ...TIMING, ...timing } }))

  it('may be as short as a rehearsal has it, as long as it can be reckoned with', () => {
    const short = { every: 10, ticketLifetime: 5, maxKeyAge: 11 }
    expect(told(short).timing).toMatchObject(short)
    expect(() => told({ ...short, maxKeyAge: 10 })).toThrow('maxKeyAge: wanted more than every')
    expect(() => told({ ...short, ticketLifetime: 6 })).toThrow(
      'ticketLifetime: wanted at most half of every',
    )
  })
})
