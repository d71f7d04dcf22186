import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once as onceEmitted } from 'node:events'
import { text } from 'node:stream/consumers'
import type { LoopbackAws } from '../../local/aws/loopback.ts'
import { type Ended, ticketring } from './command-line.ts'

export type { Ended } from './command-line.ts'

/** Where an operator's account is, and the key to it. */
export interface OperatorAccess {
  readonly endpoint: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/** The operator's, of a loopback AWS. */
export function accessTo({ endpoint, region, operator }: LoopbackAws): OperatorAccess {
  return { endpoint, region, ...operator }
}

type Environment = Readonly<Record<string, string | undefined>>

/** What the environment of an operator says. No home, so no shared files, and no metadata service. */
export function environmentOf({
  endpoint,
  region,
  accessKeyId,
  secretAccessKey,
}: OperatorAccess): Environment {
  return {
    HOME: '/nonexistent',
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_EC2_METADATA_DISABLED: 'true',
  }
}

/** `ticketring …` in a process of its own, as an operator types it. */
export function spawnAsOperator(
  access: OperatorAccess,
  words: readonly string[],
  more: Environment = {},
): Promise<Ended> {
  const { PATH, NODE_OPTIONS } = process.env
  const env = { PATH, NODE_OPTIONS, ...environmentOf(access), ...more }
  return new Promise((resolve) => {
    execFile(process.execPath, ['bin/ticketring.mjs', ...words], { env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr })
    })
  })
}

/** The same, with Ctrl-C once something has happened. */
export async function interruptAsOperator(
  access: OperatorAccess,
  words: readonly string[],
  once: () => Promise<unknown>,
): Promise<Ended> {
  const { PATH, NODE_OPTIONS } = process.env
  const env = { PATH, NODE_OPTIONS, ...environmentOf(access) }
  const child = spawn(process.execPath, ['bin/ticketring.mjs', ...words], { env })
  const printed = Promise.all([text(child.stdout), text(child.stderr)])
  await once()
  child.kill('SIGINT')
  const [stdout, stderr] = await printed
  return { code: child.exitCode ?? (await exitOf(child)), stdout, stderr }
}

async function exitOf(child: ChildProcess): Promise<number> {
  const [code] = await onceEmitted(child, 'exit')
  return code
}

/** The same in this process, which takes a tenth of the time: one command after the other, since they share its environment. */
export function asOperator(
  access: OperatorAccess,
  words: readonly string[],
  more: Environment = {},
): Promise<Ended> {
  return withEnvironment(access, more, () => ticketring(...words))
}

/** Does something in this process as an operator. */
export async function withEnvironment<T>(
  access: OperatorAccess,
  more: Environment,
  done: () => Promise<T>,
): Promise<T> {
  const wanted = { AWS_PROFILE: undefined, ...environmentOf(access), ...more }
  const before = Object.keys(wanted).map((name) => [name, process.env[name]] as const)
  setAll(Object.entries(wanted))
  try {
    return await done()
  } finally {
    setAll(before)
  }
}

function setAll(variables: readonly (readonly [string, string | undefined])[]): void {
  for (const [name, value] of variables) {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
}
