import { execFile, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { sharesNoKey } from '../../lambda/ring/ring.ts'
import { DeployedFunction } from './deployed-function.ts'

let deployed: DeployedFunction
beforeAll(async () => {
  deployed = await DeployedFunction.start()
})
afterAll(() => deployed?.stop())
beforeEach(() => deployed.converge())

const installed = (command: string) => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0

// First: without a token, a revoke goes on with any other of the last ten minutes.
describe.runIf(installed('aws'))('a revoke by the AWS CLI', () => {
  const event = JSON.stringify({ action: 'revoke', ring: 'edge', reason: 'drill' })

  /** @returns how often it asked, and what it says in the end. */
  async function revoke(timeout: string, variables: Readonly<Record<string, string>> = {}) {
    const { endpoint, region, operator } = deployed.testbed.aws
    const payload = join(deployed.directory, 'revoke.json')
    writeFileSync(payload, event)
    const keys = { AWS_ACCESS_KEY_ID: operator.accessKeyId, AWS_SECRET_ACCESS_KEY: operator.secretAccessKey }
    const places = { AWS_ENDPOINT_URL: endpoint, AWS_REGION: region, AWS_DEFAULT_REGION: region }
    const env = { PATH: process.env.PATH, HOME: deployed.directory, ...keys, ...places, ...variables }
    const words = [
      'lambda',
      'invoke',
      '--function-name',
      deployed.testbed.ring.functionName,
      '--payload',
      `file://${payload}`,
    ]
    const asked = () =>
      deployed.testbed.aws.history.calls.filter(({ operation }) => operation === 'Invoke').length
    const before = asked()
    const out = join(deployed.directory, 'answer.json')
    const failed = await promisify(execFile)('aws', [...words, '--cli-read-timeout', timeout, out], {
      env,
    }).then(
      () => false,
      () => true,
    )
    await deployed.testbed.aws.idle()
    return { failed, asked: asked() - before, answer: failed ? undefined : readFileSync(out, 'utf8') }
  }

  it('that gives up reading and asks again and again is one revoke', async () => {
    const before = deployed.current()
    expect((await revoke('1')).asked).toBeGreaterThan(1)
    await deployed.converge()
    expect(deployed.current().generation).toBe(before.generation + 1)
    expect(sharesNoKey(deployed.current(), before)).toBe(true)
  })

  it('as it is documented asks once, and goes on with that revoke', async () => {
    const before = deployed.current()
    const { asked, answer } = await revoke('0', { AWS_MAX_ATTEMPTS: '1' })
    expect(asked).toBe(1)
    expect(JSON.parse(answer ?? '')).toMatchObject({ generation: before.generation, proof: { refused: 1 } })
    expect(deployed.current().generation).toBe(before.generation)
  })
})

describe('invocations of the deployed function', () => {
  it('advance once for ten rotations and five ticks at once', async () => {
    const before = deployed.current()
    const events = [...Array(10).fill({ action: 'rotate' }), ...Array(5).fill({ action: 'reconcile' })]
    const { faults, history } = deployed.testbed.aws
    const written = history.logs.length
    // What the machine says is not heard before each has decided: once the gate is open again, another rotation may come.
    faults.commandsLag = 3_600_000
    const asked = events.map((event) => deployed.invoke(event))
    const deciding = () => history.logs.slice(written).filter(({ text }) => text.includes('"kind":"decided"'))
    await expect.poll(() => new Set(deciding().map(({ logStream }) => logStream)).size).toBe(events.length)
    faults.commandsLag = 0
    const answers = await Promise.all(asked)
    expect(answers.filter(({ functionError }) => functionError)).toEqual([])
    expect(deployed.current().generation).toBe(before.generation + 1)
    expect(deployed.current().previous.name).toBe(before.current.name)
  })
})
