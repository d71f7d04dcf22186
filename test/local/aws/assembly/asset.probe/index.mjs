/** A function that does what its event says, so that a test can look at how it is run. */
import { connect } from 'node:net'
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'

let invocations = 0

export async function handler({ do: action, ...event }, context) {
  invocations += 1
  switch (action) {
    case 'environment':
      return { ...process.env }
    case 'context':
      return { ...context, remaining: context.getRemainingTimeInMillis(), pid: process.pid, invocations }
    case 'print':
      console.log(event.text)
      console.error(event.text.toUpperCase())
      return event.text
    case 'sleep':
      console.log('asleep')
      await new Promise((resolve) => setTimeout(resolve, event.milliseconds))
      return process.pid
    case 'throw':
      throw new RangeError(event.message)
    case 'exit':
      return process.exit(event.code)
    case 'connect':
      return new Promise((resolve) => {
        const socket = connect(9, event.host, () => resolve('connected'))
        socket.once('error', ({ code }) => resolve(code))
      })
    case 'read': {
      const client = new SecretsManagerClient({ maxAttempts: event.attempts ?? 1 })
      const { SecretString } = await client.send(new GetSecretValueCommand(event.input))
      return SecretString
    }
    default:
      return { action, event }
  }
}
