import { describe, expect, it } from 'vitest'
import type { Heard } from '../../lambda/fleet/evidence.ts'
import { countRuns, MOST_PROGRAMS, MOST_RELEASES } from '../../lambda/fleet/releases.ts'

const [OLD, NEW] = ['0123456789ab', 'ba9876543210']
const runs = (serverVersion: string, script = OLD): Heard => ({
  confirmed: true,
  server: 'haproxy',
  serverVersion,
  script,
})
const heard = (...all: readonly (readonly [string, Heard])[]) => new Map(all)
const release = (version: string, machines: number) => ({ server: 'haproxy', version, machines })
const program = (version: string, machines: number) => ({ version, machines })

describe('releases and programs', () => {
  it('of machines that are heard later are added to those of before', () => {
    const before = { releases: [release('2.6.12', 1)], programs: [program(OLD, 1)] }
    const now = heard(['i-2', runs('2.6.12')], ['i-3', runs('3.2.4', NEW)])
    expect(countRuns(now, new Set(['i-1']), before)).toEqual({
      releases: [release('2.6.12', 2), release('3.2.4', 1)],
      programs: [program(OLD, 2), program(NEW, 1)],
    })
  })

  it('are counted afresh where one that was counted is heard again, or it is not known who was', () => {
    const now = heard(['i-1', runs('3.2.4', NEW)])
    const both = heard(['i-1', runs('3.2.4', NEW)], ['i-3', runs('3.2.4', NEW)])
    const before = { releases: [release('2.6.12', 2)], programs: [program(OLD, 2)] }
    expect(countRuns(both, new Set(['i-1', 'i-2']), before)).toEqual({
      releases: [release('3.2.4', 2)],
      programs: [program(NEW, 2)],
    })
    for (const holders of [new Set(['i-1', 'i-2']), undefined])
      expect(countRuns(now, holders, before)).toEqual({
        releases: [release('3.2.4', 1)],
        programs: [program(NEW, 1)],
      })
  })

  it('are of machines that confirmed and told', () => {
    const failed: Heard = { confirmed: false, code: 'tickets-off', detail: '', spoke: true, ran: true }
    const now = heard(
      ['i-1', failed],
      ['i-2', { confirmed: true }],
      ['i-3', { confirmed: true, script: NEW }],
    )
    expect(countRuns(now, undefined)).toEqual({ releases: [], programs: [program(NEW, 1)] })
  })

  it('are those of most machines where there are more than a record names', () => {
    const odd = Array.from(
      { length: 12 },
      (_, at) => [`i-${at}`, runs(`3.2.${at}`, `${at}`.padStart(12, '0'))] as const,
    )
    const { releases, programs } = countRuns(
      heard(...odd, ['i-x', runs('3.2.11', '000000000011')]),
      undefined,
    )
    expect(releases).toHaveLength(MOST_RELEASES)
    expect(releases[0]).toEqual(release('3.2.11', 2))
    expect(programs).toHaveLength(MOST_PROGRAMS)
    expect(programs[0]).toEqual(program('000000000011', 2))
  })
})
