import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PutSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { toLayout } from '../../lambda/ring/layouts.ts'
import { TicketKey } from '../../lambda/ring/ticket-key.ts'
import { keyNameOf } from '../../local/rehearsal/clients/ticket.ts'
import { visit } from '../../local/rehearsal/clients/tls-client.ts'
import { hostOf } from '../../local/rehearsal/machines/fleet.ts'
import { environmentOf } from '../../local/rehearsal/machines/installed-program.ts'
import { terminatorOf } from '../../local/rehearsal/machines/kinds.ts'
import type { Machine } from '../../local/rehearsal/machines/machine.ts'
import { startServer } from '../../local/rehearsal/machines/running-server.ts'
import { stackFor } from '../../local/rehearsal/synthesis.ts'
import { Testbed } from '../../local/rehearsal/testbed.ts'

const FLEET = { haproxy: 1, nginx: 0 }
const PACE = { every: 600, ticketLifetime: 1, tick: 1, association: 600 }

let directory: string
let testbed: Testbed

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'ticketring-adopt-'))
  const synthesis = await stackFor(FLEET, join(directory, 'cdk.out'))
  testbed = await Testbed.build(FLEET, PACE, {
    synthesis,
    durations: (same) => ({ ...same, start: 'paused' }),
  })
})
afterAll(async () => {
  await testbed?.strike(false)
  rmSync(directory, { recursive: true, force: true })
})

/** As bringing a machine up, but that it runs already, on keys of its own. */
function enlist(machine: Machine): void {
  const { targets, fleetRoles } = testbed.ring
  testbed.aws.join({
    id: machine.id,
    tags: { [targets.tag]: targets.values[0] as string },
    role: fleetRoles[0] as string,
    agent: machine.agent,
    environment: environmentOf(machine),
    workdir: `${machine.directory}/orchestration`,
  })
}

it('a fleet that ran on keys of its own keeps its sessions: paused, adopted, delivered by the next tick', async () => {
  const [machine] = testbed.machines as [Machine]
  const [previous, current, next] = [1, 2, 3].map(() => TicketKey.draw(randomBytes)) as [
    TicketKey,
    TicketKey,
    TicketKey,
  ]
  const [file] = terminatorOf(machine).keyFiles(machine) as [string]
  const lines = [previous, current, next].map((key) => `${toLayout(key, 'haproxy-80').toString('base64')}\n`)
  writeFileSync(file, lines.join(''), { mode: 0o400 })
  testbed.servers.push(await startServer(machine, testbed.trace))
  const client = { authority: machine.pki.authority, version: 'TLSv1.3' } as const
  const before = await visit(hostOf(machine), client)

  await testbed.tickOnce()
  await testbed.tickOnce()
  expect(testbed.watch.current, 'no tick has made a ring').toBeUndefined()

  const words = ['--import', 'tsx', 'local/adopt.ts', '--ring', 'edge', '--layout', 'haproxy-80', file]
  const SecretString = execFileSync(process.execPath, words, { encoding: 'utf8' })
  const { endpoint, region, operator } = testbed.aws
  const owner = new SecretsManagerClient({ endpoint, region, credentials: operator })
  await owner.send(new PutSecretValueCommand({ SecretId: 'ticketring/edge', SecretString }))
  enlist(machine)
  // The roll call knows a new machine a moment later.
  const tick = async () => {
    await testbed.tickOnce()
    return (await testbed.aws.invoke(testbed.ring.functionName, { action: 'status' })).payload
  }
  const held = { generation: 1, encryptsWith: current.name, fleet: { members: 1, confirmed: 1 } }
  await expect.poll(tick).toMatchObject(held)
  const after = await visit(hostOf(machine), { ...client, session: before.session as Buffer })
  expect(after.reused).toBe(true)
  expect(keyNameOf((await visit(hostOf(machine), client)).ticket as Buffer)).toBe(current.name)
}, 240_000)
