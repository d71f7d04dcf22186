import { execFile, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { parseRing, type Ring, sharesNoKey } from '../../lambda/ring/ring.ts'
import type { Fault } from '../../local/aws/loopback.ts'
import { synthesiseFor } from '../../local/rehearsal/synthesise.ts'
import { Testbed } from '../../local/rehearsal/testbed.ts'
import { forgetDisk } from '../../local/rehearsal/workspace.ts'

const FLEET = { haproxy: 1, nginx: 0 }
/** A long interval and a short ticket life: the ring turns when it is asked to, and may at once. */
const PACE = { every: 600, ticketLifetime: 1, tick: 1, association: 600 }

let directory: string
let testbed: Testbed

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'ticketring-handler-'))
  const synthesis = synthesiseFor(FLEET, join(directory, 'cdk.out'))
  testbed = await Testbed.build(FLEET, PACE, { synthesis })
  await testbed.tickOnce()
  await testbed.aws.idle()
  for (const machine of testbed.machines) await testbed.bringUp(machine)
})
afterAll(async () => {
  await testbed?.strike(true)
  forgetDisk(testbed.workspace)
  rmSync(directory, { recursive: true, force: true })
})
beforeEach(async () => {
  testbed.aws.faults.clear()
  await converge()
})

async function invoke(event: object) {
  return testbed.aws.invoke(testbed.ring.functionName, event)
}

/** Ticks until the fleet has confirmed and its tickets have lived: the gate is open. */
async function converge(): Promise<void> {
  await expect
    .poll(async () => (await invoke({ action: 'reconcile' })).payload)
    .toMatchObject({ decision: { action: 'rest' }, fleet: { members: 1, confirmed: 1 } })
  await pause(PACE.ticketLifetime * 1000 + 50)
}

function ring(): Ring {
  const current = testbed.aws
    .secretVersions(testbed.secret.arn)
    .find(({ labels }) => labels.includes('AWSCURRENT'))
  const found = parseRing(current?.value ?? '', testbed.ring.name)
  if (found === undefined) throw new Error('no ring')
  return found
}

const installed = (command: string) => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0

// First: without a token, a revoke goes on with any other of the last ten minutes.
describe.runIf(installed('aws'))('a revoke by the AWS CLI', () => {
  const event = JSON.stringify({ action: 'revoke', ring: 'edge', reason: 'drill' })

  /** @returns how often it asked, and what it says in the end. */
  async function revoke(timeout: string, variables: Readonly<Record<string, string>> = {}) {
    const { endpoint, region, operator } = testbed.aws
    const payload = join(directory, 'revoke.json')
    writeFileSync(payload, event)
    const keys = { AWS_ACCESS_KEY_ID: operator.accessKeyId, AWS_SECRET_ACCESS_KEY: operator.secretAccessKey }
    const places = { AWS_ENDPOINT_URL: endpoint, AWS_REGION: region, AWS_DEFAULT_REGION: region }
    const env = { PATH: process.env.PATH, HOME: directory, ...keys, ...places, ...variables }
    const words = [
      'lambda',
      'invoke',
      '--function-name',
      testbed.ring.functionName,
      '--payload',
      `file://${payload}`,
    ]
    const asked = () => testbed.aws.history.calls.filter(({ operation }) => operation === 'Invoke').length
    const before = asked()
    const out = join(directory, 'answer.json')
    const failed = await promisify(execFile)('aws', [...words, '--cli-read-timeout', timeout, out], {
      env,
    }).then(
      () => false,
      () => true,
    )
    await testbed.aws.idle()
    return { failed, asked: asked() - before, answer: failed ? undefined : readFileSync(out, 'utf8') }
  }

  it('that gives up reading and asks again and again is one revoke', async () => {
    const before = ring()
    expect((await revoke('1')).asked).toBeGreaterThan(1)
    await converge()
    expect(ring().generation).toBe(before.generation + 1)
    expect(sharesNoKey(ring(), before)).toBe(true)
  })

  it('as it is documented asks once, and goes on with that revoke', async () => {
    const before = ring()
    const { asked, answer } = await revoke('0', { AWS_MAX_ATTEMPTS: '1' })
    expect(asked).toBe(1)
    expect(JSON.parse(answer ?? '')).toMatchObject({ generation: before.generation, proof: { refused: 1 } })
    expect(ring().generation).toBe(before.generation)
  })
})

describe('the rotation function, as deployed, in a process of its own', () => {
  it('answers status with what is, and no key', async () => {
    const { payload, logs } = await invoke({ action: 'status' })
    expect(payload).toMatchObject({ action: 'status', ring: 'edge', generation: ring().generation })
    for (const key of [ring().previous, ring().current, ring().next]) {
      expect(JSON.stringify(payload) + logs).not.toContain(key.serialise().slice(24, 60))
    }
  })

  it('fails an invocation it does not understand, and names what it does', async () => {
    const { functionError, payload } = await invoke({ action: 'explode' })
    expect(functionError).toBe('Unhandled')
    expect(JSON.stringify(payload)).toContain('status, rotate, deliver, revoke, reconcile')
  })

  it('answers a failure with its code, a whole sentence, and no stack of the minified bundle', async () => {
    const { payload, logs } = await invoke({ action: 'explode' })
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
    const { logs } = await testbed.aws.invoke(
      testbed.ring.functionName,
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
    const event = { SecretId: testbed.secret.arn, ClientRequestToken: 'f'.repeat(36), RotationToken }
    const { functionError, payload, logs } = await invoke({ Step: 'createSecret', ...event })
    expect(functionError).toBe('Unhandled')
    expect(JSON.stringify(payload)).toContain('rotation-not-enabled')
    expect(JSON.stringify(payload) + logs).not.toContain(RotationToken)
  })

  it('has one beside it that only looks: the same answer, no call for a value, and no action', async () => {
    const { payload: acting } = await invoke({ action: 'status' })
    const calls = testbed.aws.history.calls.length
    const looking = await testbed.aws.invoke(testbed.ring.statusName, { action: 'status' })
    expect(looking.payload).toEqual({ ...(acting as object), asOf: expect.any(String) })
    const before = ring()
    const refused = await testbed.aws.invoke(testbed.ring.statusName, {
      action: 'revoke',
      ring: 'edge',
      reason: 'a leak',
    })
    expect(refused.functionError).toBe('Unhandled')
    expect(JSON.stringify(refused.payload)).toContain('read-only')
    expect(ring()).toEqual(before)
    const made = testbed.aws.history.calls.slice(calls).map(({ operation }) => operation)
    expect([...new Set(made)].sort()).toEqual([
      'DescribeInstanceInformation',
      'DescribeSecret',
      'GetParameter',
      'Invoke',
      'PutLogEvents',
    ])
  })

  it('waits out a throttled SendCommand', async () => {
    const sent = testbed.aws.history.commands.length
    testbed.aws.faults.add({ operation: 'SendCommand', when: 'before', effect: 'throttle', times: 2 })
    const { functionError, payload } = await invoke({ action: 'deliver' })
    expect({ functionError, payload }).toMatchObject({
      functionError: undefined,
      payload: { did: ['deliver: asked for by hand', expect.stringMatching(/^await: /)] },
    })
    expect(
      testbed.aws.history.calls.filter(
        ({ operation, error }) => operation === 'SendCommand' && error === 'ThrottlingException',
      ),
    ).toHaveLength(2)
    expect(testbed.aws.history.commands.length).toBe(sent + 1)
  })

  it('advances once for ten rotations and five ticks at once', async () => {
    const before = ring()
    const events = [...Array(10).fill({ action: 'rotate' }), ...Array(5).fill({ action: 'reconcile' })]
    // All are up, and the machine is slow: each looks before the gate opens again, which lets another rotation through.
    await Promise.all(events.map(() => invoke({ action: 'status' })))
    testbed.instances[0]?.delay(3_000)
    const answers = await Promise.all(events.map((event) => invoke(event)))
    testbed.instances[0]?.delay(0)
    expect(answers.filter(({ functionError }) => functionError)).toEqual([])
    expect(ring().generation).toBe(before.generation + 1)
    expect(ring().previous.name).toBe(before.current.name)
  })

  it('revokes with proof: the machine refuses a ticket from before', async () => {
    const before = ring()
    const { payload } = await invoke({ action: 'revoke', ring: 'edge', reason: 'drill', token: 'drill-1' })
    expect(payload).toMatchObject({ proof: { refused: 1, stillAccepting: [], unproven: 0 } })
    expect(sharesNoKey(ring(), before)).toBe(true)
    const notes = testbed.aws.history.commands.at(-1)?.invocations[0]?.stderr
    expect(notes).toContain(`keeping a ticket under ${before.current.name}`)
  })

  it('takes no more AWS calls for a rotation than the design allows', async () => {
    const count = () => Object.values(testbed.aws.apiCalls()).reduce((sum, n) => sum + n, 0)
    const before = { all: count(), ...testbed.aws.apiCalls() }
    await invoke({ action: 'rotate' })
    const calls = testbed.aws.apiCalls()
    const pages = ['ListCommands', 'ListCommandInvocations', 'DescribeInstanceInformation']
    const paged = pages.reduce((sum, name) => sum + (calls[name] ?? 0) - (before[name as 'all'] ?? 0), 0)
    expect(count() - before.all - paged).toBeLessThanOrEqual(12)
  })
})

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
      const before = ring()
      const spelt = action === 'revoke' ? { ring: 'edge', reason: 'drill' } : {}
      const event = { action, ...spelt, token: `${action}-${before.generation}` }
      testbed.aws.faults.add(fault)
      const { functionError } = await invoke(event)
      testbed.aws.faults.clear()
      // A client that got no answer asks again with its token.
      if (functionError !== undefined) await invoke(event)
      await converge()
      expect(ring().generation).toBe(before.generation + 1)
      expect(sharesNoKey(ring(), before)).toBe(action === 'revoke')
      const labels = testbed.aws.secretVersions(testbed.secret.arn).flatMap((version) => version.labels)
      expect(labels).toEqual(['AWSCURRENT'])
    },
  )
})
