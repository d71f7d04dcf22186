import { describe, expect, it } from 'vitest'
import type { Carried } from '../../lambda/ring/delivery-record.ts'
import { parseRecord } from '../../lambda/ring/delivery-record-text.ts'
import { observe } from '../../lambda/ring/observation.ts'
import { perform } from '../../lambda/ring/perform.ts'
import type { ActionRequest } from '../../lambda/ring/request.ts'
import { converged, REVOKE, type World } from '../fakes/world.ts'

const TICK: ActionRequest = { kind: 'action', action: 'reconcile', dryRun: false }
const carriedBy = ({ record }: World) => parseRecord(record.text ?? '').carried

describe('a label that is taken off', () => {
  const ALIEN = { version: 'alien', since: new Date('2026-11-21T18:00:00.000Z') }
  /** AWSPENDING is on a version that was noted before, and AWSPREVIOUS on another one. */
  async function take(label: 'AWSPENDING' | 'AWSPREVIOUS', carried: Carried = { pending: ALIEN }) {
    const world = await converged()
    world.secret.holders.set('AWSPENDING', 'alien').set('AWSPREVIOUS', 'older')
    const situation = { ...(await observe(world.ports())), carried }
    let writes = 0
    const records = {
      read: () => world.record.read(),
      write: (text: string) => {
        writes += 1
        return world.record.write(text)
      },
    }
    const version = label === 'AWSPENDING' ? 'alien' : 'older'
    const decision = { action: 'unlabel', label, version, reason: 'x' } as const
    const wanted = { situation, intent: { action: 'reconcile' } } as const
    const after = await perform({ ...world.ports(), records }, wanted, decision, TICK)
    return { world, writes, after }
  }

  it('is forgotten where it was the AWSPENDING that was noted: another one has half an hour again', async () => {
    const { world, writes, after } = await take('AWSPENDING')
    expect(after).toMatchObject({ labels: { previous: 'older' }, carried: {}, taken: true })
    expect(after).not.toHaveProperty('carried.pending')
    expect(after).not.toHaveProperty('labels.pending')
    expect(writes).toBe(1)
    expect(carriedBy(world)).not.toHaveProperty('pending')
  })

  it('is no reason to forget the AWSPENDING that is still there', async () => {
    const { writes, after } = await take('AWSPREVIOUS')
    expect(after).toMatchObject({ labels: { pending: 'alien' }, carried: { pending: ALIEN } })
    expect(after).not.toHaveProperty('labels.previous')
    expect(writes).toBe(0)
  })

  it('costs no record where none was noted', async () => {
    expect((await take('AWSPENDING', {})).writes).toBe(0)
  })
})

it('an operator who delivers with a reason takes a fleet as it is, though a machine does not answer', async () => {
  const world = await converged(['i-1', 'i-2', 'i-3', 'i-4', 'i-5'])
  for (const instance of world.fleet.instances.slice(2)) instance.tagged = false
  const [lost] = world.fleet.instances
  if (lost) lost.conduct = 'lose'
  await world.invoke({ action: 'deliver', reason: 'scaled in' })
  expect(carriedBy(world).baseline?.members).toBe(2)
  expect(carriedBy(world)).toHaveProperty('highest')
})

describe('an action that is only tried', () => {
  it('is on the log with its reason, as one that is done', async () => {
    const world = await converged()
    await world.invoke({ ...REVOKE, dryRun: true })
    await world.invoke(REVOKE)
    expect(world.eventLog.of('asked')).toMatchObject([
      { action: 'revoke', reason: 'drill', dryRun: true },
      { action: 'revoke', reason: 'drill', dryRun: false },
    ])
  })

  it('says of a rotation what an earlier try of the same client did', async () => {
    const world = await converged()
    world.clock.advance(world.configuration.timing.every)
    const token = 'ticket-4711-of-the-change'
    await world.rotate({ token })
    const { decision } = await world.rotate({ token, dryRun: true })
    expect(decision.action).toBe('rest')
    expect(decision.reason).toMatch(/generation 2/)
  })
})
