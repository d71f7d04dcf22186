import { readFileSync } from 'node:fs'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { SSMClient } from '@aws-sdk/client-ssm'
import { TaggedInstances } from '../aws/fleet-inventory.ts'
import { HttpResponders } from '../aws/http/responder.ts'
import { ParameterRecord } from '../aws/parameter-store.ts'
import { StapleCommandSender } from '../aws/run-command.ts'
import { AwsChains } from '../aws/staple-chains.ts'
import { ParameterStaples } from '../aws/staple-store.ts'
import type { StapleAnswer } from '../staples/answer.ts'
import { parseStapleConfiguration, STAPLES_VARIABLE } from '../staples/configuration.ts'
import type { Responders, StaplePorts } from '../staples/ports.ts'
import { parseStapleRequest, requireLooking, type StapleRequest } from '../staples/request.ts'
import { type ExplainAnswer, runStaples } from '../staples/run.ts'
import { logStapleEvents } from './event-log.ts'
import { starting } from './failure.ts'
import { CHANCE, clockOf, type InvocationContext, now, PATIENCE, writeLine } from './invocation.ts'
import { serving } from './serving.ts'

const configuration = starting(() =>
  parseStapleConfiguration(process.env[STAPLES_VARIABLE], (file) =>
    readFileSync(new URL(file, import.meta.url), 'utf8'),
  ),
)
const systemsManager = new SSMClient(PATIENCE)
const secretsManager = new SecretsManagerClient(PATIENCE)
const scope = { set: configuration.set }

/**
 * The staple function: for EventBridge Scheduler and by hand.
 * @throws FailedInvocation: what could not be looked at fails the invocation.
 */
export const handler = serving(scope, async (event, context) => answerTo(parseStapleRequest(event), context))

/**
 * The status function: the same code under a role that can read chains, staples, record and roll call, and change nothing.
 * @throws FailedInvocation `read-only` for whatever would act, or as {@link handler}.
 */
export const status = serving(scope, async (event, context) =>
  answerTo(requireLooking(parseStapleRequest(event)), context),
)

async function answerTo(
  request: StapleRequest,
  context: InvocationContext,
): Promise<StapleAnswer | ExplainAnswer> {
  // For this invocation alone: connections do not outlive the pause until the next one.
  const responders = new HttpResponders({ allow: configuration.allow })
  try {
    return await runStaples(portsOf(context, responders), request)
  } finally {
    responders.close()
  }
}

function portsOf(context: InvocationContext, responders: Responders): StaplePorts {
  return {
    configuration,
    chains: new AwsChains(systemsManager, secretsManager),
    store: new ParameterStaples(systemsManager, configuration.store),
    responders,
    records: new ParameterRecord(systemsManager, configuration.record),
    inventory: new TaggedInstances(systemsManager, configuration.target),
    sender: new StapleCommandSender(systemsManager, configuration),
    clock: clockOf(context),
    chance: CHANCE,
    eventLog: logStapleEvents(configuration.set, now, writeLine),
  }
}
