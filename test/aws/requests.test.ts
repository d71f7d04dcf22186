import { randomUUID } from 'node:crypto'
import { inspect } from 'node:util'
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import type { SSMClient } from '@aws-sdk/client-ssm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RingCommandSender } from '../../lambda/aws/run-command.ts'
import { RingSecret } from '../../lambda/aws/secrets-manager.ts'
import { logRingEvents } from '../../lambda/handlers/event-log.ts'
import { parseRotationRequest } from '../../lambda/ring/request.ts'
import { runStep } from '../../lambda/ring/secrets-manager-steps.ts'
import type { LoopbackAws } from '../../local/aws/loopback.ts'
import { configurationOf, World } from '../fakes/world.ts'
import { clients, joinMachine, machineId, removeFolders, startAccount } from '../local/aws/fixture.ts'
import { template } from '../local/aws/template.ts'

let aws: LoopbackAws
beforeAll(async () => {
  // Its own function never gets anywhere: AWSPENDING stays where RotateSecret put it, without a value.
  const variables = { FAIL_AT: 'createSecret', REFUSALS: '99' }
  aws = await startAccount({ template: template({ rotation: {}, variables }) })
})
afterAll(async () => {
  await aws.close()
  removeFolders()
})

/** What a client puts on the wire from now on, parsed. */
function tap(client: SecretsManagerClient | SSMClient): { operation: string; input: unknown }[] {
  const sent: { operation: string; input: unknown }[] = []
  const { middlewareStack } = client as SSMClient
  middlewareStack.add(
    (next, { commandName = '' }) =>
      (args) => {
        const { body } = args.request as { body: Uint8Array }
        const input = JSON.parse(new TextDecoder().decode(body))
        sent.push({ operation: commandName.replace(/Command$/, ''), input })
        return next(args)
      },
    { step: 'finalizeRequest' },
  )
  return sent
}

describe('the token of a rotation by Secrets Manager', () => {
  const rotationToken = `rotation-token-${randomUUID()}`
  const lines: string[] = []

  async function createSecret(ClientRequestToken: string, secrets: SecretsManagerClient): Promise<void> {
    const arn = aws.resources.secrets[0]?.arn ?? ''
    const event = { Step: 'createSecret', SecretId: arn, ClientRequestToken, RotationToken: rotationToken }
    const request = parseRotationRequest(event)
    if (request.kind !== 'step') throw new Error('not a step')
    const secret = new RingSecret(secrets, arn)
    const world = new World([], { secret: arn, trigger: 'secrets-manager' })
    const eventLog = logRingEvents(
      'edge',
      () => world.clock.now(),
      (line) => lines.push(line),
    )
    await runStep({ ...world.ports(), versions: secret, commits: secret, eventLog }, request)
  }

  it('goes with the staged value, and nowhere else', async () => {
    const token = randomUUID()
    const { secrets } = clients(aws)
    await new RingSecret(secrets, aws.resources.secrets[0]?.arn ?? '').start(token)
    await aws.idle()
    const sent = tap(secrets)

    aws.faults.add({ operation: 'PutSecretValue', when: 'before', effect: 'throttle' })
    const error = await createSecret(token, secrets).catch((refused: unknown) => refused)
    expect(error).toMatchObject({ code: 'throttled' })
    await createSecret(token, secrets)

    const staged = sent.filter(({ operation }) => operation === 'PutSecretValue')
    const put = { ClientRequestToken: token, RotationToken: rotationToken, VersionStages: ['AWSPENDING'] }
    expect(staged.map(({ input }) => input)).toEqual([
      expect.objectContaining(put),
      expect.objectContaining(put),
    ])
    const others = sent.filter(({ operation }) => operation !== 'PutSecretValue')
    expect(JSON.stringify(others) + lines.join() + inspect(error, { depth: 9 })).not.toContain(rotationToken)
  })
})

describe('a command', () => {
  const document = { name: 'apply-edge', version: '1', script: '0123456789ab' }
  const target = { tag: 'ring', values: ['edge'], minInstances: 1, maxConcurrency: 15 }
  const configuration = configurationOf({ document, target })
  const common = {
    DocumentName: 'apply-edge',
    DocumentVersion: '1',
    TimeoutSeconds: 47,
    Parameters: { Generation: ['7'] },
    Comment: 'ticketring: edge, generation 7 or later',
  }

  it('that is ramped stops at a share of failures, and each machine says its own', async () => {
    joinMachine(aws, { id: machineId(1), environment: { STATUS: '1' } })
    joinMachine(aws, { id: machineId(2) })
    joinMachine(aws, { id: machineId(3) })
    const { ssm } = clients(aws)
    const sent = tap(ssm)
    const sender = new RingCommandSender(ssm, configuration)
    const [command = ''] = await sender.send({ generation: 7, to: 'all', ramp: true, timeout: 47 })
    await aws.idle()
    expect(sent[0]?.input).toEqual({
      ...common,
      Targets: [{ Key: 'tag:ring', Values: ['edge'] }],
      MaxConcurrency: '15%',
      MaxErrors: '5%',
    })
    const { invocations } = await sender.results(command)
    expect(invocations.map(({ id, status }) => `${id} ${status}`)).toEqual([
      `${machineId(1)} Failed`,
      `${machineId(2)} Terminated`,
      `${machineId(3)} Terminated`,
    ])
    expect(invocations[0]?.output).toContain('generation 7 by variable')
    expect(await sender.resultOf(command, machineId(1))).toEqual(invocations[0])
    expect(await sender.resultOf(command, machineId(9))).toBeUndefined()
  })

  it('that is not ramped goes to all it names at once, whichever machine fails', async () => {
    const { ssm } = clients(aws)
    const sent = tap(ssm)
    const order = { generation: 7, to: [machineId(1), machineId(3)], ramp: false, timeout: 47 }
    await new RingCommandSender(ssm, configuration).send(order)
    await aws.idle()
    expect(sent.map(({ input }) => input)).toEqual([
      {
        ...common,
        Targets: [{ Key: 'InstanceIds', Values: [machineId(1), machineId(3)] }],
        MaxConcurrency: '100%',
        MaxErrors: '100%',
      },
    ])
  })

  it('that names a machine which Systems Manager does not know is refused as such', async () => {
    const sender = new RingCommandSender(clients(aws).ssm, configuration)
    const order = { generation: 7, to: [machineId(1), machineId(9)], ramp: false, timeout: 47 }
    await expect(sender.send(order)).rejects.toMatchObject({ code: 'instance-invalid' })
  })
})
