import { userInfo } from 'node:os'
import { parseArgs } from 'node:util'
import { HELP } from '../help-option.ts'
import { RehearsalError } from './rehearsal-error.ts'
import { allRunning, findRunning, type Running } from './running-rehearsal.ts'

const USAGE = `Usage: npm run invoke -- [options] <function> '<event JSON>'

Invokes a function of the running rehearsal (npm start -- --keep) and prints its answer.
<function> is rotate, staple, status or staple-status (which only look), a function's name or its ARN, for example:
  npm run invoke -- status '{"action":"status"}'
  npm run invoke -- rotate '{"action":"rotate","reason":"a drill"}'
  npm run invoke -- staple '{"action":"explain","certificate":"www"}'

  --rehearsal N  process number of the rehearsal, as it says when it stays up: of several, one that came later
  -h, --help     this text`

export interface Answer {
  readonly payload: string
  readonly failed: boolean
}

/** @throws RehearsalError when nothing runs, the function or the event is not understood, or no rehearsal answers. */
export async function invoke(words: readonly string[]): Promise<Answer> {
  const { values, positionals } = read(words)
  if (values.help === true) return { payload: USAGE, failed: false }
  const [target, text, ...extra] = positionals
  if (target === undefined || text === undefined || extra.length > 0)
    throw new RehearsalError('Two arguments are wanted', USAGE)
  requireJson(text)
  const running = findNamed(values.rehearsal)
  const response = await send(running, nameOf(target, running), text)
  const payload = await response.text()
  if (response.ok) return { payload, failed: response.headers.has('x-amz-function-error') }
  throw new RehearsalError(`The loopback AWS answered ${response.status}: ${payload}`, USAGE)
}

function read(words: readonly string[]) {
  const options = { rehearsal: { type: 'string' }, help: HELP } as const
  try {
    return parseArgs({ args: [...words], options, allowPositionals: true })
  } catch (error) {
    throw new RehearsalError((error as Error).message, USAGE)
  }
}

/** @param pid as the command line has it. */
function findNamed(pid: string | undefined): Running {
  const running = findRunning(pid === undefined ? undefined : Number(pid))
  if (running !== undefined) return running
  const up = allRunning()
  if (up.length === 0)
    throw new RehearsalError('No rehearsal is running', 'Start one with npm start -- --keep')
  const which = pid === undefined ? 'The first rehearsal has ended' : `No rehearsal ${pid} is running`
  throw new RehearsalError(which, `There is ${up.map((each) => `--rehearsal ${each}`).join(', ')}`)
}

function requireJson(text: string): void {
  try {
    JSON.parse(text)
  } catch (error) {
    throw new RehearsalError(`The event is no JSON: ${(error as Error).message}`, USAGE)
  }
}

/** The short key, the name or the ARN, as a name. */
function nameOf(target: string, { functions }: Running): string {
  const bare = target.replace(/^arn:[^:]+:lambda:[^:]*:\d*:function:/, '')
  const name = Object.hasOwn(functions, bare)
    ? functions[bare]
    : Object.values(functions).find((each) => each === bare)
  if (name !== undefined) return name
  const known = Object.entries(functions).map(([key, value]) => `${key} (${value})`)
  throw new RehearsalError(`No function ${target} in this rehearsal`, `There is ${known.join(', ')}`)
}

/** Lambda's Invoke. */
async function send({ aws }: Running, name: string, body: string): Promise<Response> {
  const path = `/2015-03-31/functions/${encodeURIComponent(name)}/invocations`
  const context = { custom: { caller: `${userInfo().username}, by npm run invoke` } }
  const headers = {
    'content-type': 'application/json',
    'x-amz-client-context': Buffer.from(JSON.stringify(context)).toString('base64'),
  }
  // Loading it takes longer than to refuse what is asked amiss.
  const { sendSigned } = await import('../signed-request.ts')
  try {
    return await sendSigned(aws, { service: 'lambda', path, headers, body })
  } catch (cause) {
    throw new RehearsalError(
      `No rehearsal answers at ${aws.endpoint}`,
      'The rehearsal may have ended: npm start -- --keep',
      cause,
    )
  }
}
