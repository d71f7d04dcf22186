import { describe, expect, it } from 'vitest'
import type { Resources } from '../app/synthesis.ts'
import { type Allowed, allowedBy, policiesOf } from './policies.ts'

/** Tests that the template's identity policies are these, and that it has no others. */
export function describeOnlyPolicies(
  resources: Resources,
  allowed: Readonly<Record<string, readonly Allowed[]>>,
): void {
  describe('every statement of every identity policy is expected, word for word', () => {
    it.each(Object.keys(allowed))('%s', (policy) => {
      const expected = (allowed[policy] ?? []).map(({ because: _, ...each }) => each)
      expect((policiesOf(resources)[policy] ?? []).map(allowedBy)).toEqual(expected)
    })

    it('and there is no further policy, managed or not', () => {
      expect(Object.keys(policiesOf(resources)).sort()).toEqual(Object.keys(allowed).sort())
      expect(resources.all('AWS::IAM::ManagedPolicy')).toEqual([])
      for (const { Properties } of resources.all('AWS::IAM::Role')) {
        expect(Properties.ManagedPolicyArns).toBeUndefined()
      }
    })
  })
}
