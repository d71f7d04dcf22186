import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { SSMClient } from '@aws-sdk/client-ssm'
import type { Answer } from '../app/answer.ts'
import type { RotationPorts } from '../app/observation.ts'
import { run } from '../app/rotation.ts'
import { runStep } from '../app/rotation-steps.ts'
import { ParameterRecord } from '../aws/parameter-store.ts'
import { TaggedInstances } from '../aws/roll-call.ts'
import { RunCommand } from '../aws/run-command.ts'
import { RingSecret } from '../aws/secrets-manager.ts'
import { parseRotationRequest } from '../core/request.ts'
import { parseRotationConfiguration, ROTATION_VARIABLE } from '../core/rotation-configuration.ts'
import { CHANCE, clockOf, type InvocationContext, now, PATIENCE, writeLine } from './invocation.ts'
import { logJournal } from './journal.ts'

const configuration = parseRotationConfiguration(process.env[ROTATION_VARIABLE])
const secretsManager = new SecretsManagerClient(PATIENCE)
const systemsManager = new SSMClient(PATIENCE)
const secret = new RingSecret(secretsManager, configuration.secret)

/**
 * The rotation function: for EventBridge Scheduler, for Secrets Manager's rotation, and by hand.
 * @returns the answer of an action; nothing for a rotation step.
 * @throws TicketringError or the SDK's error: a failed rotation fails the invocation.
 */
export async function handler(event: unknown, context: InvocationContext): Promise<Answer | undefined> {
  const request = parseRotationRequest(event)
  const ports = portsOf(context)
  if (request.kind === 'action') return run(ports, request)
  await runStep(ports, request)
  return undefined
}

function portsOf(context: InvocationContext): RotationPorts {
  return {
    configuration,
    versions: secret,
    commits: secret,
    rotations: secret,
    records: new ParameterRecord(systemsManager, configuration.record),
    rollCall: new TaggedInstances(systemsManager, configuration.target),
    courier: new RunCommand(systemsManager, configuration),
    clock: clockOf(context),
    chance: CHANCE,
    journal: logJournal(configuration.ring, now, writeLine),
  }
}
