import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { sharesNoKey } from '../../lambda/ring/ring.ts'
import type { Fault } from '../../local/aws/loopback.ts'
import { DeployedFunction } from './deployed-function.ts'

let deployed: DeployedFunction
beforeAll(async () => {
  deployed = await DeployedFunction.start()
})
afterAll(() => deployed?.stop())
beforeEach(() => deployed.converge())

describe.each([
  [{ operation: 'PutSecretValue', when: 'before', effect: 'kill' }],
  [{ operation: 'PutSecretValue', when: 'after', effect: 'kill' }],
  [{ operation: 'UpdateSecretVersionStage', when: 'after', effect: 'kill' }],
  [{ operation: 'UpdateSecretVersionStage', when: 'after', effect: 'drop' }],
  [{ operation: 'SendCommand', when: 'after', effect: 'kill' }],
  [{ operation: 'PutParameter', when: 'before', effect: 'kill' }],
] satisfies [Fault][])('a function that meets %o', (fault) => {
  it.each(['rotate', 'revoke'] as const)(
    'during a %s reaches the same end when run again',
    async (action) => {
      const before = deployed.current()
      const spelt = action === 'revoke' ? { ring: 'edge', reason: 'drill' } : {}
      const event = { action, ...spelt, token: `${action}-${before.generation}` }
      deployed.testbed.aws.faults.add(fault)
      const { functionError } = await deployed.invoke(event)
      deployed.testbed.aws.faults.clear()
      // A client that got no answer asks again with its token.
      if (functionError !== undefined) await deployed.invoke(event)
      await deployed.converge()
      expect(deployed.current().generation).toBe(before.generation + 1)
      expect(sharesNoKey(deployed.current(), before)).toBe(action === 'revoke')
      const labels = deployed.testbed.aws
        .secretVersions(deployed.testbed.secret.arn)
        .flatMap((version) => version.labels)
      expect(labels).toEqual(['AWSCURRENT'])
    },
  )
})

describe('a function that is throttled', () => {
  it('waits out a throttled SendCommand', async () => {
    const sent = deployed.testbed.aws.history.commands.length
    deployed.testbed.aws.faults.add({
      operation: 'SendCommand',
      when: 'before',
      effect: 'throttle',
      times: 2,
    })
    const { functionError, payload } = await deployed.invoke({ action: 'deliver' })
    expect({ functionError, payload }).toMatchObject({
      functionError: undefined,
      payload: { did: ['deliver: asked for by hand', expect.stringMatching(/^await: /)] },
    })
    expect(
      deployed.testbed.aws.history.calls.filter(
        ({ operation, error }) => operation === 'SendCommand' && error === 'ThrottlingException',
      ),
    ).toHaveLength(2)
    expect(deployed.testbed.aws.history.commands.length).toBe(sent + 1)
  })
})
