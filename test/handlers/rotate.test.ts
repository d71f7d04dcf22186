import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { sharesNoKey } from '../../lambda/ring/ring.ts'
import { DeployedFunction } from './deployed-function.ts'

let deployed: DeployedFunction
beforeAll(async () => {
  deployed = await DeployedFunction.start()
})
afterAll(() => deployed?.stop())

describe('the rotation function, as deployed, in a process of its own', () => {
  it('answers status with what is, and no key', async () => {
    const { payload, logs } = await deployed.invoke({ action: 'status' })
    expect(payload).toMatchObject({
      action: 'status',
      ring: 'edge',
      generation: deployed.current().generation,
    })
    for (const key of [deployed.current().previous, deployed.current().current, deployed.current().next]) {
      expect(JSON.stringify(payload) + logs).not.toContain(key.serialise().slice(24, 60))
    }
  })

  it('fails an invocation it does not understand, and names what it does', async () => {
    const { functionError, payload } = await deployed.invoke({ action: 'explode' })
    expect(functionError).toBe('Unhandled')
    expect(JSON.stringify(payload)).toContain('status, rotate, deliver, revoke, reconcile')
  })

  it('answers a failure with its code, a whole sentence, and no stack of the minified bundle', async () => {
    const { payload, logs } = await deployed.invoke({ action: 'explode' })
    expect(payload).toEqual({
      errorType: 'request-invalid',
      errorMessage: expect.stringMatching(
        /^request-invalid: wanted .+; got .+\. Send what docs\/operations.md lists/,
      ),
      trace: [''],
    })
    expect(logs).toContain('"kind":"failed"')
    expect(logs).not.toContain('index.mjs')
  })

  it('has an audit line for each invocation that says who called, as far as Lambda tells', async () => {
    const clientContext = { custom: { caller: 'arn:aws:sts::123456789012:assumed-role/ops/alice' } }
    const { logs } = await deployed.testbed.aws.invoke(
      deployed.testbed.ring.functionName,
      { action: 'status' },
      { clientContext },
    )
    const [line] = logs.split('\n')
    expect(JSON.parse(line ?? '')).toMatchObject({
      kind: 'invoked',
      ring: 'edge',
      requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      function: expect.stringMatching(/:function:ticketring-edge-rotation$/),
      caller: 'not told by Lambda',
      callerSays: 'arn:aws:sts::123456789012:assumed-role/ops/alice',
    })
  })

  it('keeps the rotation token of Secrets Manager out of its log, also where the step is refused', async () => {
    const RotationToken = `rotation-token-${process.pid}-${'x'.repeat(20)}`
    const event = { SecretId: deployed.testbed.secret.arn, ClientRequestToken: 'f'.repeat(36), RotationToken }
    const { functionError, payload, logs } = await deployed.invoke({ Step: 'createSecret', ...event })
    expect(functionError).toBe('Unhandled')
    expect(JSON.stringify(payload)).toContain('rotation-not-enabled')
    expect(JSON.stringify(payload) + logs).not.toContain(RotationToken)
  })

  it('has one beside it that only looks: the same answer, no call for a value, and no action', async () => {
    const { payload: acting } = await deployed.invoke({ action: 'status' })
    const calls = deployed.testbed.aws.history.calls.length
    const looking = await deployed.testbed.aws.invoke(deployed.testbed.ring.statusName, { action: 'status' })
    expect(looking.payload).toEqual({ ...(acting as object), asOf: expect.any(String) })
    const before = deployed.current()
    const refused = await deployed.testbed.aws.invoke(deployed.testbed.ring.statusName, {
      action: 'revoke',
      ring: 'edge',
      reason: 'a leak',
    })
    expect(refused.functionError).toBe('Unhandled')
    expect(JSON.stringify(refused.payload)).toContain('read-only')
    expect(deployed.current()).toEqual(before)
    const made = deployed.testbed.aws.history.calls.slice(calls).map(({ operation }) => operation)
    expect([...new Set(made)].sort()).toEqual([
      'DescribeInstanceInformation',
      'DescribeSecret',
      'GetParameters',
      'Invoke',
      'PutLogEvents',
    ])
  })
})

describe('over a fleet that has converged', () => {
  beforeEach(() => deployed.converge())

  it('revokes with proof: the machine refuses a ticket from before', async () => {
    const before = deployed.current()
    const { payload } = await deployed.invoke({
      action: 'revoke',
      ring: 'edge',
      reason: 'drill',
      token: 'drill-1',
    })
    expect(payload).toMatchObject({ proof: { refused: 1, stillAccepting: [], unproven: 0 } })
    expect(sharesNoKey(deployed.current(), before)).toBe(true)
    const notes = deployed.testbed.aws.history.commands.at(-1)?.invocations[0]?.stderr
    expect(notes).toContain(`keeping a ticket under ${before.current.name}`)
  })

  it('takes no more AWS calls for a rotation than the design allows', async () => {
    const count = () => Object.values(deployed.testbed.aws.apiCalls()).reduce((sum, n) => sum + n, 0)
    const before = { all: count(), ...deployed.testbed.aws.apiCalls() }
    await deployed.invoke({ action: 'rotate' })
    const calls = deployed.testbed.aws.apiCalls()
    const pages = ['ListCommands', 'ListCommandInvocations', 'DescribeInstanceInformation']
    const paged = pages.reduce((sum, name) => sum + (calls[name] ?? 0) - (before[name as 'all'] ?? 0), 0)
    expect(count() - before.all - paged).toBeLessThanOrEqual(12)
  })
})
