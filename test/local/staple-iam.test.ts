import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readContext, synthesise } from '../../infra/app/build-app.ts'
import { parseConfiguration } from '../../infra/app/configuration.ts'
import { type LoopbackAws, startLoopbackAws } from '../../local/aws/loopback.ts'
import { makePki, type Pki } from '../../local/rehearsal/machines/pki.ts'
import { freePorts } from '../../local/rehearsal/machines/ports.ts'
import { Responder, urlOfResponder } from '../../local/rehearsal/staples/responder.ts'
import { publishChains } from '../../local/rehearsal/staples/staple-set.ts'
import { Override } from '../../local/rehearsal/timing.ts'
import { joinMachine, removeFolders } from './aws/fixture.ts'
import { type Day, Diary, isSilenced, loseAnEvent, outcomeWithout, statementsOf } from './statements.ts'

const directory = mkdtempSync(join(tmpdir(), 'ticketring-staple-iam-'))
const memory = `/dev/shm/ticketring-staple-iam-${process.pid}`
/** Days are played beside each other, in functions and scripts: on a busy processor one takes minutes (ms). */
const A_DAY = 480_000
const PACE = { every: 600, ticketLifetime: 1, tick: 1, association: 600 }

function synthesiseSet() {
  const stapling = parseConfiguration(readContext().ticketring).stapling.map(({ targets, ...set }) => ({
    ...set,
    targets: { ...targets, minInstances: 1 },
    allow: ['127.0.0.0/8'],
  }))
  return synthesise({ stapling }, join(directory, 'cdk.out'))
}

const synthesis = synthesiseSet()
const [set] = synthesis.stapling
let pki: Pki
let responder: Responder
/** Each machine has settings and folders of its own. */
let machines = 0

beforeAll(async () => {
  const [port] = (await freePorts(1)) as [number]
  pki = makePki(directory, urlOfResponder(port))
  const log = join(directory, 'responder.log')
  responder = new Responder({ files: pki.responder, port, minutes: 60, log })
  await responder.start()
})
afterAll(async () => {
  await responder.stop()
  removeFolders()
  for (const folder of [directory, memory]) rmSync(folder, { recursive: true, force: true })
})

/** A machine with the certificate on which nothing serves: the staple is put in place for its next start. */
function joinHolder(aws: LoopbackAws): void {
  machines += 1
  const conf = join(directory, `conf-${machines}`)
  const memoryOfIt = join(memory, String(machines))
  for (const folder of [conf, memoryOfIt]) mkdirSync(folder, { recursive: true })
  const lines = [
    `RUN_DIR=${memoryOfIt}`,
    'SERVER=nginx',
    `NGINX_STAPLES=${pki.certificate}=${memoryOfIt}/www.ocsp`,
    'NGINX_TEST=true',
  ]
  writeFileSync(join(conf, `${set?.name}.staples.conf`), `${lines.join('\n')}\n`)
  joinMachine(aws, {
    id: 'i-0123456789abcdef0',
    tags: { ticketring: 'edge' },
    environment: { TICKETRING_CONF_DIR: conf, TICKETRING_LIB: join(conf, 'lib') },
  })
}

/** What a day of this stack looks like from outside: deploy, tick, delivery, a lost event. */
async function playThrough(template: unknown, diary: Diary): Promise<void> {
  const { assembly, stapling } = synthesis
  const aws = await startLoopbackAws({
    template,
    assembly,
    roles: stapling.flatMap(({ fleetRoles }) => fleetRoles),
    timing: new Override(PACE),
    schedules: 'paused',
  })
  try {
    await publishChains(aws, pki)
    joinHolder(aws)
    const [tick] = aws.schedules.filter(({ kind }) => kind === 'schedule')
    await tick?.fire().catch(() => {})
    await aws.idle()
    diary.note('silenced', isSilenced(aws))
    const { payload, functionError } = await aws.invoke(set?.functionName ?? '', { action: 'status' })
    const { certificates = [], fleet } = payload as Spoken
    diary.note('error', functionError)
    diary.note(
      'certificates',
      certificates.map(({ name, state }) => `${name}: ${state}`),
    )
    diary.note(
      'machine',
      fleet?.stragglers.map(({ reason }) => reason.split(':')[0]),
    )
    diary.note('looked', await lookedAt(aws))
    diary.note('silenced', isSilenced(aws))
    diary.note('kept', await loseAnEvent(aws))
  } finally {
    await aws.close()
  }
}

/** What the function that only looks sees, and whether it would act. */
async function lookedAt(aws: LoopbackAws): Promise<unknown> {
  const ask = async (event: object) => (await aws.invoke(set?.statusName ?? '', event)).payload as Spoken
  const { certificates = [], delivery } = await ask({ action: 'status' })
  const { verdict } = await ask({ action: 'explain', certificate: 'www' })
  const { errorMessage } = await ask({ action: 'withdraw', certificate: 'www' })
  return {
    certificates: certificates.length,
    reason: delivery?.reason,
    verdict,
    refused: errorMessage?.split(':')[0],
  }
}

interface Spoken {
  readonly delivery?: { readonly action: string; readonly reason: string }
  readonly verdict?: string
  readonly errorMessage?: string
  readonly certificates?: readonly { readonly name: string; readonly state: string }[]
  readonly fleet?: { readonly stragglers: readonly { readonly reason: string }[] }
}

describe('the policies of a stack with a set of certificates', () => {
  let usual: Day

  beforeAll(async () => {
    const diary = new Diary()
    await playThrough(synthesis.template, diary)
    usual = diary.seen
  })

  it('allow a day’s work', () => {
    expect(usual).toEqual({
      error: undefined,
      looked: {
        certificates: 1,
        reason: expect.stringContaining('i-0123456789abcdef0 (server-not-running'),
        verdict: 'good',
        refused: 'read-only',
      },
      certificates: ['www: staple'],
      machine: ['server-not-running'],
      silenced: false,
      kept: 1,
    })
  })

  describe.concurrent('need', () => {
    it.each(statementsOf(synthesis).map((each) => [each.where, each] as const))(
      '%s',
      async (_, statement) => {
        expect(await outcomeWithout(statement, synthesis, usual, playThrough)).not.toEqual(usual)
      },
      A_DAY,
    )
  })
})
