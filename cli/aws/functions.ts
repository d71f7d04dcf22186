import { userInfo } from 'node:os'
import { InvokeCommand, LambdaClient, paginateListFunctions } from '@aws-sdk/client-lambda'
import { nearestName } from '../../lambda/kernel/nearest-name.ts'
import { ServiceError } from '../service-error.ts'

/** Which account and Region; each undefined where the SDK's own ways decide (environment, shared files, SSO). */
export interface Account {
  readonly profile: string | undefined
  readonly region: string | undefined
}

/** Lambda lets a function run for so long, and a revoke waits for its machines (ms). */
const LONGEST_RUN = 15 * 60_000 + 30_000

/** The functions of one account and Region, as an operator's role may use them. */
export class Functions {
  readonly #client: LambdaClient
  readonly #account: Account

  constructor(account: Account) {
    this.#account = account
    this.#client = new LambdaClient({
      ...(account.profile === undefined ? {} : { profile: account.profile }),
      ...(account.region === undefined ? {} : { region: account.region }),
      // What was asked for goes on when a client has lost patience: a second try would be a second question.
      maxAttempts: 1,
      requestHandler: { requestTimeout: LONGEST_RUN, connectionTimeout: 5_000 },
    })
  }

  /** @throws ServiceError where there is no such function, no leave, no answer, or the function fails. */
  async invoke(name: string, event: object): Promise<unknown> {
    const caller = { custom: { caller: `${userInfo().username}, by the command line` } }
    const command = new InvokeCommand({
      FunctionName: name,
      Payload: Buffer.from(JSON.stringify(event)),
      ClientContext: Buffer.from(JSON.stringify(caller)).toString('base64'),
    })
    const { Payload, FunctionError } = await this.#client
      .send(command)
      .catch((error) => this.#explain(error, name))
    const answer = parse(Payload, name)
    if (FunctionError !== undefined) throw refusalOf(answer, name)
    return answer
  }

  /** Names of the functions of this kind: `ticketring-<name><suffix>`. */
  async namesWith(suffix: string): Promise<readonly string[]> {
    const names: string[] = []
    try {
      for await (const { Functions = [] } of paginateListFunctions({ client: this.#client }, {}))
        for (const { FunctionName = '' } of Functions) names.push(FunctionName)
    } catch (error) {
      return this.#explain(error, undefined)
    }
    return names.flatMap((name) => {
      const isOurs = name.startsWith(PREFIX) && name.endsWith(suffix)
      return isOurs ? [name.slice(PREFIX.length, -suffix.length)] : []
    })
  }

  async #explain(error: unknown, name: string | undefined): Promise<never> {
    const { name: code = '', message = '' } = error as Error
    if (code === 'ResourceNotFoundException' && name !== undefined) throw await this.#unknown(name, error)
    const where =
      this.#account.profile === undefined ? 'the default profile' : `the profile ${this.#account.profile}`
    if (/Credentials|Token/.test(code) || /Region is missing/.test(message))
      throw new ServiceError(
        `${where} gives no access: ${message}`,
        'Log in, or name another by --profile and --region',
        error,
      )
    if (code === 'AccessDeniedException') {
      const action = name === undefined ? 'lambda:ListFunctions' : `lambda:InvokeFunction on ${name}`
      throw new ServiceError(`${where} may not: ${message}`, `Give its role ${action}`, error)
    }
    throw new ServiceError(
      `AWS did not answer: ${code}: ${message}`,
      'Check the network and the Region, then try again',
      error,
    )
  }

  async #unknown(name: string, cause: unknown): Promise<ServiceError> {
    const suffix = SUFFIXES.find((each) => name.endsWith(each)) ?? ''
    const known = await this.namesWith(suffix).catch(() => [])
    const asked = name.slice(PREFIX.length, name.length - suffix.length)
    const nearest = nearestName(asked, known)
    const hint = known.length === 0 ? 'Check the profile and the Region' : `There is ${known.join(', ')}`
    return new ServiceError(
      `No function ${name}`,
      nearest === undefined ? hint : `Did you mean ${nearest}?`,
      cause,
    )
  }
}

const PREFIX = 'ticketring-'
/** Of sets before those of rings, whose functions end alike. */
const SUFFIXES = ['-staples-status', '-staples', '-rotation', '-status']

function parse(payload: Uint8Array | undefined, name: string): unknown {
  try {
    return JSON.parse(Buffer.from(payload ?? []).toString('utf8'))
  } catch (error) {
    throw new ServiceError(`${name} answered what is no JSON`, 'Read its log', error)
  }
}

function refusalOf(answer: unknown, name: string): ServiceError {
  const { errorType, errorMessage } = (answer ?? {}) as { errorType?: unknown; errorMessage?: unknown }
  const next = `docs/errors.md has a heading for ${String(errorType)}`
  return new ServiceError(`${name} failed: ${String(errorMessage).slice(0, 2000)}`, next)
}
