import { PutParameterCommand } from '@aws-sdk/client-ssm'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { StapleAnswer } from '../../lambda/staples/answer.ts'
import { STAPLES_VARIABLE, serialiseStapleConfiguration } from '../../lambda/staples/configuration.ts'
import type { ExplainAnswer } from '../../lambda/staples/run.ts'
import type { LoopbackAws } from '../../local/aws/loopback.ts'
import { Authority } from '../fakes/staple-authority.ts'
import { TestServer } from '../fakes/staple-server.ts'
import { settingOf, stapleConfigurationOf } from '../fakes/staple-world.ts'
import { clients, removeFolders, startAccount } from '../local/aws/fixture.ts'

type Handler = (event: unknown, context: { getRemainingTimeInMillis(): number }) => Promise<unknown>

let aws: LoopbackAws
let server: TestServer
let handler: Handler
const lines: string[] = []
const authority = new Authority(() => new Date())
const context = { getRemainingTimeInMillis: () => 300_000 }

/** The handler as Lambda would load it: a real responder, the real SDK, a real wire. */
beforeAll(async () => {
  aws = await startAccount()
  server = await TestServer.start(authority.listener())
  const chain = authority.issue('www', { ocsp: [server.url('/ocsp')] })
  await clients(aws).ssm.send(
    new PutParameterCommand({ Name: '/tls/www/chain', Value: chain, Type: 'String' }),
  )
  const configuration = stapleConfigurationOf({
    certificates: [settingOf('www')],
    target: { tag: 'ring', values: ['edge'], minInstances: 1 },
    allow: ['127.0.0.0/8'],
  })
  vi.stubEnv(STAPLES_VARIABLE, serialiseStapleConfiguration(configuration))
  vi.stubEnv('AWS_ENDPOINT_URL', aws.endpoint)
  vi.stubEnv('AWS_REGION', aws.region)
  vi.stubEnv('AWS_ACCESS_KEY_ID', aws.operator.accessKeyId)
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', aws.operator.secretAccessKey)
  vi.spyOn(process.stdout, 'write').mockImplementation((line) => lines.push(String(line)) > 0)
  handler = (await import('../../lambda/handlers/staple.ts')).handler
})
afterAll(async () => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
  await server.close()
  await aws.close()
  removeFolders()
})

describe('the staple function', () => {
  it('asks, validates, stores and answers', async () => {
    const answer = (await handler({ action: 'refresh' }, context)) as StapleAnswer
    expect(answer.certificates).toMatchObject([
      { name: 'www', state: 'staple', status: 'good', source: server.url('/ocsp') },
    ])
    expect(answer.delivery.action).toBe('rest')
    const status = (await handler({ action: 'status' }, context)) as StapleAnswer
    expect(status.certificates).toMatchObject([{ name: 'www', state: 'staple', failures: 0 }])
    expect(server.requests).toHaveLength(1)
  })

  it('explains', async () => {
    const answer = (await handler({ action: 'explain', certificate: 'www' }, context)) as ExplainAnswer
    expect(answer).toMatchObject({ certificate: 'www', verdict: 'good' })
  })

  it('writes JSON lines, its metrics in the embedded format under its set', async () => {
    const entries = lines.flatMap((text) => text.trim().split('\n')).map((line) => JSON.parse(line))
    const metrics = entries.find((entry) => '_aws' in entry)
    expect(metrics).toMatchObject({ Set: 'edge', StapleFailures: 0, StaplesRevoked: 0, WithdrawalHeld: 0 })
    expect(metrics._aws.CloudWatchMetrics[0]).toMatchObject({
      Namespace: 'Ticketring',
      Dimensions: [['Set']],
    })
    expect(entries.find(({ kind }) => kind === 'fetched')).toMatchObject({ set: 'edge', certificate: 'www' })
  })

  it('counts failures by their reason', async () => {
    authority.manner = () => Buffer.from('no response')
    lines.length = 0
    await handler({ action: 'refresh', certificate: 'www', force: true }, context)
    const entries = lines.flatMap((text) => text.trim().split('\n')).map((line) => JSON.parse(line))
    expect(entries.filter((entry) => '_aws' in entry)).toMatchObject([
      { Set: 'edge', StapleFailures: 1 },
      { Set: 'edge', Reason: 'V2', StapleFailures: 1 },
    ])
  })

  it('refuses an event that it does not know', async () => {
    await expect(handler({ action: 'rotate' }, context)).rejects.toMatchObject({ code: 'request-invalid' })
  })
})
