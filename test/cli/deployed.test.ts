import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DeployedFunction } from '../handlers/deployed-function.ts'
import { asOperator, type OperatorAccess } from './operator.ts'

let deployed: DeployedFunction
let access: OperatorAccess
beforeAll(async () => {
  deployed = await DeployedFunction.start()
  const { endpoint, region, operator } = deployed.testbed.aws
  access = { endpoint, region, ...operator }
})
afterAll(() => deployed?.stop())

const ticketring = (...words: string[]) => asOperator(access, words)

describe("functions are found by their stack's outputs", () => {
  it('of the stack that the app deploys, if none is named', async () => {
    await deployed.converge()
    const all = await ticketring('status')
    const one = await ticketring('status', 'edge')
    expect(one).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/^edge: generation 1, /) })
    expect(all.stdout).toMatch(/^edge: generation 1, /)
  })

  it.each([
    [['status', 'edgy'], 'No ring edgy in the stack Ticketring\nDid you mean edge?\n'],
    [['status', 'quay'], 'No ring quay in the stack Ticketring\nThere is edge\n'],
    [['explain', 'wen', 'www'], 'No set wen in the stack Ticketring\nDid you mean web?\n'],
    [
      ['status', '--stack', 'Ticketing'],
      'No stack Ticketing in this account and Region\nDid you mean --stack Ticketring?\n',
    ],
    [
      ['status', '--stack', 'elsewhere'],
      'No stack elsewhere in this account and Region\nName it by --stack: Ticketring\n',
    ],
  ])('%j is answered with what there is', async (words, stderr) => {
    expect(await ticketring(...words)).toEqual({ code: 2, stdout: '', stderr })
  })

  it('takes one reading call besides the question, and lists no functions', async () => {
    const { calls } = deployed.testbed.aws.history
    const before = calls.length
    await ticketring('status', 'edge')
    const asked = calls.slice(before).filter(({ kind }) => kind === 'operator')
    expect(asked.map(({ operation }) => operation)).toEqual(['DescribeStacks', 'Invoke'])
  })
})
