import { randomBytes, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { SSMClient } from '@aws-sdk/client-ssm'
import type { RotationPorts } from '../app/observation.ts'
import { type Answer, run } from '../app/rotation.ts'
import { runStep } from '../app/rotation-steps.ts'
import { ParameterRecord } from '../aws/parameter-store.ts'
import { TaggedInstances } from '../aws/roll-call.ts'
import { RunCommand } from '../aws/run-command.ts'
import { RingSecret } from '../aws/secrets-manager.ts'
import { parseRotationRequest } from '../core/request.ts'
import { parseRotationConfiguration, ROTATION_VARIABLE } from '../core/rotation-configuration.ts'
import type { InvocationContext } from './context.ts'
import { logJournal } from './journal.ts'

const configuration = parseRotationConfiguration(process.env[ROTATION_VARIABLE])
// Throttling is waited out: nothing here is in a hurry that a few retries would spoil.
const patience = { retryMode: 'adaptive', maxAttempts: 8 }
const secretsManager = new SecretsManagerClient(patience)
const systemsManager = new SSMClient(patience)
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
  const now = () => new Date()
  return {
    configuration,
    versions: secret,
    commits: secret,
    rotations: secret,
    records: new ParameterRecord(systemsManager, configuration.record),
    rollCall: new TaggedInstances(systemsManager, configuration.target),
    courier: new RunCommand(systemsManager, configuration),
    clock: {
      now,
      sleep: (milliseconds) => sleep(milliseconds),
      remaining: () => context.getRemainingTimeInMillis(),
    },
    chance: { random: randomBytes, uuid: randomUUID },
    journal: logJournal(configuration.ring, now, (line) => process.stdout.write(`${line}\n`)),
  }
}
