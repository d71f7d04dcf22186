import type { StatementUse } from './history.ts'

export type PolicyDocument = { Version?: string; Statement: Record<string, unknown>[] }

/** A policy whose statements can be told apart in a simulation's answer. */
export interface Policy {
  readonly id: string
  readonly document: PolicyDocument
}

/** Every policy of the account, and how often each statement of the template decided. */
export class PolicyBook {
  readonly #identity = new Map<string, Policy[]>()
  readonly #resource = new Map<string, Policy[]>()
  readonly #uses = new Map<string, StatementUse & { used: number }>()

  /** Grows with each change: what was decided before it may be decided otherwise. */
  revision = 0

  /** Policies attached to a role. `counted` only for those the template itself writes. */
  attach(role: string, id: string, document: unknown, counted = true): void {
    const attached = this.#identity.get(role) ?? []
    this.#identity.set(role, [...attached, this.#mark(id, document, counted)])
    this.revision += 1
  }

  /** The policy on a resource: a secret's, a key's, a role's trust; a function's grows with each permission. */
  protect(resource: string, id: string, document: unknown): void {
    this.#resource.set(resource, [...(this.#resource.get(resource) ?? []), this.#mark(id, document, true)])
    this.revision += 1
  }

  /** Drops what a resource of the template wrote. */
  forget(logicalId: string): void {
    const others = ({ id }: Policy) => id !== logicalId && !id.startsWith(`${logicalId}.`)
    for (const book of [this.#identity, this.#resource])
      for (const [key, policies] of book) book.set(key, policies.filter(others))
    this.revision += 1
  }

  identityPolicies(role: string | undefined): readonly Policy[] {
    return role === undefined ? [] : (this.#identity.get(role) ?? [])
  }

  resourcePolicy(resource: string): Policy | undefined {
    const policies = this.#resource.get(resource) ?? []
    const [first] = policies
    if (first === undefined) return undefined
    const Statement = policies.flatMap(({ document }) => document.Statement)
    return { ...first, document: { ...first.document, Statement } }
  }

  /** Counts the statements that a decision rested on and gives their names. */
  record(marks: readonly string[]): string[] {
    return marks.flatMap((mark) => {
      const use = this.#uses.get(mark)
      if (!use) return []
      use.used += 1
      return [`${use.policy}#${use.index}`]
    })
  }

  uses(): StatementUse[] {
    return [...this.#uses.values()].map((use) => ({ ...use }))
  }

  /** Statements get a Sid of our own: their own ones are optional and repeat from policy to policy. */
  #mark(id: string, document: unknown, counted: boolean): Policy {
    const { Version, Statement } = document as { Version?: string; Statement: unknown }
    const statements = [Statement].flat() as Record<string, unknown>[]
    const marked = statements.map((statement, index) => {
      const mark = `s${this.#uses.size}x${index}${counted ? '' : 'uncounted'}`
      if (counted) {
        const sid = statement.Sid
        const effect = String(statement.Effect)
        const named = typeof sid === 'string' ? { sid } : {}
        this.#uses.set(mark, { policy: id, index, ...named, effect, used: 0 })
      }
      return { ...(renameKeys(statement) as Record<string, unknown>), Sid: mark }
    })
    return { id, document: { ...(Version === undefined ? {} : { Version }), Statement: marked } }
  }
}

/**
 * iam-simulate 0.1.173 knows variable condition keys only behind a slash, so these are evaluated under a
 * global key of the same type that has one.
 */
export function conditionKey(key: string): string {
  return key
    .replace(/^kms:EncryptionContext:/i, 'aws:RequestTag/kms-')
    .replace(/^secretsmanager:ResourceTag\//i, 'aws:ResourceTag/')
}

function renameKeys(statement: Record<string, unknown>): Record<string, unknown> {
  const condition = statement.Condition as Record<string, Record<string, unknown>> | undefined
  if (condition === undefined) return statement
  const renamed = Object.entries(condition).map(([operator, test]) => {
    const keys = Object.entries(test).map(([key, value]) => [conditionKey(key), value] as const)
    return [operator, Object.fromEntries(keys)] as const
  })
  return { ...statement, Condition: Object.fromEntries(renamed) }
}
