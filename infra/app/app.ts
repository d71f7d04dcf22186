import { isRefusal } from '../../lambda/kernel/errors.ts'
import { buildApp, createApp, summarise, synthesiseWithinLimits } from './build-app.ts'
import { parseConfiguration } from './configuration.ts'

try {
  const app = createApp()
  const configuration = parseConfiguration(app.node.tryGetContext('ticketring'), {
    region: process.env.CDK_DEFAULT_REGION,
  })
  const { stack } = buildApp(configuration, { app })
  synthesiseWithinLimits(app)
  console.error(summarise(configuration, stack).join('\n'))
} catch (error) {
  // What is wrong in the configuration is told in words, without a stack trace of ours.
  if (!isRefusal(error)) throw error
  console.error(error.message)
  process.exitCode = 1
}
