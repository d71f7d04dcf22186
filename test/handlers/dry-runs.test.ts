/** Dry runs over the deployed functions: what they ask of AWS only reads, by the calls on record. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Answer } from '../../lambda/ring/answer.ts'
import { ACTIONS, type Action } from '../../lambda/ring/request.ts'
import { STAPLE_ACTIONS, type StapleAction } from '../../lambda/staples/request.ts'
import { asOperator } from '../cli/operator.ts'
import { DeployedFunction } from './deployed-function.ts'

let deployed: DeployedFunction
let machine: string
beforeAll(async () => {
  deployed = await DeployedFunction.start()
  machine = deployed.testbed.machines[0]?.id ?? ''
})
afterAll(() => deployed?.stop())

const [ROTATION, STATUS] = ['ticketring-edge-rotation', 'ticketring-edge-status']
const [STAPLES, STAPLES_STATUS] = ['ticketring-web-staples', 'ticketring-web-staples-status']
const READS = /^(Describe|Get|List)[A-Z]/
const FOR = { for: '1h', reason: 'a drill' }

/** What each action takes beside its name. */
const TAKES: Readonly<Record<Action, () => object>> = {
  status: () => ({}),
  rotate: () => ({}),
  deliver: () => ({}),
  revoke: () => ({ ring: 'edge', reason: 'a drill' }),
  reconcile: () => ({}),
  promote: () => ({}),
  pause: () => FOR,
  resume: () => ({}),
  quarantine: () => ({ ...FOR, instance: machine }),
  release: () => ({ instance: machine }),
  rollback: () => ({ reason: 'a drill' }),
}

/** What functions ask of AWS while this goes on, logs aside. */
async function asked<T>(
  ask: () => Promise<T>,
): Promise<{ readonly answer: T; readonly operations: string[] }> {
  const { history } = deployed.testbed.aws
  const before = history.calls.length
  const answer = await ask()
  await deployed.testbed.aws.idle()
  const calls = history.calls.slice(before).filter(({ kind }) => kind === 'function')
  return { answer, operations: calls.map(({ operation }) => operation) }
}

const writing = (operations: readonly string[]) => operations.filter((each) => !READS.test(each))

it('the gate is open, so that each of these would act', async () => {
  await deployed.converge()
})

describe.each([ROTATION, STATUS])('a dry run by %s', (name) => {
  it.each(ACTIONS)('of %s reads, and makes no other call', async (action) => {
    const event = { action, ...TAKES[action](), dryRun: true }
    const { answer, operations } = await asked(() => deployed.testbed.aws.invoke(name, event))
    // No machine is set aside that could be released.
    const outcome = action === 'release' ? 'request-invalid' : undefined
    expect((answer.payload as { errorType?: string }).errorType).toBe(outcome)
    expect(operations.length).toBeGreaterThan(0)
    expect(writing(operations)).toEqual([])
  })
})

describe('the staple functions', () => {
  it.each(STAPLE_ACTIONS)(
    'read for %s alone, or refuse it dry before any call',
    async (action: StapleAction) => {
      const only = action === 'status' || action === 'explain'
      const event = { action, ...(action === 'explain' ? { certificate: 'www' } : {}) }
      for (const name of [STAPLES, STAPLES_STATUS]) {
        const dry = await asked(() => deployed.testbed.aws.invoke(name, { ...event, dryRun: true }))
        expect(dry.answer.payload).toMatchObject({ errorType: 'request-invalid' })
        expect(dry.operations).toEqual([])
      }
      const looked = await asked(() => deployed.testbed.aws.invoke(only ? STAPLES : STAPLES_STATUS, event))
      if (!only)
        expect(looked.answer.payload).toMatchObject({
          errorType: /withdraw/.test(action) ? 'request-invalid' : 'read-only',
        })
      expect(writing(looked.operations)).toEqual([])
    },
  )
})

describe('the command line', () => {
  it.each([
    [['rotate', 'edge', '--dry-run']],
    [['deliver', 'edge', '--dry-run']],
    [['promote', 'edge', '--dry-run']],
    [['pause', 'edge', '--for', '1h', '--reason', 'a drill', '--dry-run']],
    [['resume', 'edge', '--dry-run']],
    [['revoke', 'edge', '--reason', 'a drill']],
  ])('asks for reading calls alone by %j', async (words) => {
    const { endpoint, region, operator } = deployed.testbed.aws
    const { answer, operations } = await asked(() => asOperator({ endpoint, region, ...operator }, words))
    expect(answer.stdout).toContain('edge')
    expect(operations.length).toBeGreaterThan(0)
    expect(writing(operations)).toEqual([])
    if (words[0] === 'revoke') {
      expect(answer).toMatchObject({ code: 2, stderr: expect.stringContaining('Nothing was changed') })
      expect(answer.stdout).toContain('asked for: it replaces all three keys')
    }
  })
})

it('each of these would act, were it not dry', async () => {
  const acts = async (action: Action) => {
    const event = { action, ...TAKES[action]() }
    const { answer, operations } = await asked(() => deployed.testbed.aws.invoke(ROTATION, event))
    return { did: (answer.payload as Answer).did, writes: writing(operations).length > 0 }
  }
  for (const action of ['deliver', 'pause', 'quarantine', 'release', 'resume', 'revoke'] as const)
    expect({ action, ...(await acts(action)) }).toMatchObject({ action, writes: true })
  await deployed.converge()
  const { did, writes } = await acts('rotate')
  expect([did[0], writes]).toEqual([expect.stringMatching(/^advance/), true])
}, 120_000)
