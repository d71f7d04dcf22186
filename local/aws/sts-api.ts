import type { Account } from './account.ts'
import { AwsError } from './aws-error.ts'
import type { Principal } from './credentials.ts'
import type { HttpAnswer } from './lambda-api.ts'
import type { WireRequest } from './signature.ts'

const NAMESPACE = 'https://sts.amazonaws.com/doc/2011-06-15/'

/** STS speaks AWS's query protocol: what is asked for stands in a form. Undefined for a request of another protocol. */
export function askedOfSts({ headers, body }: WireRequest): string | undefined {
  if (!headers['content-type']?.startsWith('application/x-www-form-urlencoded')) return undefined
  return new URLSearchParams(body.toString('utf8')).get('Action') ?? ''
}

/** GetCallerIdentity needs no permission. @throws AwsError for anything else. */
export function answerOfSts(action: string, { arn, role, name }: Principal, account: Account): HttpAnswer {
  if (action !== 'GetCallerIdentity')
    throw new AwsError('InvalidAction', `${action} is not served by the loopback AWS.`)
  const userId = role === undefined ? 'AIDALOOPBACKOPERATOR' : `AROALOOPBACKROLE:${name}`
  const result = `<Arn>${arn}</Arn><UserId>${userId}</UserId><Account>${account.id}</Account>`
  const body = `<${action}Response xmlns="${NAMESPACE}"><${action}Result>${result}</${action}Result></${action}Response>`
  return { status: 200, headers: { 'content-type': 'text/xml' }, body }
}
