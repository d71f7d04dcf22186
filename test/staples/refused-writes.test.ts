import { beforeEach, describe, expect, it } from 'vitest'
import { TicketringError } from '../../lambda/kernel/errors.ts'
import { digestOf } from '../../lambda/staples/entry.ts'
import type { StaplePorts, StapleStore } from '../../lambda/staples/ports.ts'
import { StapleWorld } from '../fakes/staple-world.ts'

const DAY = 86_400
const wanted = 'to write the parameter'

const ERRORS: readonly (readonly [what: string, error: Error, reason: string])[] = [
  ['access denied', new TicketringError('access-denied', { wanted, came: 'AccessDenied' }), 'access-denied'],
  ['throttling', new TicketringError('throttled', { wanted, came: 'ThrottlingException' }), 'throttled'],
  [
    'a value it does not like',
    Object.assign(new Error(`no ${'x'.repeat(9000)}`), { name: 'ValidationException' }),
    'ValidationException',
  ],
]

/** Five certificates with a staple each, a day later, when all are due. */
let world: StapleWorld
beforeEach(async () => {
  world = new StapleWorld()
  for (const name of ['www', 'api', 'c', 'd', 'e']) world.add(name)
  await world.refresh()
  world.clock.advance(1.1 * DAY)
})

/** The ports over a store that refuses to write the entry of one certificate. */
function refusing(name: string, error: Error): StaplePorts {
  const ports = world.ports()
  const store: StapleStore = {
    read: (ids) => ports.store.read(ids),
    earlier: (id, version) => ports.store.earlier(id, version),
    write: (id, text, after) =>
      id === world.id(name) ? Promise.reject(error) : ports.store.write(id, text, after),
  }
  return { ...ports, store }
}

const heldBy = (machine: number, name: string) => world.fleet.machines[machine]?.held.get(world.id(name))
const digest = (name: string) => digestOf(world.entry(name)?.response?.der ?? new Uint8Array())
const run = (ports: StaplePorts) => world.invoke({ action: 'refresh' }, ports)

describe('a store that refuses one certificate', () => {
  it.each(ERRORS)(
    'for %s: the others are stored and delivered, and the run fails',
    async (_, error, reason) => {
      const [before, others] = [digest('www'), digest('api')]
      await expect(run(refusing('www', error))).rejects.toBe(error)
      expect(digest('www')).toBe(before)
      expect(digest('api')).not.toBe(others)
      for (const machine of [0, 1]) {
        expect(heldBy(machine, 'www')).toBe(before)
        expect(heldBy(machine, 'api')).toBe(digest('api'))
      }
      expect(world.metrics()).toMatchObject({ StapleFailures: 1, StaplesUndelivered: 0 })
      expect(world.eventLog.of('failing')).toEqual([{ kind: 'failing', reason, certificates: 1 }])
      const [trouble] = world.eventLog.of('trouble')
      expect(trouble?.during).toBe('storing the staple of www')
      expect(trouble?.detail.length).toBeLessThan(500)
    },
  )

  it('is asked again at the next run, and mends by itself', async () => {
    await expect(run(refusing('www', ERRORS[0]?.[1] as Error))).rejects.toThrow('access-denied')
    const before = digest('www')
    await world.refresh()
    expect(digest('www')).not.toBe(before)
    expect(world.metrics()?.StapleFailures).toBe(0)
  })

  it('keeps neither a failure of one nor the withdrawal of another from being done', async () => {
    for (let n = 0; n < 5; n++) world.add(`other${n}`)
    world.authority.manners.set('www', 'down').set('api', 'down')
    await world.pass(2.7 * DAY)
    for (let tick = 0; tick < 24; tick++) {
      world.clock.advance(900)
      await run(refusing('www', ERRORS[1]?.[1] as Error)).catch(() => undefined)
    }
    expect(world.entry('www')?.state).toBe('staple')
    expect(world.eventLog.of('withdrawn').map(({ certificate }) => certificate)).toEqual(['api'])
    expect(heldBy(0, 'api')).toBeUndefined()
  })

  it('still lets a revocation be known', async () => {
    world.authority.manners.set('www', 'revoked')
    await expect(run(refusing('www', ERRORS[0]?.[1] as Error))).rejects.toThrow('access-denied')
    expect(world.entry('www')?.response?.status).toBe('good')
    expect(world.metrics()).toMatchObject({ StaplesRevoked: 1, StapleFailures: 1 })
  })
})
