import {
  GetParameterCommand,
  GetParametersByPathCommand,
  GetParametersCommand,
  PutParameterCommand,
} from '@aws-sdk/client-ssm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { LoopbackAws } from '../../../local/aws/loopback.ts'
import { clients, refusalOf, startAccount } from './fixture.ts'

let aws: LoopbackAws
beforeAll(async () => {
  aws = await startAccount()
})
afterAll(() => aws.close())

const put = (Name: string, Value: string, more: object = {}) =>
  clients(aws).ssm.send(new PutParameterCommand({ Name, Value, Type: 'String', ...more }))
const get = async (Name: string) => (await clients(aws).ssm.send(new GetParameterCommand({ Name }))).Parameter

test('a parameter keeps its value and counts its versions', async () => {
  expect((await put('/rings/edge', 'one')).Version).toBe(1)
  expect((await put('/rings/edge', 'two', { Overwrite: true })).Version).toBe(2)
  expect(await get('/rings/edge')).toMatchObject({ Value: 'two', Version: 2, Type: 'String' })
})

test('a second put without Overwrite is refused and changes nothing', async () => {
  await put('/rings/kept', 'one')
  expect((await refusalOf(put('/rings/kept', 'two'))).name).toBe('ParameterAlreadyExists')
  expect((await get('/rings/kept'))?.Value).toBe('one')
})

test('a parameter that does not exist is not found', async () => {
  expect((await refusalOf(get('/rings/none'))).name).toBe('ParameterNotFound')
})

test('a standard parameter holds 4,096 bytes and an advanced one 8,192', async () => {
  await put('/rings/large', 'x'.repeat(4096))
  const refusal = await refusalOf(put('/rings/larger', 'x'.repeat(4097)))
  expect(refusal.name).toBe('ValidationException')
  expect(refusal.message).toContain('4096')
  await put('/rings/larger', 'x'.repeat(8192), { Tier: 'Advanced' })
  expect((await refusalOf(put('/rings/largest', 'x'.repeat(8193), { Tier: 'Advanced' }))).name).toBe(
    'ValidationException',
  )
})

test('a value that refers to another parameter is refused', async () => {
  for (const value of ['{{ssm:/x}}', '{"said":"{{}}"}', 'a {{\nb }} c'])
    expect((await refusalOf(put('/rings/nested', value))).name).toBe('ValidationException')
  expect((await refusalOf(get('/rings/nested'))).name).toBe('ParameterNotFound')
  await put('/rings/nested', '{"said":"{\\u007bssm:/x}}"}')
})

test('several are read by name or by path, in pages', async () => {
  for (const name of ['a', 'b', 'c']) await put(`/staples/${name}`, name)
  const { ssm } = clients(aws)
  const named = await ssm.send(new GetParametersCommand({ Names: ['/staples/a', '/staples/z'] }))
  expect([named.Parameters?.map(({ Value }) => Value), named.InvalidParameters]).toEqual([
    ['a'],
    ['/staples/z'],
  ])
  const first = await ssm.send(new GetParametersByPathCommand({ Path: '/staples', MaxResults: 2 }))
  const rest = { Path: '/staples', MaxResults: 2, NextToken: first.NextToken ?? '' }
  const second = await ssm.send(new GetParametersByPathCommand(rest))
  const values = [first, second].map(({ Parameters }) => Parameters?.map(({ Value }) => Value))
  expect(values).toEqual([['a', 'b'], ['c']])
})
