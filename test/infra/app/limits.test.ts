import { describe, expect, it } from 'vitest'
import { refuseOversize } from '../../../infra/app/limits.ts'

const template = (resources: object) => JSON.stringify({ Resources: resources })
const policyOf = (length: number) => ({ Version: '2012-10-17', Statement: ['x'.repeat(length)] })

describe('inline policies of a role', () => {
  it.each([
    ['in the role itself', (length: number) => ({ R: roleWith(length) })],
    [
      'in a policy that names it',
      (length: number) => ({ R: roleWith(10), P: policyFor({ Ref: 'R' }, length) }),
    ],
    ['of a role outside', (length: number) => ({ P: policyFor('r', length - 10), Q: policyFor('r', 10) })],
  ])('are counted %s', (_, resources) => {
    expect(() => refuseOversize(template(resources(9000)))).not.toThrow()
    expect(() => refuseOversize(template(resources(10_241)))).toThrow(/role [Rr]: wanted at most 10240/)
  })

  it('are counted with an ARN at its longest, as IAM sees it', () => {
    const arn = {
      'Fn::Join': ['', ['arn:', { Ref: 'AWS::Partition' }, ':iam::', { Ref: 'AWS::AccountId' }, ':x']],
    }
    const policies = (count: number) => ({
      R: { Type: 'AWS::IAM::Role', Properties: { Policies: [{ PolicyDocument: Array(count).fill(arn) }] } },
    })
    const length = '"arn:aws-us-gov:iam::123456789012:x",'.length
    const fits = Math.floor((10_240 - 1) / length)
    expect(() => refuseOversize(template(policies(fits)))).not.toThrow()
    expect(() => refuseOversize(template(policies(fits + 1)))).toThrow(/role R/)
  })
})

function roleWith(length: number) {
  return { Type: 'AWS::IAM::Role', Properties: { Policies: [{ PolicyDocument: policyOf(length) }] } }
}

function policyFor(role: unknown, length: number) {
  return { Type: 'AWS::IAM::Policy', Properties: { Roles: [role], PolicyDocument: policyOf(length) } }
}
