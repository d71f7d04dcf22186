import { afterAll, beforeAll, expect, test } from 'vitest'
import type { LoopbackAws } from '../../../local/aws/loopback.ts'
import { isKnownError, misfits } from '../../../local/aws/sdk-schema.ts'
import { startAccount } from './fixture.ts'
import { send, sign } from './signing.ts'

let aws: LoopbackAws
beforeAll(async () => {
  aws = await startAccount()
})
afterAll(() => aws.close())

const SEND = { DocumentName: 'apply-edge', Targets: [{ Key: 'tag:ring', Values: ['edge'] }] }
const command = (change: object) => ({ Command: { CommandId: 'c', RequestedDateTime: 1.5, ...change } })

test.each([
  ['request', SEND, []],
  ['request', { ...SEND, Parameters: { Generation: ['7'] } }, []],
  ['request', { Targets: [] }, ['request.DocumentName is missing']],
  ['request', { ...SEND, Target: [] }, ['request.Target is unknown']],
  ['request', { ...SEND, TimeoutSeconds: '60' }, ['request.TimeoutSeconds is no number']],
  ['request', { ...SEND, InstanceIds: 'i-1' }, ['request.InstanceIds is no list']],
  ['request', { ...SEND, InstanceIds: [1] }, ['request.InstanceIds[0] is no string']],
  ['request', { ...SEND, Targets: [{ Name: 'x' }] }, ['request.Targets[0].Name is unknown']],
  ['request', { ...SEND, Parameters: { Generation: '7' } }, ['request.Parameters.Generation is no list']],
  ['request', { ...SEND, Comment: null }, ['request.Comment is no string']],
  ['request', [], ['request is no structure']],
  ['answer', command({}), []],
  ['answer', command({ Status: 1 }), ['answer.Command.Status is no string']],
  ['answer', command({ RequestedDateTime: 'now' }), ['answer.Command.RequestedDateTime is no number']],
  ['answer', command({ Targets: {} }), ['answer.Command.Targets is no list']],
  ['answer', command({ State: 'Success' }), ['answer.Command.State is unknown']],
] as const)("SendCommand's %s %j is judged by the SDK: %j", (side, value, faults) => {
  expect(misfits('ssm', 'SendCommand', side, value)).toEqual(faults)
})

test('lists, maps and sensitive values are looked into in both services', () => {
  const described = { ARN: 'a', VersionIdsToStages: { v: ['AWSCURRENT'], w: 'AWSPENDING' } }
  expect(misfits('secretsmanager', 'DescribeSecret', 'answer', described)).toEqual([
    'answer.VersionIdsToStages.w is no list',
  ])
  const put = { SecretId: 's', ClientRequestToken: 't', SecretString: {}, VersionStages: ['AWSPENDING', 1] }
  expect(misfits('secretsmanager', 'PutSecretValue', 'request', put)).toEqual([
    'request.SecretString is no string',
    'request.VersionStages[1] is no string',
  ])
  expect(misfits('ssm', 'SendCommands', 'request', {})).toEqual(['the SDK knows no SendCommands'])
})

test("an error's code is one of the service's, or of all services'", () => {
  expect(isKnownError('ssm', 'InvalidInstanceId')).toBe(true)
  expect(isKnownError('ssm', 'ThrottlingException')).toBe(true)
  expect(isKnownError('secretsmanager', 'ParameterNotFound')).toBe(false)
  expect(isKnownError('secretsmanager', 'ResourceNotFoundException')).toBe(true)
})

test('a request that fits no schema is refused on the wire, before anything looks at it', async () => {
  const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'AmazonSSM.SendCommand' }
  const call = { service: 'ssm', headers, body: JSON.stringify({ ...SEND, TimeoutSeconds: '60' }) }
  const answer = await send(aws, await sign(aws, call, { credentials: aws.operator }))
  expect([answer.status, answer.json()]).toMatchObject([
    400,
    { __type: 'ValidationException', message: 'request.TimeoutSeconds is no number' },
  ])
  expect(aws.history.commands).toEqual([])
})
