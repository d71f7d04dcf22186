import { describe, expect, it } from 'vitest'
import type { Heard } from '../../lambda/fleet/evidence.ts'
import { countReleases, MOST_RELEASES } from '../../lambda/fleet/releases.ts'

const runs = (serverVersion: string): Heard => ({ confirmed: true, server: 'haproxy', serverVersion })
const heard = (...all: readonly (readonly [string, Heard])[]) => new Map(all)
const release = (version: string, machines: number) => ({ server: 'haproxy', version, machines })

describe('releases', () => {
  it('of machines that are heard later are added to those of before', () => {
    const before = [release('2.6.12', 1)]
    const now = heard(['i-2', runs('2.6.12')], ['i-3', runs('3.2.4')])
    expect(countReleases(now, new Set(['i-1']), before)).toEqual([release('2.6.12', 2), release('3.2.4', 1)])
  })

  it('are counted afresh where one that was counted is heard again, or it is not known who was', () => {
    const now = heard(['i-1', runs('3.2.4')])
    const both = heard(['i-1', runs('3.2.4')], ['i-3', runs('3.2.4')])
    expect(countReleases(both, new Set(['i-1', 'i-2']), [release('2.6.12', 2)])).toEqual([
      release('3.2.4', 2),
    ])
    for (const holders of [new Set(['i-1', 'i-2']), undefined])
      expect(countReleases(now, holders, [release('2.6.12', 2)])).toEqual([release('3.2.4', 1)])
  })

  it('are of machines that confirmed and told', () => {
    const failed: Heard = { confirmed: false, code: 'tickets-off', detail: '', spoke: true, ran: true }
    expect(countReleases(heard(['i-1', failed], ['i-2', { confirmed: true }]), undefined)).toEqual([])
  })

  it('are those of most machines where there are more than a record names', () => {
    const odd = Array.from({ length: 12 }, (_, at) => [`i-${at}`, runs(`3.2.${at}`)] as const)
    const counted = countReleases(heard(...odd, ['i-x', runs('3.2.11')]), undefined)
    expect(counted).toHaveLength(MOST_RELEASES)
    expect(counted[0]).toEqual(release('3.2.11', 2))
  })
})
