import { type EvaluationResult, type RequestAnalysis, runSimulation } from '@cloud-copilot/iam-simulate'
import { type Account, roleArn } from './account.ts'
import { AwsError, LoopbackError } from './aws-error.ts'
import type { Principal } from './credentials.ts'
import type { Decision } from './history.ts'
import { conditionKey, type PolicyBook } from './policies.ts'

export type Context = Readonly<Record<string, string | readonly string[]>>

interface AccessRequest {
  readonly principal: Principal
  readonly action: string
  /** An ARN, or `*` for the actions that know no resource. */
  readonly resource: string
  readonly context?: Context
}

export interface Verdict extends Decision {
  readonly allowed: boolean
  /** AWS's words for a refusal. */
  readonly refusal: string
}

interface Outcome {
  readonly result: EvaluationResult
  readonly marks: readonly string[]
  readonly deniedBy: string
}

/** Evaluates requests against the account's policies, each distinct one once. */
export class Authorisation {
  readonly #account: Account
  readonly #policies: PolicyBook
  readonly #outcomes = new Map<string, Promise<Outcome>>()

  constructor(account: Account, policies: PolicyBook) {
    this.#account = account
    this.#policies = policies
  }

  async evaluate(request: AccessRequest): Promise<Verdict> {
    const { action, resource, principal } = request
    const context = this.#context(request)
    const key = JSON.stringify([this.#policies.revision, principal.arn, action, resource, context])
    const known = this.#outcomes.get(key)
    const pending = known ?? this.#simulate(request, context)
    if (!known) this.#outcomes.set(key, pending)
    const { result, marks, deniedBy } = await pending
    const statements = this.#policies.record(marks)
    const refusal = `User: ${principal.arn} is not authorized to perform: ${action} on resource: ${resource} ${deniedBy}`
    return { action, resource, allowed: result === 'Allowed', statements, refusal }
  }

  #context({ principal, context = {} }: AccessRequest): Record<string, string | string[]> {
    const { id, region } = this.#account
    const isService = principal.kind === 'service' && principal.role === undefined
    const own: Context = isService
      ? { 'aws:PrincipalIsAWSService': 'true', 'aws:PrincipalServiceName': principal.arn }
      : {
          'aws:PrincipalArn':
            principal.role === undefined ? principal.arn : roleArn(this.#account, principal.role),
          'aws:PrincipalAccount': id,
          'aws:PrincipalIsAWSService': 'false',
        }
    const all: Context = { ...own, 'aws:RequestedRegion': region, 'aws:SecureTransport': 'true', ...context }
    const entries = Object.entries(all).map(
      ([name, value]) => [conditionKey(name), typeof value === 'string' ? value : [...value]] as const,
    )
    return Object.fromEntries(entries)
  }

  async #simulate(
    { principal, action, resource }: AccessRequest,
    contextVariables: Record<string, string | string[]>,
  ): Promise<Outcome> {
    const resourcePolicy = this.#policies.resourcePolicy(resource)?.document
    const answer = await runSimulation(
      {
        request: {
          principal: principal.arn,
          action,
          resource: { resource, accountId: this.#account.id },
          contextVariables,
        },
        identityPolicies: [
          ...(principal.kind === 'operator' ? [ADMINISTRATOR] : []),
          ...this.#policies
            .identityPolicies(principal.role)
            .map(({ id, document }) => ({ name: id, policy: document })),
        ],
        serviceControlPolicies: [],
        resourceControlPolicies: [],
        ...(resourcePolicy === undefined ? {} : { resourcePolicy }),
      },
      {},
    )
    if (answer.resultType !== 'single') {
      const why = answer.resultType === 'error' ? JSON.stringify(answer.errors) : answer.resultType
      throw new LoopbackError(`cannot evaluate ${action} on ${resource}: ${why}`)
    }
    return outcome(answer.result.analysis, action)
  }
}

const ADMINISTRATOR = {
  name: 'AdministratorAccess',
  policy: { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] },
}

function outcome({ result, identityAnalysis, resourceAnalysis }: RequestAnalysis, action: string): Outcome {
  const denies = [...(identityAnalysis?.denyStatements ?? []), ...(resourceAnalysis?.denyStatements ?? [])]
  const allows = [...(identityAnalysis?.allowStatements ?? []), ...(resourceAnalysis?.allowStatements ?? [])]
  const decisive = result === 'Allowed' ? allows : denies
  const marks = decisive.map(({ explain }) => explain.identifier)
  if (result !== 'ExplicitlyDenied') {
    return { result, marks, deniedBy: `because no identity-based policy allows the ${action} action` }
  }
  const kind = resourceAnalysis?.denyStatements.length ? 'resource-based' : 'identity-based'
  return { result, marks, deniedBy: `with an explicit deny in a ${kind} policy` }
}

/** @throws AwsError `AccessDeniedException` in AWS's words. */
export function insist(verdict: Verdict): void {
  if (!verdict.allowed) throw new AwsError('AccessDeniedException', verdict.refusal)
}
