/**
 * What Lambda's Node.js runtime is to a bundle: it loads the handler, hands it one event at a time and sends
 * back what it answers. It is started as `node function-runtime.mjs <task root> <handler>`.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [, , root, handlerName] = process.argv
// What Node was told is no variable of the function's.
delete process.env.NODE_OPTIONS
const handler = load(root, handlerName)

process.on('message', async ({ id, event, deadline, arn, clientContext }) => {
  const context = {
    awsRequestId: id,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    invokedFunctionArn: arn,
    clientContext,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
  }
  const answer = await run(event, context)
  // Standard output is a pipe of its own: what the handler printed has to be through before its answer.
  process.stdout.write('', () => process.stderr.write('', () => process.send({ id, ...answer })))
})

async function run(event, context) {
  try {
    const payload = await (await handler)(event, context)
    return { payload: JSON.parse(JSON.stringify(payload ?? null)) }
  } catch (error) {
    const { name = 'Error', message = String(error), stack = '' } = error ?? {}
    return { error: { errorType: name, errorMessage: message, trace: stack.split('\n') } }
  }
}

async function load(folder, name) {
  const [file, exported] = name.split('.')
  const path = ['.mjs', '.js', '.cjs']
    .map((suffix) => join(folder, file + suffix))
    .find((path) => existsSync(path))
  if (path === undefined) throw new Error(`Cannot find module '${file}'`)
  const module = await import(pathToFileURL(path).href)
  const found = module[exported] ?? module.default?.[exported]
  if (typeof found !== 'function') throw new Error(`${name} is undefined or not exported`)
  return found
}

// A bundle that does not load fails the event that needs it, not the process that waits for one.
handler.catch(() => {}).finally(() => process.send({ initialised: true }))
