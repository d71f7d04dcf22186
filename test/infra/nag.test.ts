import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Queue } from 'aws-cdk-lib/aws-sqs'
import { afterAll, describe, expect, it } from 'vitest'
import { buildApp, createApp } from '../../infra/build-app.ts'
import { parseConfiguration } from '../../infra/configuration.ts'
import { exampleRing } from './example.ts'

const outdir = mkdtempSync(join(tmpdir(), 'ticketring-nag-'))
afterAll(() => rmSync(outdir, { recursive: true }))

function build(rotation: Readonly<Record<string, unknown>>, folder: string) {
  const app = createApp({ outdir: join(outdir, folder), bundle: false })
  return buildApp(parseConfiguration({ rings: [exampleRing({ rotation })] }), { app })
}

describe("cdk-nag's AwsSolutions rules", { timeout: 120_000 }, () => {
  it.each(['schedule', 'secrets-manager'])('find nothing with trigger %s', (trigger) => {
    expect(() => build({ trigger }, trigger).app.synth()).not.toThrow()
  })

  it('find a planted violation', () => {
    const { app, stack } = build({}, 'planted')
    new Queue(stack, 'Planted')
    expect(() => app.synth()).toThrow(/validation/i)
  })
})
