/** What happened in the account, for tests, reports and searches for leaked keys. */

export interface History {
  readonly calls: readonly Call[]
  readonly commands: readonly CommandRecord[]
  readonly associations: readonly ExecutionRecord[]
  readonly rotations: readonly RotationRecord[]
  readonly logs: readonly LogRecord[]
  /** Events that no retry could deliver. */
  readonly failedEvents: readonly FailedEvent[]
}

export interface FailedEvent {
  /** The schedule or function that gave it up. */
  readonly source: string
  readonly event: unknown
  readonly at: number
}

export interface Call {
  readonly service: string
  readonly operation: string
  /** The caller's ARN. */
  readonly principal: string
  readonly kind: PrincipalKind
  readonly at: number
  readonly decisions: readonly Decision[]
  /** The error's code, if it was refused. */
  error?: string
}

export type PrincipalKind = 'operator' | 'function' | 'instance' | 'service'

export interface Decision {
  readonly action: string
  readonly resource: string
  readonly allowed: boolean
  /** Statements that decided it, as {@link StatementUse} names them: `<policy>#<index>`. */
  readonly statements: readonly string[]
}

export interface StatementUse {
  /** Where it stands: the logical id, and which policy of that resource. */
  readonly policy: string
  readonly index: number
  readonly sid?: string
  readonly effect: string
  readonly used: number
}

export interface CommandRecord {
  readonly id: string
  readonly document: string
  readonly parameters: Readonly<Record<string, readonly string[]>>
  readonly comment: string
  readonly requestedAt: number
  readonly status: string
  readonly statusDetails: string
  readonly invocations: readonly ExecutionRecord[]
}

/** One run of a document on one instance. */
export interface ExecutionRecord {
  readonly instance: string
  readonly document: string
  readonly status: string
  readonly statusDetails: string
  readonly startedAt: number | undefined
  readonly endedAt: number | undefined
  readonly stdout: string
  readonly stderr: string
  readonly exitCode: number
}

export interface RotationRecord {
  readonly secret: string
  readonly token: string
  readonly at: number
  readonly steps: readonly { readonly step: string; readonly error?: string }[]
  readonly outcome: 'running' | 'succeeded' | 'failed'
}

export interface LogRecord {
  readonly functionName: string
  /** Of the execution environment, each of which has one. */
  readonly logStream: string
  readonly stream: 'stdout' | 'stderr' | 'platform'
  readonly at: number
  readonly text: string
}
