import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda'
import { operatorName } from '../operator-name.ts'
import { ServiceError } from '../service-error.ts'
import { type Account, CONNECTION_TIMEOUT, clientOptions, refusalOf } from './account.ts'

/** Lambda lets a function run for so long, and a revoke waits for its machines (ms). */
const LONGEST_RUN = 15 * 60_000 + 30_000

/** The functions of one account and Region, as an operator's role may use them. */
export class Functions {
  readonly #client: LambdaClient
  readonly #account: Account

  constructor(account: Account) {
    this.#account = account
    this.#client = new LambdaClient({
      ...clientOptions(account),
      // What was asked for goes on when a client has lost patience: a second try would be a second question.
      maxAttempts: 1,
      requestHandler: {
        connectionTimeout: CONNECTION_TIMEOUT,
        requestTimeout: LONGEST_RUN,
        throwOnRequestTimeout: true,
      },
    })
  }

  /** @throws ServiceError where there is no such function, no leave, no answer, or the function fails. */
  async invoke(name: string, event: object): Promise<unknown> {
    const caller = { custom: { caller: `${operatorName()}, by the command line` } }
    const command = new InvokeCommand({
      FunctionName: name,
      Payload: Buffer.from(JSON.stringify(event)),
      ClientContext: Buffer.from(JSON.stringify(caller)).toString('base64'),
    })
    const { Payload, FunctionError } = await this.#client.send(command).catch((error) => {
      throw refusalOf(error, this.#account, `lambda:InvokeFunction on ${name}`)
    })
    const answer = parse(Payload, name)
    if (FunctionError !== undefined) throw failureOf(answer, name)
    return answer
  }
}

function parse(payload: Uint8Array | undefined, name: string): unknown {
  try {
    return JSON.parse(Buffer.from(payload ?? []).toString('utf8'))
  } catch (error) {
    throw new ServiceError(`${name} answered what is no JSON`, 'Read its log', error)
  }
}

function failureOf(answer: unknown, name: string): ServiceError {
  const { errorType, errorMessage } = (answer ?? {}) as { errorType?: unknown; errorMessage?: unknown }
  const next = `docs/errors.md has a heading for ${String(errorType)}`
  return new ServiceError(`${name} failed: ${String(errorMessage).slice(0, 2000)}`, next)
}
