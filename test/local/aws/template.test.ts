import { expect, test } from 'vitest'
import { readTemplate } from '../../../local/aws/template.ts'

const account = {
  id: '111122223333',
  region: 'us-east-1',
  now: () => 0,
  random: (bytes: number) => new Uint8Array(bytes),
}

function read(Properties: Record<string, unknown>, more: object = {}) {
  const Resources = {
    Queue: { Type: 'AWS::SQS::Queue', Properties: { QueueName: 'events' } },
    Parameter: { Type: 'AWS::SSM::Parameter', Properties: { Name: '/a', Type: 'String', ...Properties } },
  }
  const read = readTemplate({ Resources, ...more }, account)
  return read.find(({ logicalId }) => logicalId === 'Parameter')?.properties.Value
}

test.each([
  [{ Ref: 'Queue' }, 'https://sqs.us-east-1.amazonaws.com/111122223333/events'],
  [{ 'Fn::GetAtt': ['Queue', 'Arn'] }, 'arn:aws:sqs:us-east-1:111122223333:events'],
  [{ 'Fn::GetAtt': 'Queue.QueueName' }, 'events'],
  [{ 'Fn::Join': ['-', ['a', { Ref: 'AWS::Region' }]] }, 'a-us-east-1'],
  [
    { 'Fn::Sub': '$'.concat('{AWS::AccountId}/$', '{Queue.QueueName}/$', '{!Literal}') },
    '111122223333/events/$'.concat('{Literal}'),
  ],
  [{ 'Fn::Sub': ['$'.concat('{x}'), { x: 'y' }] }, 'y'],
  [{ 'Fn::Select': [1, { 'Fn::Split': [':', 'a:b:c'] }] }, 'b'],
])('%j is worked out', (Value, expected) => {
  expect(read({ Value })).toBe(expected)
})

test("a template's parameter has the given value, else its default, else none", () => {
  const Parameters = { Given: { Type: 'String', Default: 'one' }, Bare: { Type: 'String' } }
  expect(read({ Value: { Ref: 'Given' } }, { Parameters })).toBe('one')
  expect(() => read({ Value: { Ref: 'Bare' } }, { Parameters })).toThrow('the parameter Bare has no value')
})

test('a mapping is looked up', () => {
  const Mappings = { Runtimes: { 'us-east-1': { node: '24' } } }
  expect(
    read({ Value: { 'Fn::FindInMap': ['Runtimes', { Ref: 'AWS::Region' }, 'node'] } }, { Mappings }),
  ).toBe('24')
})

test('AWS::NoValue removes its property', () => {
  expect(read({ Value: { Ref: 'AWS::NoValue' } })).toBeUndefined()
})

test.each([
  [{ 'Fn::GetAtt': ['Queue', 'Colour'] }, 'the attribute Queue.Colour is not modelled'],
  [{ 'Fn::If': ['a', 'b', 'c'] }, 'Fn::If is not modelled'],
  [{ Ref: 'Absent' }, 'the template has no resource Absent'],
])('%j is an error that names it', (Value, message) => {
  expect(() => read({ Value })).toThrow(message)
})

test('a resource type that is not modelled is an error that names both', () => {
  const Resources = { Table: { Type: 'AWS::DynamoDB::Table', Properties: {} } }
  expect(() => readTemplate({ Resources }, account)).toThrow('Table: AWS::DynamoDB::Table is not modelled')
})
