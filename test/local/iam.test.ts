import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { GetSecretValueCommand } from '@aws-sdk/client-secrets-manager'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readContext, type Synthesis, synthesise } from '../../infra/build-app.ts'
import { parseConfiguration } from '../../infra/configuration.ts'
import { type LoopbackAws, startLoopbackAws } from '../../local/aws/loopback.ts'
import { Override } from '../../local/rehearsal/pace.ts'
import { clients, joinMachine, removeFolders } from './aws/fixture.ts'

type Template = { Resources: Record<string, unknown> }
const directory = mkdtempSync(join(tmpdir(), 'ticketring-iam-'))
const conf = join(directory, 'conf')
const memory = `/dev/shm/ticketring-iam-${process.pid}`
mkdirSync(conf)
writeFileSync(join(conf, 'edge.conf'), `RUN_DIR=${memory}\nSERVER=haproxy\nHAPROXY_KEYS=${memory}/keys\n`)
const PACE = { every: 600, ticketLifetime: 1, tick: 1, association: 600 }

function synthesiseWith(trigger: 'schedule' | 'secrets-manager'): Synthesis {
  const { rings } = parseConfiguration(readContext().ticketring)
  const changed = rings.map(({ rotation, targets, ...ring }) => ({
    ...ring,
    rotation: { ...rotation, trigger },
    targets: { ...targets, minInstances: 1 },
  }))
  return synthesise({ rings: changed }, join(directory, trigger))
}

/** Paths of every policy statement and permission of a template. */
function statementsOf({ Resources }: Template): string[][] {
  const found: string[][] = []
  const walk = (value: unknown, path: string[]): void => {
    if (typeof value !== 'object' || value === null) return
    for (const [key, inner] of Object.entries(value)) {
      if (key === 'Statement' && Array.isArray(inner))
        found.push(...inner.map((_, n) => [...path, key, String(n)]))
      else walk(inner, [...path, key])
    }
  }
  walk(Resources, [])
  const permissions = Object.entries(Resources).filter(([, each]) => {
    return (each as { Type: string }).Type === 'AWS::Lambda::Permission'
  })
  return [...found, ...permissions.map(([id]) => [id])]
}

function without(template: Template, path: readonly string[]): Template {
  const copy = structuredClone(template)
  let parent: Record<string, unknown> | unknown[] = copy.Resources
  for (const step of path.slice(0, -1)) parent = parent[step as keyof typeof parent] as typeof parent
  const last = path.at(-1) ?? ''
  if (Array.isArray(parent)) parent.splice(Number(last), 1)
  else delete parent[last]
  return copy
}

/** What a day of this stack looks like from outside: deploy, tick, delivery, rotation, a lost event, prying eyes. */
async function playThrough(synthesis: Synthesis, template: unknown): Promise<Record<string, unknown>> {
  const aws = await startLoopbackAws({
    template,
    assembly: synthesis.assembly,
    timing: new Override(PACE),
    schedules: 'paused',
    rotationRetry: { times: 0, delay: 10 },
  })
  try {
    return { ...(await ordinaryDay(aws, synthesis)), ...(await badDay(aws)) }
  } finally {
    await aws.close()
  }
}

async function ordinaryDay(aws: LoopbackAws, { rings: [ring] }: Synthesis): Promise<Record<string, unknown>> {
  const functionName = ring?.functionName ?? ''
  const ask = async (event: object) => {
    const { payload, functionError } = await aws.invoke(functionName, event)
    await aws.idle()
    return { ...(payload as Spoken), functionError }
  }
  const tick = aws.schedules.find(({ kind, name }) => kind === 'schedule' && name.includes('reconcile'))
  await tick?.fire().catch(() => {})
  await aws.idle()
  const born = await ask({ action: 'status' })
  // A fleet that was never populated counts as converged; the gate opens once a ticket would have lived.
  await pause(PACE.ticketLifetime * 1000 + 50)
  const rotated = await ask({ action: 'rotate' })
  joinMachine(aws, {
    id: 'i-0123456789abcdef0',
    tags: { ticketring: 'edge' },
    environment: { TICKETRING_CONF_DIR: conf },
  })
  const delivered = await ask({ action: 'deliver' })
  return {
    generations: [born.generation, delivered.generation],
    errors: [born.functionError, rotated.functionError, delivered.functionError],
    // Nothing serves here: the script gets as far as its server, which is all that policies decide.
    machine: delivered.fleet?.stragglers.map(({ reason }) => reason.split(':')[0]),
    silenced: aws.history.logs.filter(({ text }) => text.includes('may not write')).length > 0,
  }
}

interface Spoken {
  readonly generation?: number
  readonly fleet?: { readonly stragglers: readonly { readonly reason: string }[] }
}

/** Somebody reads what AWSCURRENT does not name; an event cannot be handed over. */
async function badDay(aws: LoopbackAws): Promise<Record<string, unknown>> {
  const { secrets } = clients(aws)
  const SecretId = aws.resources.secrets[0]?.arn ?? ''
  const [version] = aws.secretVersions(SecretId)
  const read = (which: object) => outcomeOf(secrets.send(new GetSecretValueCommand({ SecretId, ...which })))
  const pry = {
    stage: await read({ VersionStage: 'AWSPREVIOUS' }),
    version: await read({ VersionId: version?.id }),
    current: await read({ VersionStage: 'AWSCURRENT' }),
  }
  aws.faults.add({ operation: 'Invoke', when: 'before', effect: 'fail', times: 1000 })
  const [schedule] = aws.schedules.filter(({ kind }) => kind === 'schedule')
  await schedule?.fire().catch(() => {})
  return { pry, kept: aws.history.failedEvents.length }
}

async function outcomeOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'allowed',
    (error: Error) => error.name,
  )
}

afterAll(() => {
  removeFolders()
  rmSync(directory, { recursive: true, force: true })
  rmSync(memory, { recursive: true, force: true })
})

/** The queue's demand for TLS cannot be met or broken over a loopback's plain HTTP: test/infra asserts it. */
const OUT_OF_REACH = /sqs:\*/

const TRIGGERS = ['schedule', 'secrets-manager'] as const
const stacks = TRIGGERS.map((trigger) => {
  const synthesis = synthesiseWith(trigger)
  const template = synthesis.template as unknown as Template
  const statements = statementsOf(template).map((path) => ({
    path,
    text: JSON.stringify(at(template, path)),
  }))
  return { trigger, synthesis, template, statements }
})
const known = new Set(stacks[0]?.statements.map(({ text }) => text))

describe.each(stacks)('the policies of a stack with the trigger $trigger', ({ trigger, ...stack }) => {
  const { synthesis, template } = stack
  // What both stacks have is taken away from the first.
  const statements = stack.statements.filter(({ text }) => trigger === 'schedule' || !known.has(text))
  let usual: Record<string, unknown>

  beforeAll(async () => {
    usual = await playThrough(synthesis, template)
  })

  it('allow a day’s work and refuse prying eyes', () => {
    expect(usual).toEqual({
      generations: [1, 2],
      errors: [undefined, undefined, undefined],
      machine: ['server-not-running'],
      silenced: false,
      pry: { stage: 'AccessDeniedException', version: 'AccessDeniedException', current: 'allowed' },
      kept: 1,
    })
  })

  describe.concurrent('need', () => {
    it.each(statements.map(({ path, text }) => [path.join('/'), path, text] as const))(
      '%s',
      async (_, path, text) => {
        if (OUT_OF_REACH.test(text)) return expect(path[0]).toMatch(/Undelivered/)
        const outcome = await playThrough(synthesis, without(template, path)).catch((error: Error) => ({
          refused: error.message,
        }))
        expect(outcome).not.toEqual(usual)
      },
    )
  })
})

function at({ Resources }: Template, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, step) => (value as Record<string, unknown>)[step], Resources)
}
