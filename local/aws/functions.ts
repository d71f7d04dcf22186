import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { type Account, arn, uuid } from './account.ts'
import { AwsError } from './aws-error.ts'
import type { CallBook } from './caller.ts'
import type { Invocation, LoopbackOptions } from './contract.ts'
import { type CredentialStore, roleSession } from './credentials.ts'
import { environmentOf, type FunctionDeployment } from './function-environment.ts'
import { FunctionLog } from './function-log.ts'
import { type Answer, FunctionProcess } from './function-process.ts'
import type { FailedEvent, LogRecord } from './history.ts'

interface FunctionsParts {
  readonly account: Account
  readonly credentials: CredentialStore
  readonly calls: CallBook
  readonly endpoint: () => string
  readonly wrap: LoopbackOptions['wrapFunction']
  readonly log: (line: string) => void
  readonly background: (work: Promise<unknown>) => void
}

/** Lambda waits one minute before the first retry of an asynchronous event, two before the second. */
const RETRY_DELAYS = [60_000, 120_000]

interface Environment {
  readonly process: FunctionProcess
  busy: boolean
  /** What the present event has printed. */
  printed: string
}

/** Runs functions as Lambda does: warm processes, one event at a time in each, one more when all are busy. */
export class Functions {
  readonly failedEvents: FailedEvent[] = []
  readonly #parts: FunctionsParts
  readonly #log: FunctionLog
  readonly #deployments = new Map<string, FunctionDeployment>()
  readonly #environments = new Map<string, Environment[]>()
  readonly #outgoing: Environment[] = []
  #closed = false

  constructor(parts: FunctionsParts) {
    this.#parts = parts
    this.#log = new FunctionLog(parts)
  }

  get logs(): readonly LogRecord[] {
    return this.#log.records
  }

  /** A function as it is from now on: new events go to new processes. */
  put(deployment: FunctionDeployment): void {
    this.#deployments.set(deployment.logicalId, deployment)
    this.#retire(this.#environments.get(deployment.name) ?? [])
    this.#environments.delete(deployment.name)
  }

  remove(logicalId: string): void {
    this.#deployments.delete(logicalId)
  }

  /** Names of those that write to this log group. */
  writersTo(group: string): readonly string[] {
    return [...this.#deployments.values()]
      .filter(({ logGroup }) => logGroup === group)
      .map(({ name }) => name)
  }

  /** By name, ARN or `function:name`, qualified with `$LATEST` or not. @throws AwsError `ResourceNotFoundException`. */
  find(id: string): FunctionDeployment {
    const bare = id.replace(/:\$LATEST$/, '')
    const found = [...this.#deployments.values()].find(
      ({ name, arn }) => bare === name || bare === arn || bare.endsWith(`:function:${name}`),
    )
    if (found) return found
    const wanted = id.startsWith('arn:') ? id : arn(this.#parts.account, 'lambda', `function:${id}`)
    throw new AwsError('ResourceNotFoundException', `Function not found: ${wanted}`, 404)
  }

  /** @throws AwsError `TooManyRequestsException` where reserved concurrency is used up. */
  async invoke(deployment: FunctionDeployment, event: unknown, clientContext?: unknown): Promise<Invocation> {
    const environment = this.#environment(deployment)
    environment.busy = true
    environment.printed = ''
    const { arn, timeout } = deployment
    const id = uuid(this.#parts.account)
    const answer = await environment.process.handle({ id, arn, event, timeout, clientContext })
    // What it printed is in a pipe of its own, which is read in the next turn.
    await nextTurn()
    environment.busy = false
    if (this.#outgoing.includes(environment)) environment.process.kill()
    return report(answer, environment.printed, id)
  }

  /**
   * Asynchronous: failures are retried as the function's configuration says, then given up.
   * @returns what need not be waited for: it resolves once the event has been handled or given up.
   */
  queue(deployment: FunctionDeployment, event: unknown): Promise<void> {
    const delivered = this.#deliver(deployment, event)
    this.#parts.background(delivered)
    return delivered
  }

  /** As after a change of configuration: new events go to new processes, those at work end their event first. */
  renew(): void {
    this.#retire([...this.#environments.values()].flat())
    this.#environments.clear()
  }

  #retire(environments: readonly Environment[]): void {
    for (const environment of environments) {
      if (environment.busy) this.#outgoing.push(environment)
      else environment.process.kill()
    }
  }

  /** Resolves when no process is left. */
  async close(): Promise<void> {
    this.#closed = true
    const processes = [...this.#environments.values(), this.#outgoing].flat().map(({ process }) => process)
    for (const process of processes) process.kill()
    await Promise.all(processes.map(({ ended }) => ended))
  }

  async #deliver(deployment: FunctionDeployment, event: unknown): Promise<void> {
    for (let attempt = 0; attempt <= deployment.retryAttempts; attempt += 1) {
      if (attempt > 0) await sleep(RETRY_DELAYS[attempt - 1] ?? 0, undefined, { ref: false })
      const { functionError } = await this.invoke(deployment, event)
      if (functionError === undefined) return
    }
    this.failedEvents.push({ source: deployment.name, event, at: this.#parts.account.now() })
  }

  #environment(deployment: FunctionDeployment): Environment {
    const warm = (this.#environments.get(deployment.name) ?? []).filter(({ process }) => process.alive)
    const idle = warm.find(({ busy }) => !busy)
    if (idle) return idle
    if (warm.length >= (deployment.reservedConcurrency ?? 1000)) {
      throw new AwsError('TooManyRequestsException', 'Rate Exceeded.', 429)
    }
    const fresh = this.#start(deployment)
    this.#environments.set(deployment.name, [...warm, fresh])
    return fresh
  }

  #start(deployment: FunctionDeployment): Environment {
    if (this.#closed) throw new AwsError('ServiceException', 'The loopback AWS is closed.', 500)
    const { name, role, taskRoot, handler } = deployment
    const { account, credentials, endpoint, wrap } = this.#parts
    const logStream = `[$LATEST]${uuid(account)}`
    const log = { name, logStream }
    const kill = () => environment.process.kill()
    const principal = { ...roleSession(account, 'function', role, name), kill }
    const session = credentials.issueSession(principal)
    const environment: Environment = {
      busy: false,
      printed: '',
      process: new FunctionProcess({
        taskRoot,
        handler,
        environment: environmentOf(deployment, account, session, endpoint()),
        wrap: (argv) => wrap?.(argv, name) ?? argv,
        print: (stream, text) => {
          environment.printed += text
          this.#log.print(log, stream, text)
        },
      }),
    }
    this.#parts.background(this.#log.open(deployment, logStream, principal))
    return environment
  }
}

function report(answer: Answer, logs: string, id: string): Invocation {
  if ('payload' in answer) return { payload: answer.payload, logs }
  const { errorType, errorMessage, trace } = answer.error
  const message = errorType === 'Runtime.ExitError' ? `RequestId: ${id} Error: ${errorMessage}` : errorMessage
  const payload = { errorType, errorMessage: message, ...(trace === undefined ? {} : { trace }) }
  return { payload, functionError: 'Unhandled', logs }
}
