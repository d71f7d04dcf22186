import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { GetSecretValueCommand, UpdateSecretVersionStageCommand } from '@aws-sdk/client-secrets-manager'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readContext, type Synthesis, synthesise } from '../../infra/app/build-app.ts'
import { parseConfiguration } from '../../infra/app/configuration.ts'
import { type LoopbackAws, startLoopbackAws } from '../../local/aws/loopback.ts'
import { Override } from '../../local/rehearsal/timing.ts'
import { clients, joinMachine, removeFolders } from './aws/fixture.ts'
import { type Day, Diary, isSilenced, loseAnEvent, outcomeWithout, statementsOf } from './statements.ts'

const directory = mkdtempSync(join(tmpdir(), 'ticketring-iam-'))
const conf = join(directory, 'conf')
const memory = `/dev/shm/ticketring-iam-${process.pid}`
mkdirSync(conf)
writeFileSync(join(conf, 'edge.conf'), `RUN_DIR=${memory}\nSERVER=haproxy\nHAPROXY_KEYS=${memory}/keys\n`)
/** Days are played beside each other, in functions and scripts: on a busy processor one takes minutes (ms). */
const A_DAY = 480_000
const PACE = { every: 600, ticketLifetime: 1, tick: 1, association: 600 }

function synthesiseWith(trigger: 'schedule' | 'secrets-manager'): Synthesis {
  const { rings } = parseConfiguration(readContext().ticketring)
  const changed = rings.map(({ rotation, targets, ...ring }) => ({
    ...ring,
    mode: 'enforce' as const,
    rotation: { ...rotation, trigger },
    targets: { ...targets, minInstances: 1 },
  }))
  return synthesise({ rings: changed }, join(directory, trigger))
}

/** What a day of this stack looks like from outside: deploy, tick, delivery, rotation, a lost event, prying eyes. */
async function playThrough(synthesis: Synthesis, template: unknown, diary: Diary): Promise<void> {
  const aws = await startLoopbackAws({
    template,
    assembly: synthesis.assembly,
    roles: synthesis.rings.flatMap(({ fleetRoles }) => fleetRoles),
    timing: new Override(PACE),
    schedules: 'paused',
    rotationRetry: { times: 0, delay: 10 },
  })
  try {
    await ordinaryDay(aws, synthesis, diary)
    await badDay(aws, diary)
  } finally {
    await aws.close()
  }
}

async function ordinaryDay(aws: LoopbackAws, { rings: [ring] }: Synthesis, diary: Diary): Promise<void> {
  const functionName = ring?.functionName ?? ''
  const ask = async (event: object) => {
    const { payload, functionError } = await aws.invoke(functionName, event)
    await aws.idle()
    return { ...(payload as Spoken), functionError }
  }
  const tick = aws.schedules.find(({ kind, name }) => kind === 'schedule' && name.includes('reconcile'))
  await tick?.fire().catch(() => {})
  await aws.idle()
  diary.note('silenced', isSilenced(aws))
  const born = await ask({ action: 'status' })
  diary.note('born', [born.generation, born.functionError])
  // A fleet that was never populated counts as converged; the gate opens once a ticket would have lived.
  await pause(PACE.ticketLifetime * 1000 + 50)
  const rotated = await ask({ action: 'rotate' })
  diary.note('rotated', rotated.functionError)
  joinMachine(aws, {
    id: 'i-0123456789abcdef0',
    tags: { ticketring: 'edge' },
    environment: { TICKETRING_CONF_DIR: conf, TICKETRING_LIB: join(conf, 'lib') },
  })
  const delivered = await ask({ action: 'deliver' })
  diary.note('delivered', [delivered.generation, delivered.functionError])
  // Nothing serves here: the script gets as far as its server, which is all that policies decide.
  diary.note(
    'machine',
    delivered.fleet?.stragglers.map(({ reason }) => reason.split(':')[0]),
  )
  diary.note('looked', await lookedAt(aws, ring?.statusName ?? ''))
  diary.note('silenced', isSilenced(aws))
}

/** What the function that only looks sees, and whether it would act. */
async function lookedAt(aws: LoopbackAws, name: string): Promise<unknown> {
  const seen = await aws.invoke(name, { action: 'reconcile', dryRun: true })
  const asked = await aws.invoke(name, { action: 'revoke', ring: 'edge', reason: 'a leak' })
  const { generation, decision } = seen.payload as Spoken
  return {
    generation,
    // What it comes to, to send again or to wait, is a matter of the second.
    reason: decision?.reason,
    refused: [asked.functionError, (asked.payload as { errorMessage?: string }).errorMessage?.split(':')[0]],
  }
}

interface Spoken {
  readonly decision?: { readonly action: string; readonly reason: string }
  readonly generation?: number
  readonly fleet?: { readonly stragglers: readonly { readonly reason: string }[] }
}

/** A caller reads what AWSCURRENT does not name, or moves a label; an event cannot be handed over. */
async function badDay(aws: LoopbackAws, diary: Diary): Promise<void> {
  const { secrets } = clients(aws)
  const SecretId = aws.resources.secrets[0]?.arn ?? ''
  const [version] = aws.secretVersions(SecretId)
  const read = (which: object) => outcomeOf(secrets.send(new GetSecretValueCommand({ SecretId, ...which })))
  const moved = { SecretId, VersionStage: 'MINE', MoveToVersionId: version?.id }
  diary.note('pry', {
    stage: await read({ VersionStage: 'AWSPREVIOUS' }),
    version: await read({ VersionId: version?.id }),
    current: await read({ VersionStage: 'AWSCURRENT' }),
    label: await outcomeOf(secrets.send(new UpdateSecretVersionStageCommand(moved))),
  })
  diary.note('kept', await loseAnEvent(aws))
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

const TRIGGERS = ['schedule', 'secrets-manager'] as const
const stacks = TRIGGERS.map((trigger) => {
  const synthesis = synthesiseWith(trigger)
  return { trigger, synthesis, statements: statementsOf(synthesis) }
})
const known = new Set(stacks[0]?.statements.map(({ text }) => text))

describe.each(stacks)(
  'the policies of a stack with the trigger $trigger',
  ({ trigger, synthesis, ...stack }) => {
    // What both stacks have is taken away from the first.
    const statements = stack.statements.filter(({ text }) => trigger === 'schedule' || !known.has(text))
    const day = (template: unknown, diary: Diary) => playThrough(synthesis, template, diary)
    let usual: Day

    beforeAll(async () => {
      const diary = new Diary()
      await day(synthesis.template, diary)
      usual = diary.seen
    })

    it('allow a day’s work and refuse prying eyes', () => {
      expect(usual).toEqual({
        looked: {
          generation: 2,
          reason: expect.stringContaining('i-0123456789abcdef0 (server-not-running'),
          refused: ['Unhandled', 'read-only'],
        },
        born: [1, undefined],
        rotated: undefined,
        delivered: [2, undefined],
        machine: ['server-not-running'],
        silenced: false,
        pry: {
          stage: 'AccessDeniedException',
          version: 'AccessDeniedException',
          current: 'allowed',
          label: 'AccessDeniedException',
        },
        kept: 1,
      })
    })

    describe.concurrent('need', () => {
      it.each(statements.map((each) => [each.where, each] as const))(
        '%s',
        async (_, statement) => {
          expect(await outcomeWithout(statement, synthesis, usual, day)).not.toEqual(usual)
        },
        A_DAY,
      )
    })
  },
)
