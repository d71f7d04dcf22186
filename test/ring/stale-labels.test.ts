import { describe, expect, it } from 'vitest'
import type { Labels } from '../../lambda/ring/labels.ts'
import type { Known } from '../../lambda/ring/situation.ts'
import { abandonedPending, labelOnRevoked, staleLabel } from '../../lambda/ring/stale-labels.ts'
import { configurationOf } from '../fakes/world.ts'

const NOW = new Date('2026-11-21T12:00:00.000Z')
const minutesAgo = (minutes: number) => new Date(NOW.getTime() - minutes * 60_000)
const known = (labels: Labels, more: Partial<Known> = {}) =>
  ({ now: NOW, labels, carried: {}, ...more }) as Known
const BY_SCHEDULE = configurationOf({ trigger: 'schedule' })
const BY_SECRETS_MANAGER = configurationOf({ trigger: 'secrets-manager' })

describe('once the fleet has converged', () => {
  const both = known({ current: 'v2', previous: 'v1', pending: 'v2' })

  it('AWSPENDING is taken off AWSCURRENT first, then AWSPREVIOUS', () => {
    expect(staleLabel(both, BY_SCHEDULE)).toMatchObject({ label: 'AWSPENDING', version: 'v2' })
    expect(staleLabel(known({ current: 'v2', previous: 'v1' }), BY_SCHEDULE)).toMatchObject({
      label: 'AWSPREVIOUS',
      version: 'v1',
    })
  })

  it('AWSPENDING stays where Secrets Manager rotates: it tells it that its rotation is complete', () => {
    expect(staleLabel(both, BY_SECRETS_MANAGER)).toMatchObject({ label: 'AWSPREVIOUS', version: 'v1' })
    expect(staleLabel(known({ current: 'v2', pending: 'v2' }), BY_SECRETS_MANAGER)).toBeUndefined()
  })

  it('nothing is taken off a version that AWSCURRENT names as well', () => {
    expect(staleLabel(known({ current: 'v2', previous: 'v2' }), BY_SCHEDULE)).toBeUndefined()
  })
})

describe('an AWSPENDING that no rotation works on', () => {
  const labels = { current: 'v1', pending: 'v2' }
  const seen = (minutes: number, version = 'v2') =>
    abandonedPending(known(labels, { carried: { pending: { version, since: minutesAgo(minutes) } } }))

  it('is noted when it is first seen, or is another one than before', () => {
    expect(abandonedPending(known(labels))).toMatchObject({ action: 'note-pending', version: 'v2' })
    expect(seen(99, 'v3')).toMatchObject({ action: 'note-pending', version: 'v2' })
  })

  it('is taken off after half an hour, not before', () => {
    expect(seen(29.9)).toBeUndefined()
    expect(seen(30)).toMatchObject({ action: 'unlabel', label: 'AWSPENDING', version: 'v2' })
  })

  it('is none where AWSCURRENT has it too, or nothing has', () => {
    expect(abandonedPending(known({ current: 'v1', pending: 'v1' }))).toBeUndefined()
    expect(abandonedPending(known({ current: 'v1' }))).toBeUndefined()
  })
})

describe('after a revocation', () => {
  const revoked = 'revoke-2'

  it('no label stays on what was revoked, in this order', () => {
    const labels = { current: revoked, previous: 'v1', pending: 'v3', revoking: revoked }
    expect(labelOnRevoked(known(labels, { pendingParent: 'v1' }))).toMatchObject({ label: 'AWSPREVIOUS' })
    const { previous: _, ...rest } = labels
    expect(labelOnRevoked(known(rest, { pendingParent: 'v1' }))).toMatchObject({
      label: 'AWSPENDING',
      version: 'v3',
    })
    expect(labelOnRevoked(known(rest, { pendingParent: revoked }))).toMatchObject({ label: 'REVOKING' })
    expect(labelOnRevoked(known({ current: revoked }))).toBeUndefined()
  })

  it('and of any other commit this is no matter', () => {
    expect(
      labelOnRevoked(known({ current: 'v2', previous: 'v1', pending: 'v3', revoking: 'v2' })),
    ).toBeUndefined()
  })
})

it('after a revocation, AWSPENDING on what is no ring is left to its age', () => {
  const garbled = known({ current: 'revoke-2', pending: 'garbled' })
  expect(labelOnRevoked(garbled)).toBeUndefined()
  const derived = { ...garbled, pendingParent: 'advance-1' }
  expect(labelOnRevoked(derived)).toMatchObject({ label: 'AWSPENDING', version: 'garbled' })
  expect(labelOnRevoked({ ...garbled, pendingParent: 'revoke-2' })).toBeUndefined()
})
