import { runSimulation } from '@cloud-copilot/iam-simulate'

const ACCOUNT = '123456789012'
const SECRET = `arn:aws:secretsmanager:eu-west-1:${ACCOUNT}:secret:ticketring/edge-AbCdEf`

interface Attempt {
  /** A role of the account, such as `role/terminators`. */
  readonly principal: string
  readonly action: string
  /** What the caller names: `secretsmanager:` context keys. */
  readonly context: Readonly<Record<string, string>>
}

const HERE = [
  ['<AWS::Partition>', 'aws'],
  ['<AWS::AccountId>', ACCOUNT],
  ['<AWS::Region>', 'eu-west-1'],
] as const

/** A policy with what it refers to written out. */
function writtenOut(policy: unknown) {
  return JSON.parse(
    HERE.reduce((text, [name, value]) => text.replaceAll(name, value), JSON.stringify(policy)),
  )
}

/** What the statements of a role say to it. */
export async function evaluateIdentity(
  statements: unknown,
  { action, resource }: { readonly action: string; readonly resource: string },
): Promise<string> {
  const policy = writtenOut({ Version: '2012-10-17', Statement: statements })
  const outcome = await runSimulation(
    {
      request: {
        principal: `arn:aws:iam::${ACCOUNT}:role/x`,
        action,
        resource: { resource, accountId: ACCOUNT },
        contextVariables: {},
      },
      identityPolicies: [{ name: 'own', policy }],
      serviceControlPolicies: [],
      resourceControlPolicies: [],
    },
    {},
  )
  if (outcome.resultType === 'error') throw new Error(JSON.stringify(outcome.errors))
  return outcome.overallResult
}

/** What a secret's policy says to a caller whose own policies allow everything. */
export async function evaluate(
  resourcePolicy: unknown,
  { principal, action, context }: Attempt,
): Promise<string> {
  const arn = `arn:aws:iam::${ACCOUNT}:${principal}`
  const allow = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] }
  const outcome = await runSimulation(
    {
      request: {
        principal: arn,
        action,
        resource: { resource: SECRET, accountId: ACCOUNT },
        contextVariables: {
          'aws:PrincipalArn': arn,
          ...Object.fromEntries(
            Object.entries(context).map(([key, value]) => [`secretsmanager:${key}`, value]),
          ),
        },
      },
      identityPolicies: [{ name: 'everything', policy: allow }],
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      resourcePolicy: writtenOut(resourcePolicy),
    },
    {},
  )
  if (outcome.resultType === 'error') throw new Error(JSON.stringify(outcome.errors))
  return outcome.overallResult
}
