import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { readContext, type Synthesis, synthesise } from '../../infra/app/build-app.ts'
import { parseResultLine } from '../../lambda/ring/result-line.ts'
import {
  type LoopbackAws,
  type LoopbackOptions,
  RolledBack,
  startLoopbackAws,
} from '../../local/aws/loopback.ts'
import { Override } from '../../local/rehearsal/timing.ts'
import { withAltered } from './altered-program.ts'
import { joinMachine, machineId, removeFolders } from './aws/fixture.ts'

const directory = mkdtempSync(join(tmpdir(), 'ticketring-deploying-'))
const PACE = { every: 600, ticketLifetime: 1, tick: 600, association: 600 }

/** The example's ring, its machines' servers owned by this user. */
function synthesiseOwnedBy(owner: string): Synthesis {
  const { rings } = readContext().ticketring as { rings: readonly { servers: Record<string, object> }[] }
  const owned = rings.map(({ servers, ...ring }) => ({
    ...ring,
    mode: 'enforce',
    servers: Object.fromEntries(
      Object.entries(servers).map(([kind, server]) => [kind, { ...server, owner }]),
    ),
  }))
  return synthesise({ rings: owned }, join(directory, 'cdk.out'))
}

let before: Synthesis
let after: Synthesis
beforeAll(() => {
  before = synthesiseOwnedBy('root')
  after = synthesiseOwnedBy('www-data')
})
afterAll(() => {
  removeFolders()
  rmSync(directory, { recursive: true })
})

let aws: LoopbackAws | undefined
afterEach(() => aws?.close())

function deploy(options: Partial<LoopbackOptions> = {}): Promise<LoopbackAws> {
  const { template, assembly, rings } = before
  const roles = rings.flatMap(({ fleetRoles }) => fleetRoles)
  return startLoopbackAws({
    template,
    assembly,
    roles,
    timing: new Override(PACE),
    schedules: 'paused',
    ...options,
  })
}

test("a first deploy that fails for want of a fleet's role leaves nothing that would block the next", async () => {
  const error = await deploy({ roles: [] }).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(RolledBack)
  const { message, retained } = error as RolledBack
  expect(message).toContain('The role with name terminators cannot be found.')
  expect(retained).toEqual([])
  aws = await deploy({ retained })
})

test('a delivery between any two steps of a later deploy is refused nothing', async () => {
  aws = await deploy()
  const account = aws
  const [ring] = before.rings
  // Nothing of the example runs on this machine: whatever the script, it says nothing.
  joinMachine(account, { id: machineId(1), tags: { ticketring: 'edge' }, wrap: () => ['true'] })
  const run = async (event: object) => {
    const { functionError } = await account.invoke(ring?.functionName ?? '', event)
    expect(functionError).toBeUndefined()
  }
  await run({ action: 'reconcile' })
  const steps: string[] = []
  await account.update(after.template, async (logicalId) => {
    steps.push(logicalId)
    await run({ action: 'deliver' })
  })
  await account.idle()
  const errors = account.history.calls.flatMap(({ kind, error }) =>
    kind === 'function' ? (error ?? []) : [],
  )
  expect(errors).toEqual([])
  const sent = new Set(account.history.commands.map(({ document }) => document))
  expect([...sent]).toEqual([before, after].map(({ rings: [each] }) => each?.document.name))
  expect(steps.length).toBeGreaterThan(3)
})

/** A machine on which the document's own program runs, and ends at a setting of the machine's. */
function joinReal(account: LoopbackAws, number: number) {
  const folder = join(directory, `machine-${number}`)
  mkdirSync(join(folder, 'conf'), { recursive: true })
  writeFileSync(join(folder, 'conf', 'edge.conf'), 'SERVER=none\n')
  const environment = {
    PATH: process.env.PATH ?? '',
    TICKETRING_LIB: join(folder, 'lib'),
    TICKETRING_CONF_DIR: join(folder, 'conf'),
  }
  return joinMachine(account, { id: machineId(number), tags: { ticketring: 'edge' }, environment })
}

test('a deploy brings its program to no machine that has one, until a command does', async () => {
  aws = await deploy()
  const account = aws
  const [ring] = before.rings
  const named = ring?.document.name ?? ''
  const other = named.replace(/.{12}$/, 'f'.repeat(12))
  const alteration = {
    file: 'ring.py',
    text: 'wanted a ring of schema 1',
    other: 'wanted one ring of schema 1',
  }
  const changed = JSON.parse(
    JSON.stringify(withAltered(before.template, alteration)).replaceAll(named, other),
  )
  /** Which programs State Manager's runs for the ring were on a machine. */
  const ranOn = (id: string) =>
    account.history.associations
      .filter(({ instance, document }) => instance === id && document.startsWith('ticketring-edge'))
      .map(({ stdout }) => parseResultLine(stdout).script)
  const run = (action: string) => account.invoke(ring?.functionName ?? '', { action })
  const old = joinReal(account, 1)
  await run('reconcile')
  await account.idle()
  await account.update(changed)
  await account.idle()
  const script = ring?.document.script ?? ''
  expect(ranOn(old.id)).toEqual([script, script])
  const young = joinReal(account, 2)
  await account.idle()
  const [brought = ''] = ranOn(young.id)
  expect(brought).toMatch(/^[0-9a-f]{12}$/)
  expect(brought).not.toBe(script)
  await run('deliver')
  const repairs = account.schedules.filter(({ kind }) => kind === 'association')
  for (const repair of repairs) await repair.fire()
  await account.idle()
  expect(ranOn(old.id)).toEqual([script, script, brought])
})
