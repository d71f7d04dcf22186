import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { SSMClient } from '@aws-sdk/client-ssm'
import {
  type Instance,
  type LoopbackAws,
  type LoopbackOptions,
  type Machine,
  startLoopbackAws,
} from '../../../local/aws/loopback.ts'
import { template } from './template.ts'

export const ASSEMBLY = fileURLToPath(new URL('./assembly', import.meta.url))

/** A loopback AWS from the small hand-written template, its schedules paused. */
export function startAccount(options: Partial<LoopbackOptions> = {}): Promise<LoopbackAws> {
  return startLoopbackAws({
    template: template(),
    assembly: ASSEMBLY,
    schedules: 'paused',
    roles: ['terminators'],
    rotationRetry: { times: 2, delay: 10 },
    timing: {},
    ...options,
  })
}

/** The real SDK clients, as the operator; each call is tried once. */
export function clients(
  aws: LoopbackAws,
  credentials: LoopbackAws['operator'] & { readonly sessionToken?: string } = aws.operator,
) {
  const options = { endpoint: aws.endpoint, region: aws.region, credentials, maxAttempts: 1 }
  return { secrets: new SecretsManagerClient(options), ssm: new SSMClient(options) }
}

/** The session in a function's environment, as the probe tells it. */
export function sessionOf(environment: unknown) {
  const variables = environment as Record<string, string>
  return {
    accessKeyId: variables.AWS_ACCESS_KEY_ID ?? '',
    secretAccessKey: variables.AWS_SECRET_ACCESS_KEY ?? '',
    sessionToken: variables.AWS_SESSION_TOKEN ?? '',
  }
}

/** The id of an EC2 machine, as long as AWS makes them. */
export function machineId(number: number): string {
  return `i-${String(number).padStart(17, '0')}`
}

const folders: string[] = []

/** A machine of the ring `edge`, unless told otherwise. */
export function joinMachine(aws: LoopbackAws, machine: Partial<Machine> & { id: string }): Instance {
  const workdir = mkdtempSync(join(tmpdir(), 'loopback-agent-'))
  folders.push(workdir)
  const defaults = { tags: { ring: 'edge' }, role: 'terminators', agent: 'current' as const, environment: {} }
  return aws.join({ ...defaults, workdir, ...machine })
}

export function removeFolders(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
}

/** The code of the error that a call fails with; fails the test if it does not. */
export async function refusalOf(call: Promise<unknown>): Promise<{ name: string; message: string }> {
  const answer = await call.then(
    (value) => new Error(`succeeded: ${JSON.stringify(value)}`),
    (error: unknown) => error as Error,
  )
  return { name: answer.name, message: answer.message }
}
