import { describe, expect, it } from 'vitest'
import { refuseOversize } from '../../../infra/app/limits.ts'
import { exampleRing } from './example.ts'
import { synthesiseTemplate } from './synthesis.ts'

/** So many rings, each for itself, or all of them read by one role. */
function rings(count: number, { shared }: { readonly shared: boolean }) {
  return Array.from({ length: count }, (_, index) => {
    const ring = JSON.parse(JSON.stringify(exampleRing()).replaceAll('edge', `edge${index}`))
    return shared ? { ...ring, sharedRole: 'terminators' } : { ...ring, fleetRoles: [`terminators${index}`] }
  })
}

function problemsOf(count: number, how: { readonly shared: boolean }): readonly string[] {
  try {
    synthesiseTemplate({ rings: rings(count, how) })
    return []
  } catch (error) {
    return String(error).split('\n  - ').slice(1)
  }
}

const template = (resources: object) => JSON.stringify({ Resources: resources })
const policyOf = (length: number) => ({ Version: '2012-10-17', Statement: ['x'.repeat(length)] })

describe('what no deploy would get through is refused at synth', () => {
  it('more rings than a template has bytes for: fifteen fit, as docs/operations.md says', () => {
    expect(problemsOf(15, { shared: false })).toEqual([])
    const [problem] = problemsOf(19, { shared: false })
    expect(problem).toMatch(/^the template: wanted at most 1000000 bytes.*; got 1[01]\d{5}\b/)
  })

  it('more resources than a stack may have, beside the bytes', () => {
    expect(problemsOf(23, { shared: false })).toEqual([
      expect.stringContaining('the template: wanted at most 1000000 bytes'),
      expect.stringMatching(/^the stack: wanted at most 500 resources/),
    ])
  })

  it("more inline policies than a fleet's role holds", () => {
    const problem = problemsOf(16, { shared: true }).at(-1)
    expect(problem).toMatch(/^role terminators: wanted at most 10240 characters of inline policies/)
    expect(problemsOf(12, { shared: true })).toEqual([])
  })

  it.each([
    ['in the role itself', (length: number) => ({ R: roleWith(length) })],
    [
      'in a policy that names it',
      (length: number) => ({ R: roleWith(10), P: policyFor({ Ref: 'R' }, length) }),
    ],
    ['of a role outside', (length: number) => ({ P: policyFor('r', length - 10), Q: policyFor('r', 10) })],
  ])('counts them %s', (_, resources) => {
    expect(() => refuseOversize(template(resources(9000)))).not.toThrow()
    expect(() => refuseOversize(template(resources(10_241)))).toThrow(/role [Rr]: wanted at most 10240/)
  })

  it('counts an ARN at its longest, as IAM sees it', () => {
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
