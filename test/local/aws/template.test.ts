import { describe, expect, test } from 'vitest'
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

describe('conditions', () => {
  const more = (Default: string) => ({
    Parameters: { Colour: { Type: 'String', Default, AllowedPattern: 'red|blue|' } },
    Conditions: {
      HasColour: { 'Fn::Not': [{ 'Fn::Equals': [{ Ref: 'Colour' }, ''] }] },
      IsLoud: { 'Fn::Contains': [['red', 'pink'], { Ref: 'Colour' }] },
    },
  })
  const isLoud = { 'Fn::Contains': [['red', 'pink'], { Ref: 'Colour' }] }
  const Assertions = [{ Assert: { 'Fn::Not': [isLoud] }, AssertDescription: 'no red here' }]
  const RULES = { Loud: { RuleCondition: isLoud, Assertions } }
  const If = (condition: string, otherwise: unknown = 'no') => ({ 'Fn::If': [condition, 'yes', otherwise] })

  test('choose between two values, or leave one out', () => {
    const noValue = { Ref: 'AWS::NoValue' }
    expect(read({ Value: If('HasColour') }, more('blue'))).toBe('yes')
    expect(read({ Value: If('HasColour') }, more(''))).toBe('no')
    expect(read({ Value: ['a', If('HasColour', noValue)] }, more(''))).toEqual(['a'])
    expect(read({ Value: { 'Fn::Join': ['-', ['a', If('HasColour', noValue)]] } }, more(''))).toBe('a')
    expect(read({ Value: If('IsLoud') }, more('blue'))).toBe('no')
  })

  test('say what is made', () => {
    const Resources = { Queue: { Type: 'AWS::SQS::Queue', Condition: 'HasColour', Properties: {} } }
    expect(readTemplate({ Resources, ...more('blue') }, account)).toHaveLength(1)
    expect(readTemplate({ Resources, ...more('') }, account)).toEqual([])
  })

  test('hold parameters to patterns and rules', () => {
    const rules = (Default: string) => ({ ...more(Default), Conditions: {} })
    expect(() => read({}, rules('green'))).toThrow('Parameter Colour must match pattern red|blue|')
    expect(() => read({}, { ...rules('red'), Rules: RULES })).toThrow('Rule Loud: no red here')
    expect(() => read({}, { ...rules('blue'), Rules: RULES })).not.toThrow()
  })
})

test.each([
  [{ 'Fn::GetAtt': ['Queue', 'Colour'] }, 'the attribute Queue.Colour is not modelled'],
  [{ 'Fn::If': ['a', 'b', 'c'] }, 'the template has no condition a'],
  [{ 'Fn::GetAZs': '' }, 'Fn::GetAZs is not modelled'],
  [{ Ref: 'Absent' }, 'the template has no resource Absent'],
])('%j is an error that names it', (Value, message) => {
  expect(() => read({ Value })).toThrow(message)
})

test('a resource type that is not modelled is an error that names both', () => {
  const Resources = { Table: { Type: 'AWS::DynamoDB::Table', Properties: {} } }
  expect(() => readTemplate({ Resources }, account)).toThrow('Table: AWS::DynamoDB::Table is not modelled')
})
