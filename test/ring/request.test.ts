import { describe, expect, it } from 'vitest'
import { parseRotationRequest, requireRing } from '../../lambda/ring/request.ts'

const STEP = { Step: 'createSecret', SecretId: 'arn:x', ClientRequestToken: 'a'.repeat(36) }
const ACTION = { kind: 'action', dryRun: false } as const

describe('a rotation by hand', () => {
  it('may have a token, a scheduled time and a reason', () => {
    const scheduledTime = '2026-11-21T19:00:00.000Z'
    expect(
      parseRotationRequest({ action: 'rotate', token: 't-1', scheduledTime, reason: 'r', dryRun: true }),
    ).toEqual({
      kind: 'action',
      action: 'rotate',
      token: 't-1',
      scheduledTime: new Date(scheduledTime),
      reason: 'r',
      dryRun: true,
    })
    expect(parseRotationRequest({ action: 'revoke', token: 't', ring: 'edge', reason: 'r' })).toEqual({
      ...ACTION,
      action: 'revoke',
      token: 't',
      ring: 'edge',
      reason: 'r',
    })
  })

  it.each(['status', 'deliver', 'reconcile'])('only: %s has neither', (action) => {
    expect(() => parseRotationRequest({ action, token: 't' })).toThrow('only rotate and revoke take one')
    expect(() => parseRotationRequest({ action, scheduledTime: '2026-11-21T19:00:00Z' })).toThrow(
      'only rotate has one',
    )
  })
})

describe('a revoke', () => {
  const of = (ring?: string) =>
    requireRing({ ...ACTION, action: 'revoke', ...(ring === undefined ? {} : { ring }) }, 'edge')

  it('is of the ring that it names', () => {
    expect(() => of('edge')).not.toThrow()
    expect(() => of('other')).toThrow(
      expect.objectContaining({
        code: 'request-invalid',
        wanted: 'a revoke that names its ring, "edge", and its reason',
        came: '"ring":"other"',
      }),
    )
    expect(() => of()).toThrow(expect.objectContaining({ came: 'no "ring"' }))
    expect(() => parseRotationRequest({ action: 'revoke' })).toThrow(
      expect.objectContaining({ wanted: 'a revoke that names its ring and its reason' }),
    )
  })

  it('alone names one', () => {
    expect(() => requireRing({ ...ACTION, action: 'rotate' }, 'edge')).not.toThrow()
  })
})

describe('a step of Secrets Manager', () => {
  const tokened = (ClientRequestToken: string) => () => parseRotationRequest({ ...STEP, ClientRequestToken })

  it('has a token of 32 to 64 printable characters', () => {
    for (const length of [32, 64]) expect(tokened('~'.repeat(length))).not.toThrow()
    for (const length of [31, 65]) expect(tokened('a'.repeat(length))).toThrow('32 to 64 characters')
    for (const token of [` ${'a'.repeat(40)}`, `${'a'.repeat(40)} `, `${'a'.repeat(20)} ${'a'.repeat(20)}`])
      expect(tokened(token)).toThrow('32 to 64 characters')
  })

  it('brings a token of its own for PutSecretValue where it has one', () => {
    expect(parseRotationRequest({ ...STEP, RotationToken: 'opaque' })).toMatchObject({
      rotationToken: 'opaque',
    })
    expect(parseRotationRequest(STEP)).not.toHaveProperty('rotationToken')
  })

  it('is taken with fields that AWS adds: the first ten are named, each cut', () => {
    const more = Object.fromEntries(Array.from({ length: 12 }, (_, at) => [`${'n'.repeat(70)}${at}`, 1]))
    const request = parseRotationRequest({ ...STEP, ...more })
    expect(request).toMatchObject({ unknown: Array.from({ length: 10 }, () => 'n'.repeat(64)) })
    expect(parseRotationRequest(STEP)).not.toHaveProperty('unknown')
  })
})
