import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { SSMClient } from '@aws-sdk/client-ssm'
import type { Answer } from '../ring/answer.ts'
import { parseRotationConfiguration, ROTATION_VARIABLE } from '../ring/configuration.ts'
import { parseRotationRequest, requireLooking } from '../ring/request.ts'
import { run } from '../ring/rotate.ts'
import { runStep } from '../ring/secrets-manager-steps.ts'
import { look } from '../ring/status.ts'
import { logRingEvents } from './event-log.ts'
import { starting } from './failure.ts'
import { CHANCE, clockOf, type InvocationContext, now, PATIENCE, writeLine } from './invocation.ts'
import { lookingPorts, rotationPorts } from './rotation-ports.ts'
import { serving } from './serving.ts'

const configuration = starting(() => parseRotationConfiguration(process.env[ROTATION_VARIABLE]))
const clients = {
  secretsManager: new SecretsManagerClient(PATIENCE),
  systemsManager: new SSMClient(PATIENCE),
  // As the SDK's clients are told.
  cloudWatch: process.env.AWS_ENDPOINT_URL_CLOUDWATCH ?? process.env.AWS_ENDPOINT_URL,
}
const scope = { ring: configuration.ring }

/**
 * The rotation function: for EventBridge Scheduler, for Secrets Manager's rotation, and by hand.
 * @returns the answer of an action; nothing for a rotation step.
 * @throws FailedInvocation: a failed rotation fails the invocation.
 */
export const handler = serving(scope, async (event, context): Promise<Answer | undefined> => {
  const request = parseRotationRequest(event)
  const ports = rotationPorts(clients, configuration, { ...around(context), chance: CHANCE })
  if (request.kind === 'action') return run(ports, request)
  await runStep(ports, request)
  return undefined
})

/**
 * The status function: the same code under a role that can read labels, record and roll call, and change nothing.
 * @throws FailedInvocation `read-only` for whatever would act, or as {@link handler}.
 */
export const status = serving(scope, async (event, context): Promise<Answer> => {
  const request = requireLooking(parseRotationRequest(event))
  return look(lookingPorts(clients, configuration, around(context)), request)
})

function around(context: InvocationContext) {
  const eventLog = logRingEvents(configuration.ring, now, writeLine, context.awsRequestId)
  return { clock: clockOf(context), eventLog }
}
