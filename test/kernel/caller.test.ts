import { describe, expect, it } from 'vitest'
import { callerOf } from '../../lambda/kernel/caller.ts'

describe('who called', () => {
  it.each([
    [{ Step: 'createSecret' }, 'Secrets Manager, by the event'],
    [{ action: 'rotate', scheduledTime: '2026-11-21T19:00:00Z' }, 'EventBridge Scheduler, by the event'],
    [{ action: 'reconcile' }, 'EventBridge Scheduler, by the event of a tick'],
    [{ action: 'refresh' }, 'EventBridge Scheduler, by the event of a tick'],
    [{ action: 'reconcile', reason: 'by hand' }, 'not told by Lambda'],
    [{ action: 'revoke' }, 'not told by Lambda'],
    ['text', 'not told by Lambda'],
    [null, 'not told by Lambda'],
  ])('of %o is %s', (event, caller) => {
    expect(callerOf(event, {})).toEqual({ caller })
  })

  it('says itself who it is, on one line', () => {
    const says = (custom: unknown) => callerOf({ action: 'revoke' }, { clientContext: { custom } }).callerSays
    expect(says({ caller: 'assumed-role/ops/Zoë' })).toBe('assumed-role/ops/Zoë')
    expect(says({ caller: 'a\n{"kind":"invoked"}' })).toBe('a?{"kind":"invoked"}')
    expect(says({ caller: 'x'.repeat(5000) })?.length).toBeLessThan(210)
    for (const other of [undefined, null, 7, 'alice', { caller: 7 }, { caller: '' }])
      expect(says(other)).toBeUndefined()
  })

  it('is told by Cognito where its credentials are from there', () => {
    const identity = { cognitoIdentityId: 'eu-west-1:1234', cognitoIdentityPoolId: 'eu-west-1:5678' }
    expect(callerOf({ action: 'status' }, { identity })).toMatchObject({ cognitoIdentity: 'eu-west-1:1234' })
    expect(callerOf({ action: 'status' }, { identity: { cognitoIdentityId: '' } })).not.toHaveProperty(
      'cognitoIdentity',
    )
  })
})
