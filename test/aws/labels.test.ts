import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { afterEach, describe, expect, it } from 'vitest'
import { RingSecret } from '../../lambda/aws/secrets-manager.ts'
import { converged, methods, TIMING } from '../fakes/world.ts'

const VERSION = 'advance-00000000-0000-0000-0000-000000000001'
const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

/** A secret whose labels are these, and of which AWS takes none off: it answers each try with this error. */
async function refusing(error: string, labels: Readonly<Record<string, readonly string[]>>) {
  const asked: string[] = []
  const server = createServer((request, response) => {
    const [, operation = ''] = String(request.headers['x-amz-target']).split('.')
    asked.push(operation)
    const isLook = operation === 'DescribeSecret'
    response.writeHead(isLook ? 200 : 400, { 'content-type': 'application/x-amz-json-1.1' })
    response.end(
      JSON.stringify(isLook ? { VersionIdsToStages: labels } : { __type: error, message: 'You can’t.' }),
    )
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const client = new SecretsManagerClient({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'eu-west-1',
    credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' },
    maxAttempts: 1,
  })
  closing.push(() => {
    client.destroy()
    server.close()
  })
  return { secret: new RingSecret(client, 'ring'), asked }
}

const REFUSALS = ['InvalidParameterException', 'InvalidRequestException', 'ResourceNotFoundException']

describe.each(REFUSALS)('a label that is not taken off, with %s', (error) => {
  it('though the version has it is a refusal that says so', async () => {
    const { secret } = await refusing(error, { [VERSION]: ['AWSPREVIOUS'] })
    await expect(secret.unlabel('AWSPREVIOUS', VERSION)).rejects.toMatchObject({
      code: 'label-refused',
      wanted: `AWSPREVIOUS to be taken off ${VERSION}`,
      came: expect.stringContaining(error),
      fix: expect.stringContaining('Restore the secret'),
    })
  })

  it.each<[string, Readonly<Record<string, readonly string[]>>]>([
    ['another version has it', { other: ['AWSPREVIOUS'] }],
    ['the version has another', { [VERSION]: ['AWSCURRENT'] }],
    ['there is none', {}],
  ])('since %s was not there', async (_, labels) => {
    const { secret, asked } = await refusing(error, labels)
    expect(await secret.unlabel('AWSPREVIOUS', VERSION)).toBe(false)
    expect(asked).toEqual(['UpdateSecretVersionStage', 'DescribeSecret'])
  })
})

describe('a rotation after which AWS takes AWSPREVIOUS off nothing', () => {
  it('fails by that, with the new ring delivered, and a tick takes it off once AWS does', async () => {
    const { secret } = await refusing('InvalidRequestException', { [VERSION]: ['AWSPREVIOUS'] })
    const world = await converged()
    world.clock.advance(TIMING.every)
    const ports = world.ports()
    const commits = {
      ...methods(ports.commits),
      unlabel: (label: 'AWSPREVIOUS' | 'AWSPENDING' | 'REVOKING', version: string) =>
        label === 'AWSPREVIOUS' ? secret.unlabel(label, VERSION) : ports.commits.unlabel(label, version),
    }
    const rotated = world.invoke({ action: 'rotate' }, { ...ports, commits })
    await expect(rotated).rejects.toMatchObject({ code: 'label-refused' })
    expect(world.delivery()).toMatchObject({ generation: 2, confirmed: 3 })
    expect(world.secret.holders.has('AWSPREVIOUS')).toBe(true)
    expect(await world.reconcile()).toMatchObject({ generation: 2, decision: { action: 'rest' } })
    expect(world.secret.holders.has('AWSPREVIOUS')).toBe(false)
  })
})
