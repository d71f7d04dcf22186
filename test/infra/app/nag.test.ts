import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Queue } from 'aws-cdk-lib/aws-sqs'
import { afterAll, describe, expect, it } from 'vitest'
import { buildApp, createApp } from '../../../infra/app/build-app.ts'
import { parseConfiguration } from '../../../infra/app/configuration.ts'
import { readContext } from '../../../infra/app/context.ts'
import { exampleRing, exampleSet, VPC } from './example.ts'

const outdir = mkdtempSync(join(tmpdir(), 'ticketring-nag-'))
afterAll(() => rmSync(outdir, { recursive: true }))

function build(configuration: unknown, folder: string) {
  const app = createApp({ outdir: join(outdir, folder), bundle: false })
  return buildApp(parseConfiguration(configuration), { app })
}

const withRing = (trigger: string) => ({ rings: [exampleRing({ rotation: { trigger } })] })
const KEY = 'arn:aws:kms:eu-west-1:123456789012:key/1234abcd'

describe("cdk-nag's AwsSolutions rules and CDK's own validation", { timeout: 120_000 }, () => {
  it.each<[string, unknown]>([
    ['the example', readContext().ticketring],
    ['a ring that a schedule turns', withRing('schedule')],
    ['a ring that Secrets Manager turns', withRing('secrets-manager')],
    [
      'a ring whose machines complete launch hooks',
      { rings: [exampleRing({ launchGroups: ['edge-a', 'edge/b'] })] },
    ],
    ['a set', { stapling: [exampleSet()] }],
    ['a set in a VPC', { stapling: [exampleSet({ vpc: VPC })] }],
    [
      'a set whose chains have a path and a key',
      {
        stapling: [
          exampleSet({
            chainPath: '/tls',
            certificates: [{ name: 'www', chain: { parameter: '/tls/www', key: KEY } }],
          }),
        ],
      },
    ],
  ])('find nothing with %s', (what, configuration) => {
    expect(() => build(configuration, what.replaceAll(' ', '-')).app.synth()).not.toThrow()
  })

  it('find a planted violation', () => {
    const { app, stack } = build(withRing('schedule'), 'planted')
    new Queue(stack, 'Planted')
    expect(() => app.synth()).toThrow(/validation/i)
  })
})
