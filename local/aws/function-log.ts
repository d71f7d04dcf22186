import { type Account, arn } from './account.ts'
import type { CallBook } from './caller.ts'
import type { Principal } from './credentials.ts'
import type { FunctionDeployment } from './function-environment.ts'
import type { LogRecord } from './history.ts'

interface LogParts {
  readonly account: Account
  readonly calls: CallBook
  readonly log: (line: string) => void
}

/** A function, and the log of one environment of it. */
interface LogStream {
  readonly name: string
  readonly logStream: string
}

/** CloudWatch Logs, as far as functions write to it. */
export class FunctionLog {
  readonly records: LogRecord[] = []
  readonly #parts: LogParts

  constructor(parts: LogParts) {
    this.#parts = parts
  }

  print({ name, logStream }: LogStream, stream: LogRecord['stream'], text: string): void {
    this.records.push({ functionName: name, logStream, stream, at: this.#parts.account.now(), text })
    this.#parts.log(`${name} ${stream}: ${text.trimEnd()}`)
  }

  /** A function whose role may not write logs runs on in silence; here that is said. */
  async open(
    { name, role, logGroup }: FunctionDeployment,
    logStream: string,
    principal: Principal,
  ): Promise<void> {
    const { account, calls } = this.#parts
    const stream = arn(account, 'logs', `log-group:${logGroup}:log-stream:${logStream}`)
    const { call, caller } = calls.open('logs', 'PutLogEvents', { ...principal, kind: 'service' })
    const allowed = [
      await caller.may('logs:CreateLogStream', stream),
      await caller.may('logs:PutLogEvents', stream),
    ]
    if (allowed.every(Boolean)) return
    call.error = 'AccessDeniedException'
    this.print({ name, logStream }, 'platform', `${role} may not write to ${logGroup}`)
  }
}
