import { parseArgs } from 'node:util'
import { STACK_NAME } from '../../infra/app/stack-names.ts'
import { NAME } from '../../lambda/kernel/fields.ts'
import type { Answer } from '../../lambda/ring/answer.ts'
import type { Account } from '../aws/account.ts'
import { Functions } from '../aws/functions.ts'
import { type DeployedStack, findStack } from '../aws/stack.ts'
import type { Io } from '../command.ts'
import { UsageError } from '../usage-error.ts'
import { parseAnswer } from './answer-shape.ts'

export const ACCOUNT = `  --stack NAME       whose outputs name what is asked (default ${STACK_NAME}; cloudformation:DescribeStacks)
  --profile NAME     as of the AWS CLI (default: what the environment says)
  --region REGION    the same
  --json             print what was answered as JSON
  -h, --help         this text`

export const ACCOUNT_OPTIONS = {
  stack: { type: 'string' },
  profile: { type: 'string' },
  region: { type: 'string' },
  json: { type: 'boolean' },
} as const
export const REASON = { reason: { type: 'string' } } as const
export const DRY_RUN = { 'dry-run': { type: 'boolean' } } as const

/** One question, with a clock: a function that waits for its machines takes minutes. */
export async function ask(
  functions: Functions,
  name: string,
  event: { readonly action: string; readonly dryRun?: boolean },
  io: Io,
): Promise<Answer> {
  const start = io.now()
  io.onInterrupt(goesOn(name, event))
  const state = () => io.state(`${name} has been asked for ${Math.round((io.now() - start) / 1000)} s`)
  const clock = setInterval(state, 1000)
  try {
    return parseAnswer(await functions.invoke(name, event), name)
  } finally {
    clearInterval(clock)
    io.endState()
    io.onInterrupt(undefined)
  }
}

/** A function ends what it has begun, also where its caller has gone. */
function goesOn(
  name: string,
  { action, dryRun }: { readonly action: string; readonly dryRun?: boolean },
): string {
  if (action === 'status' || dryRun === true) return 'Nothing was changed'
  const again =
    action === 'revoke' ? '; the same command within ten minutes goes on with the same revoke' : ''
  return `${name} goes on with the ${action}: \`ticketring status\` tells how it stands${again}`
}

/** The one ring that is named. */
export function only(positionals: readonly string[]): string {
  const [ring, ...extra] = positionals
  if (ring === undefined || extra.length > 0) throw new UsageError('The name of one ring is wanted')
  if (!NAME.test(ring))
    throw new UsageError(`The name of a ring is wanted, not ${JSON.stringify(ring.slice(0, 64))}`)
  return ring
}

/** Values of the options {@link ACCOUNT_OPTIONS}. */
export interface AccountValues {
  readonly stack?: string | undefined
  readonly profile?: string | undefined
  readonly region?: string | undefined
  readonly json?: boolean | undefined
}

/** What is deployed, and by whose leave it is asked. */
export interface Deployed {
  readonly account: Account
  readonly stack: DeployedStack
  readonly functions: Functions
}

/** @throws ServiceError where the stack cannot be found. */
export async function deployedOf({ stack = STACK_NAME, profile, region }: AccountValues): Promise<Deployed> {
  const account = { profile, region }
  return { account, stack: await findStack(account, stack), functions: new Functions(account) }
}

/** @throws UsageError for an option that is not known. */
export function read<T extends Readonly<Record<string, { readonly type: 'string' | 'boolean' }>>>(
  words: readonly string[],
  options: T,
) {
  try {
    return parseArgs({ args: [...words], options, allowPositionals: true })
  } catch (error) {
    throw new UsageError((error as Error).message.split('. ')[0] ?? '')
  }
}
