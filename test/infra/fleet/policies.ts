import type { Resources } from '../app/synthesis.ts'
import { flat } from '../app/synthesis.ts'

/** What a policy's statement allows, and why it has to. */
export interface Allowed {
  readonly actions: readonly string[]
  readonly on: readonly string[]
  readonly when?: object
  readonly because: string
}

export const HERE = '<AWS::Region>:<AWS::AccountId>'

export type Statement = Record<string, unknown>

/** Every identity policy of the template, by role and policy name; those attached to one role as one. */
export function policiesOf(resources: Resources): Record<string, readonly Statement[]> {
  const inline = resources
    .entries()
    .flatMap(([id, { Type, Properties }]) =>
      Type === 'AWS::IAM::Role'
        ? (Properties.Policies ?? []).map((policy: { PolicyName: string; PolicyDocument: unknown }) => [
            `${id.slice(0, -8)}/${policy.PolicyName}`,
            policy.PolicyDocument,
          ])
        : [],
    )
  const attached = resources
    .all('AWS::IAM::Policy')
    .map(({ Properties }) => [`${Properties.Roles.join('+')}/fleet`, Properties.PolicyDocument])
  const all = [...inline, ...attached].map(([name, document]) => [name, flat(document.Statement)] as const)
  return Object.fromEntries(
    all.map(([name]) => [
      name,
      all.flatMap(([other, said]) => (other === name ? (said as Statement[]) : [])),
    ]),
  )
}

const list = (value: unknown): readonly string[] => [value].flat() as string[]

/** A statement without its Sid. */
export function allowedBy({
  Action,
  Resource: resource,
  Condition,
  Effect,
}: Statement): Omit<Allowed, 'because'> {
  if (Effect !== 'Allow') throw new Error(`wanted Allow, not ${Effect}`)
  return {
    actions: list(Action),
    on: list(resource),
    ...(Condition === undefined ? {} : { when: Condition as object }),
  }
}
