import { describe, expect, it } from 'vitest'
import type { ObservationPorts } from '../../lambda/ring/observation.ts'
import { type ActionRequest, parseRotationRequest, requireLooking } from '../../lambda/ring/request.ts'
import { look } from '../../lambda/ring/status.ts'
import {
  parseStapleRequest,
  requireLooking as requireLookingAtStaples,
} from '../../lambda/staples/request.ts'
import { converged, stepOf, TIMING, World } from '../fakes/world.ts'

/** What the status function has: no value of the secret, nothing that writes. */
function lookingPorts({
  secret,
  record,
  controls,
  calendars,
  fleet,
  clock,
  eventLog,
  configuration,
}: World): ObservationPorts {
  return {
    configuration,
    versions: { labels: () => secret.labels() },
    records: { read: () => record.read() },
    controls,
    canary: fleet,
    calendars,
    inventory: fleet,
    clock,
    eventLog,
  }
}

const ask = (world: World, event: object) =>
  look(lookingPorts(world), requireLooking(parseRotationRequest(event)))

describe('a function that only looks', () => {
  it.each([
    { action: 'status' },
    ...['rotate', 'deliver', 'reconcile'].map((action) => ({ action, dryRun: true })),
  ])('answers %o as the one that acts does, and leaves nothing behind', async (event) => {
    const world = await converged()
    world.clock.advance(TIMING.every)
    const before = world.traces()
    const looked = await ask(world, event)
    expect(looked).toEqual(await world.invoke(event))
    expect(looked).toMatchObject({ generation: 1, did: [] })
    expect(world.traces()).toEqual(before)
  })

  it('publishes no metrics, nor does the one that acts when it is asked to look', async () => {
    const world = await converged()
    world.eventLog.entries.length = 0
    await ask(world, { action: 'status' })
    await world.invoke({ action: 'status' })
    await world.invoke({ action: 'rotate', dryRun: true })
    expect(world.eventLog.entries).toEqual([])
  })

  it('says so where the record does not know the version yet, for it reads no ring', async () => {
    const answer = await ask(new World(), { action: 'status' })
    expect(answer).toMatchObject({
      decision: {
        action: 'rest',
        reason: expect.stringMatching(/^the delivery record does not know version /),
      },
    })
    expect(answer).not.toHaveProperty('generation')
  })

  it.each(['rotate', 'deliver', 'revoke', 'reconcile'])('refuses to %s', (action) => {
    const request = { kind: 'action', action, dryRun: false } as ActionRequest
    expect(() => requireLooking(request)).toThrow(expect.objectContaining({ code: 'read-only' }))
  })

  it('refuses each step of Secrets Manager', () => {
    for (const step of ['createSecret', 'setSecret', 'testSecret', 'finishSecret'])
      expect(() => requireLooking(stepOf(step))).toThrow(expect.objectContaining({ code: 'read-only' }))
  })

  it.each([{ action: 'refresh' }, { action: 'deliver' }, { action: 'withdraw', certificate: 'www' }])(
    'refuses %o of staples',
    (event) => {
      expect(() => requireLookingAtStaples(parseStapleRequest(event))).toThrow(
        expect.objectContaining({ code: 'read-only' }),
      )
    },
  )

  it.each([{ action: 'status' }, { action: 'explain', certificate: 'www' }])(
    'lets %o of staples be',
    (event) => {
      expect(requireLookingAtStaples(parseStapleRequest(event))).toMatchObject(event)
    },
  )
})
