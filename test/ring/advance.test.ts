import { describe, expect, it } from 'vitest'
import { TicketringError } from '../../lambda/kernel/errors.ts'
import { advance } from '../../lambda/ring/advance.ts'
import { observe } from '../../lambda/ring/observation.ts'
import type { Intent } from '../../lambda/ring/situation.ts'
import { converged, TIMING } from '../fakes/world.ts'

const IN_PROGRESS = new TicketringError('rotation-in-progress', { wanted: 'a rotation', came: 'another' })
const TICK: Intent = { action: 'reconcile' }
const BY_HAND: Intent = { action: 'rotate', manual: true }

/** What an advance comes to where Secrets Manager rotates, and was first asked so many milliseconds ago. */
async function advanceAfter(
  askedFor: number | undefined,
  { intent = TICK, refusal, pending }: { intent?: Intent; refusal?: Error; pending?: string } = {},
) {
  const world = await converged(['i-1'], { trigger: 'secrets-manager' })
  const asked: string[] = []
  const start = async (token: string) => {
    asked.push(token)
    if (refusal !== undefined) throw refusal
  }
  if (pending !== undefined) world.secret.holders.set('AWSPENDING', pending)
  else world.secret.holders.delete('AWSPENDING')
  const found = await observe(world.ports())
  const version = found.labels.current
  const since = new Date(world.clock.now().getTime() - (askedFor ?? 0))
  const carried = { ...found.carried, ...(askedFor === undefined ? {} : { asked: { version, since } }) }
  const ports = { ...world.ports(), rotations: { start } }
  const after = await advance(ports, { ...found, carried }, intent, false)
  return { after, asked, generation: world.ring().generation }
}

describe('where Secrets Manager rotates', () => {
  const patience = 13 * TIMING.tick * 1000

  it('it is asked to, and given thirteen ticks from when it was first asked', async () => {
    for (const askedFor of [undefined, 0, patience - 1]) {
      const { after, asked, generation } = await advanceAfter(askedFor)
      expect(after).toEqual({ stopped: expect.stringContaining('Secrets Manager was asked to rotate') })
      expect([asked.length, generation]).toEqual([1, 1])
    }
  })

  it('the function commits without it from then on', async () => {
    const { asked, generation } = await advanceAfter(patience)
    expect([asked, generation]).toEqual([[], 2])
  })

  it('a refusal ends a tick quietly only where AWSPENDING says that a rotation is under way', async () => {
    const refused = { refusal: IN_PROGRESS }
    await expect(advanceAfter(0, refused)).rejects.toBe(IN_PROGRESS)
    const { after } = await advanceAfter(0, { ...refused, pending: 'another' })
    expect(after).toEqual({ stopped: IN_PROGRESS.message })
    const denied = new TicketringError('access-denied', { wanted: 'a rotation', came: 'AccessDenied' })
    await expect(advanceAfter(0, { refusal: denied, pending: 'another' })).rejects.toBe(denied)
  })

  it('an operator who asks is told of every refusal', async () => {
    const asked = advanceAfter(0, { intent: BY_HAND, refusal: IN_PROGRESS, pending: 'another' })
    await expect(asked).rejects.toBe(IN_PROGRESS)
  })
})
