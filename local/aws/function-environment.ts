import type { Account } from './account.ts'
import type { DeployedFunction } from './contract.ts'
import type { CredentialStore } from './credentials.ts'

/** A function as its template resource describes it. */
export interface FunctionDeployment extends DeployedFunction {
  /** Name of the execution role. */
  readonly role: string
  readonly taskRoot: string
  readonly handler: string
  /** Seconds. */
  readonly timeout: number
  /** Megabytes. */
  readonly memory: number
  readonly logGroup: string
  readonly reservedConcurrency: number | undefined
  /** How often a failed asynchronous event is tried again. */
  readonly retryAttempts: number
}

/** What Lambda sets for every function, and what the template sets for this one. */
export function environmentOf(
  { name, handler, memory, taskRoot, environment, logGroup }: FunctionDeployment,
  { region }: Account,
  session: ReturnType<CredentialStore['issueSession']>,
  endpoint: string,
): Record<string, string> {
  return {
    ...environment,
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
    AWS_ACCESS_KEY_ID: session.accessKeyId,
    AWS_SECRET_ACCESS_KEY: session.secretAccessKey,
    AWS_SESSION_TOKEN: session.sessionToken,
    AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
    AWS_LAMBDA_FUNCTION_NAME: name,
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(memory),
    AWS_LAMBDA_LOG_GROUP_NAME: logGroup,
    LAMBDA_TASK_ROOT: taskRoot,
    _HANDLER: handler,
    LANG: 'en_US.UTF-8',
    TZ: ':UTC',
    PATH: '/usr/local/bin:/usr/bin:/bin',
    // No home, as in Lambda: the SDK must not find this machine's own profiles.
    HOME: '/nonexistent',
    AWS_ENDPOINT_URL: endpoint,
  }
}
