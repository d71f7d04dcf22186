import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readContext } from '../../../infra/app/context.ts'
import { STACK_NAME } from '../../../infra/app/stack-names.ts'
import { synthesiseTemplate } from './synthesis.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

let outdir: string
beforeAll(() => {
  outdir = mkdtempSync(join(tmpdir(), 'ticketring-app-'))
})
afterAll(() => rmSync(outdir, { recursive: true }))

/**
 * Runs the app as the CDK's command line does: context and output directory come by the environment. CDK's own validation
 * takes seconds and is test/infra/nag.test.ts's.
 */
function runApp(ticketring: unknown) {
  const context = { ...readContext(), ticketring, 'aws:cdk:bundling-stacks': [] }
  return spawnSync(process.execPath, ['--import', 'tsx', 'infra/app/app.ts'], {
    cwd: ROOT,
    encoding: 'utf8',
    env: {
      ...process.env,
      CDK_OUTDIR: outdir,
      CDK_CONTEXT_JSON: JSON.stringify(context),
      CDK_VALIDATION: 'false',
    },
  })
}

describe('the app that cdk.json starts', { timeout: 120_000 }, () => {
  it('synthesises the very template that a rehearsal synthesises in process, and tells what each ring is', () => {
    const example = readContext().ticketring
    const { status, stderr } = runApp(example)
    const { template, summary } = synthesiseTemplate(example)
    expect(status).toBe(0)
    expect(stderr).toContain(summary.join('\n'))
    expect(JSON.parse(readFileSync(join(outdir, `${STACK_NAME}.template.json`), 'utf8'))).toEqual(template)
  })

  it('refuses a bad configuration in words, every problem in a line, without a stack trace', () => {
    const { status, stderr } = runApp({ rings: [{ name: 'Edge' }], alarmTopic: 'ops' })
    expect(status).toBe(1)
    const problems = stderr.split('\n').filter((line) => line.startsWith('  - '))
    expect(problems.map((line) => line.slice(4).split(':')[0])).toEqual([
      'ticketring.rings[0].name',
      'ticketring.rings[0].targets',
      'ticketring.rings[0].servers',
      'ticketring.alarmTopic',
    ])
    expect(stderr).not.toMatch(/^\s+at /m)
  })
})
