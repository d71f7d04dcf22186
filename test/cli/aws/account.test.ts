import { describe, expect, it } from 'vitest'
import { refusalOf } from '../../../cli/aws/account.ts'

/** As the SDK throws it. */
const failed = (name: string, httpStatusCode?: number) =>
  Object.assign(new Error('said so'), { name, $metadata: { httpStatusCode } })

describe('a call that failed', () => {
  it.each([
    ['ExpiredTokenException', 400, /^The profile ops gives no access: said so$/, /^Log in/],
    ['RequestExpired', 400, /^The profile ops gives no access/, /^Log in/],
    ['AccessDeniedException', 400, /^The profile ops may not: said so$/, /ssm:ListCommands$/],
    ['ThrottlingException', 400, /^AWS is asked too often: said so$/, /^Wait a minute/],
    ['InvalidNextToken', 400, /^AWS refused: InvalidNextToken: said so$/, /^Check --stack/],
    ['InternalServerError', 500, /^AWS failed: InternalServerError: said so$/, /^Ask again/],
    ['ServiceUnavailable', 503, /^AWS failed: ServiceUnavailable: said so$/, /^Ask again/],
    ['TimeoutError', undefined, /^AWS did not answer: TimeoutError: said so$/, /^Check the network/],
  ])('with %s, status %s, is said and what to do', (name, status, message, next) => {
    const account = { profile: 'ops', region: undefined }
    expect(refusalOf(failed(name, status), account, 'ssm:ListCommands')).toMatchObject({
      message: expect.stringMatching(message),
      next: expect.stringMatching(next),
    })
  })
})
