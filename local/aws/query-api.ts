/** AWS's query protocol: what is asked for stands in a form, and the answer is XML. */
import { type Account, uuid } from './account.ts'
import type { AutoScaling } from './auto-scaling.ts'
import { AwsError, codeOf } from './aws-error.ts'
import type { Caller } from './caller.ts'
import type { CloudFormation } from './cloud-formation.ts'
import type { HttpAnswer } from './lambda-api.ts'
import type { WireRequest } from './signature.ts'

/** What an answer holds: a list has its items as `member`. */
type Result = string | readonly Result[] | { readonly [name: string]: Result }

/** An operation, and what its result holds. */
interface QueryOperation {
  readonly service: string
  readonly version: string
  readonly namespace: string
  readonly run: (input: unknown, caller: Caller) => Promise<{ readonly [name: string]: Result }>
}

export type QueryOperations = Readonly<Record<string, QueryOperation>>

export function queryOperations(
  account: Account,
  autoScaling: AutoScaling,
  cloudFormation: CloudFormation,
): QueryOperations {
  return {
    /** It needs no permission. */
    GetCallerIdentity: {
      service: 'sts',
      version: '2011-06-15',
      namespace: 'https://sts.amazonaws.com/doc/2011-06-15/',
      run: async (_, { principal: { arn, role, name } }) => ({
        Arn: arn,
        UserId: role === undefined ? 'AIDALOOPBACKOPERATOR' : `AROALOOPBACKROLE:${name}`,
        Account: account.id,
      }),
    },
    DescribeStacks: {
      service: 'cloudformation',
      version: '2010-05-15',
      namespace: 'http://cloudformation.amazonaws.com/doc/2010-05-15/',
      run: (input, caller) => cloudFormation.describeStacks(input, caller),
    },
    CompleteLifecycleAction: {
      service: 'autoscaling',
      version: '2011-01-01',
      namespace: 'http://autoscaling.amazonaws.com/doc/2011-01-01/',
      run: async (input, caller) => {
        await autoScaling.completeLifecycleAction(input, caller)
        return {}
      },
    },
  }
}

export function isQuery({ headers }: WireRequest): boolean {
  return headers['content-type']?.startsWith('application/x-www-form-urlencoded') === true
}

/** The action, its version, and its other fields. */
export function parseQuery({ body }: WireRequest): {
  readonly action: string
  readonly version: string
  readonly input: Readonly<Record<string, string>>
} {
  const {
    Action = '',
    Version = '',
    ...input
  } = Object.fromEntries(new URLSearchParams(body.toString('utf8')))
  return { action: Action, version: Version, input }
}

/** @throws AwsError `InvalidAction`. */
export function findQuery(operations: QueryOperations, action: string, version: string): QueryOperation {
  const found = operations[action]
  if (found?.version !== version)
    throw new AwsError(
      'InvalidAction',
      `${action} of ${version || 'no version'} is not served by the loopback AWS.`,
    )
  return found
}

export function queryAnswer(
  action: string,
  { namespace }: QueryOperation,
  result: { readonly [name: string]: Result },
  account: Account,
): HttpAnswer {
  const told = `<${action}Result>${written(result)}</${action}Result>`
  const id = `<ResponseMetadata><RequestId>${uuid(account)}</RequestId></ResponseMetadata>`
  return xml(200, `<${action}Response xmlns="${namespace}">${told}${id}</${action}Response>`)
}

function written(result: Result): string {
  if (typeof result === 'string') return escaped(result)
  const members = Array.isArray(result)
    ? result.map((each) => ['member', each] as const)
    : Object.entries(result)
  return members.map(([name, value]) => `<${name}>${written(value)}</${name}>`).join('')
}

/** The common errors have names of their own there. Source: the query APIs' references, common errors. */
const NAMES: Readonly<Record<string, string>> = {
  AccessDeniedException: 'AccessDenied',
  ExpiredTokenException: 'ExpiredToken',
  ThrottlingException: 'Throttling',
  UnrecognizedClientException: 'InvalidClientTokenId',
  ValidationException: 'ValidationError',
}

export function queryRefusal(error: unknown, account: Account): HttpAnswer {
  const code = codeOf(error)
  const [status, message] =
    error instanceof AwsError ? [error.status, error.message] : [500, 'An error occurred.']
  const told = `<Type>Sender</Type><Code>${NAMES[code] ?? code}</Code><Message>${escaped(message)}</Message>`
  const body = `<ErrorResponse><Error>${told}</Error><RequestId>${uuid(account)}</RequestId></ErrorResponse>`
  return xml(code === 'AccessDeniedException' ? 403 : status, body)
}

function xml(status: number, body: string): HttpAnswer {
  return { status, headers: { 'content-type': 'text/xml' }, body }
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
