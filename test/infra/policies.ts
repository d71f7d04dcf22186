import type { Resources } from './synthesis.ts'
import { flat } from './synthesis.ts'

/** What a policy's statement allows, and why it has to. */
export interface Allowed {
  readonly actions: readonly string[]
  readonly on: readonly string[]
  readonly when?: object
  readonly because: string
}

export const HERE = '<AWS::Region>:<AWS::AccountId>'

export type Statement = Record<string, unknown>

/** Every identity policy of the template, by role and policy name. */
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
  return Object.fromEntries(
    [...inline, ...attached].map(([name, document]) => [name, flat(document.Statement) as Statement[]]),
  )
}

const list = (value: unknown): readonly string[] => [value].flat() as string[]

/** A statement without its Sid, and with the hash of a document's name left out. */
export function allowedBy({
  Action,
  Resource: resource,
  Condition,
  Effect,
}: Statement): Omit<Allowed, 'because'> {
  if (Effect !== 'Allow') throw new Error(`wanted Allow, not ${Effect}`)
  return {
    actions: list(Action),
    on: list(resource).map((arn) => arn.replace(/:document\/.*-[0-9a-f]{12}$/, ':document/<document>')),
    ...(Condition === undefined ? {} : { when: Condition as object }),
  }
}
