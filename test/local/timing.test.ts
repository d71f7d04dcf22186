import { describe, expect, test } from 'vitest'
import type { Fleet } from '../../local/rehearsal/machines/kinds.ts'
import { outlookOf, patienceWith, timingFor } from '../../local/rehearsal/timing.ts'

const USUAL: Fleet = { haproxy: 3, nginx: 2 }
const EVERY_KIND: Fleet = { haproxy: 2, nginx: 2, trafficserver: 2, h2o: 2, dnsdist: 2, lighttpd: 2 }

describe('the pace of a show', () => {
  test('is that of its slowest kind, and State Manager comes no oftener than a rotation', () => {
    expect(timingFor(USUAL)).toMatchObject({ every: 6, association: 60 })
    expect(timingFor({ ...USUAL, h2o: 2 })).toMatchObject({ every: 22, association: 60 })
    expect(timingFor(EVERY_KIND)).toMatchObject({ every: 128, association: 128 })
  })

  test('counts the turns of machines that take minutes: a quarter of a fleet is served at a time', () => {
    expect(timingFor({ lighttpd: 1 }).every).toBe(128)
    expect(timingFor({ lighttpd: 2 }).every).toBe(256)
    expect(timingFor({ haproxy: 6, lighttpd: 2 }).every).toBe(128)
  })

  test('is told at the start, with what makes it long and what the first ring takes', () => {
    const outlook = (fleet: Fleet, rotations: number) => outlookOf(fleet, timingFor(fleet), rotations)
    expect(outlook(USUAL, 5)).toBe('a rotation every 6 s or longer: about 2 minutes for 5 rotations')
    expect(outlook({ lighttpd: 2 }, 1)).toBe(
      'a rotation every 256 s or longer, since lighttpd looks at its key every 64 s, and an advance takes two looks: about 12 minutes for 1 rotation',
    )
    expect(outlook(EVERY_KIND, 10)).toMatch(/every 128 s .*: about 26 minutes for 10 rotations$/)
  })

  test('says how long a fleet may take to converge before something is wrong', () => {
    expect(patienceWith(USUAL)).toBe(300)
    expect(patienceWith(EVERY_KIND)).toBe(700)
    expect(patienceWith({ lighttpd: 2 })).toBe(1100)
  })
})
