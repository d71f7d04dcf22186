/** What a rehearsal or a test gives the loopback AWS, and what it gets back. */

import type { ChangeCalendar } from './change-calendars.ts'
import type { AlarmStateValue } from './cloud-watch.ts'
import type { Faults } from './faults.ts'
import type { History, StatementUse } from './history.ts'
import type { Instance, Machine } from './machine.ts'
import type { Secret } from './secret-store.ts'
import type { TemplateResource } from './template.ts'

export interface LoopbackOptions {
  /** The synthesised CloudFormation template, as parsed JSON. */
  readonly template: unknown
  /** The cloud assembly's folder (`cdk.out`): functions run from its assets. */
  readonly assembly: string
  /** Default `loopback`. */
  readonly stackName?: string
  /** Default `us-east-1`. */
  readonly region?: string
  /** Default `111122223333`. */
  readonly account?: string
  /** Names of the roles that exist outside the stack, such as a fleet's own: a policy can be attached to no other. */
  readonly roles?: readonly string[]
  /** What an earlier stack left in the account. */
  readonly retained?: readonly Retained[]
  /** Values for the template's own parameters; their defaults otherwise. */
  readonly parameters?: Readonly<Record<string, string>>
  /** The one declared override of durations. Nothing else of the template can be changed. */
  readonly timing?: DurationOverride
  /** `paused` schedules fire only when told to. Default `running`. */
  readonly schedules?: 'running' | 'paused'
  /** How often and after how many milliseconds Secrets Manager retries a rotation. AWS does not say. */
  readonly rotationRetry?: { readonly times: number; readonly delay: number }
  /** Milliseconds since 1970. */
  readonly clock?: () => number
  readonly random?: (bytes: number) => Uint8Array
  readonly log?: (line: string) => void
  /** Puts something in front of a function's command, such as strace. */
  readonly wrapFunction?: (argv: readonly string[], functionName: string) => readonly string[]
}

export interface DurationOverride {
  /** Seconds from one firing to the next; a schedule's flexible window shrinks in proportion. */
  period?(seconds: number, of: Timed): number
  /** A function's environment as it should run; only durations in it may differ. */
  environment?(
    variables: Readonly<Record<string, string>>,
    of: { readonly logicalId: string; readonly name: string },
  ): Readonly<Record<string, string>>
}

export interface Timed {
  readonly kind: 'schedule' | 'association' | 'rotation'
  readonly logicalId: string
  readonly name: string
}

export interface LoopbackAws {
  /** `http://127.0.0.1:<port>`: what AWS_ENDPOINT_URL is to be. */
  readonly endpoint: string
  readonly region: string
  readonly account: string
  /** An administrator of the account. Resource policies bind it like any other principal. */
  readonly operator: { readonly accessKeyId: string; readonly secretAccessKey: string }
  readonly resources: Resources
  readonly schedules: readonly ScheduleControl[]
  readonly faults: Faults
  readonly history: History
  /** Registers a machine with Systems Manager; associations that target it run at once. */
  join(machine: Machine): Instance
  /** Invokes a function as the operator. `asynchronous` returns when the event is queued. */
  invoke(functionName: string, event: unknown, how?: InvokeOptions): Promise<Invocation>
  /** Puts an alarm of CloudWatch into a state, making it first if need be; `undefined` deletes it. */
  setAlarm(name: string, state: AlarmStateValue | undefined): void
  /** Makes a Change Calendar, or shares another account's, which is named by ARN; `undefined` ends that. */
  setCalendar(nameOrArn: string, calendar: ChangeCalendar | undefined): void
  /** Every version of a secret, past any policy: for a rehearsal, to know which keys to look for. Key material. */
  secretVersions(secretId: string): readonly SecretVersion[]
  /**
   * Updates the stack to another template, one resource after the other, and removes what is gone last.
   * @param between what happens after each step, while the stack is half updated
   * @throws RolledBack
   */
  update(template: unknown, between?: (logicalId: string) => Promise<void>): Promise<void>
  /** Deletes the stack; an update deploys it again. @returns what stays in the account. */
  delete(): Promise<readonly Retained[]>
  /** What would stay in the account if the stack were deleted now. */
  retained(): readonly Retained[]
  /** Asks the override for each function's environment again: the next invocations run in new processes. */
  retime(): void
  /** How often each operation was asked for by functions, or by one function or role named here. */
  apiCalls(principal?: string): Record<string, number>
  /** Every policy statement of the template, and how often it decided a request. */
  statements(): StatementUse[]
  /** Resolves when no command, association, rotation or asynchronous invocation is under way. */
  idle(): Promise<void>
  /** Ends every process it started and frees the port. */
  close(): Promise<void>
}

export interface InvokeOptions {
  readonly asynchronous?: boolean
  /** ClientContext, parsed: Lambda hands it to the function of a synchronous invocation. */
  readonly clientContext?: unknown
}

/** What stays in the account without its stack. */
export interface Retained {
  readonly type: string
  readonly logicalId: string
  readonly name: string
  readonly resource: TemplateResource
  readonly secret?: Secret
}

export interface SecretVersion {
  readonly id: string
  readonly labels: readonly string[]
  /** None in the placeholder that RotateSecret makes. */
  readonly value: string | undefined
}

export interface Resources {
  readonly secrets: readonly { readonly logicalId: string; readonly name: string; readonly arn: string }[]
  readonly functions: readonly DeployedFunction[]
  readonly documents: readonly {
    readonly logicalId: string
    readonly name: string
    readonly content: unknown
  }[]
  readonly parameters: readonly { readonly logicalId: string; readonly name: string }[]
  readonly roles: readonly { readonly logicalId: string; readonly name: string; readonly arn: string }[]
}

export interface DeployedFunction {
  readonly logicalId: string
  readonly name: string
  readonly arn: string
  /** What the template sets, after the override of durations. */
  readonly environment: Readonly<Record<string, string>>
}

export interface ScheduleControl extends Timed {
  /** Seconds, after the override. */
  readonly period: number
  pause(): void
  resume(): void
  /** Fires now; resolves when the target has taken the event. */
  fire(scheduledTime?: Date): Promise<void>
}

export interface Invocation {
  readonly payload: unknown
  /** `Unhandled` when the function failed. */
  readonly functionError?: string
  /** What this invocation printed. */
  readonly logs: string
}
