/** lighttpd looks at its file once in 64 seconds, and nothing makes it look sooner: so all of these wait side by side. */
import { chownSync, existsSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import { describe, expect, type TestContext, test, vi } from 'vitest'
import { keysOf, type Ring } from '../../lambda/ring/ring.ts'
import type { TicketKey } from '../../lambda/ring/ticket-key.ts'
import { SERVER_NAME } from './identity.ts'
import { advanced, type Instance, macVerifies, ringOf } from './instance.ts'
import { findFields, secretFieldsIn } from './key-bytes.ts'
import { GUARDED_HOST, startLighttpd } from './lighttpd.ts'
import { failed, refused, startMachine } from './machine.ts'
import { UID } from './other-user.ts'
import { resumes, takeSession, takeTicket, VERSIONS } from './sessions.ts'
import { verifyListener } from './terminators.ts'

/** Three looks for each of three keys, and a first run that takes as long. */
const LONG = { timeout: 1_500_000 }

/** Of tests that run side by side, each knows by its context when it has finished. */
type Finishing = Pick<TestContext, 'onTestFinished'>

async function startOne({ onTestFinished }: Finishing, ring: Ring): Promise<Instance> {
  const machine = await startMachine('lighttpd', ring)
  onTestFinished(() => machine.stop())
  return machine
}

/** The port of a lighttpd that encrypts with this key: its sessions are those of a machine that is ahead, or behind. */
async function portUnder({ onTestFinished }: Finishing, ring: Ring, current: TicketKey): Promise<number> {
  const server = await startLighttpd({ ...ring, current })
  onTestFinished(() => server.stop())
  return server.ports.plain
}

const portOf = ({ terminator }: Instance) => terminator.ports.plain
const fileOf = ({ terminator }: Instance) => terminator.keyFiles[0] as string
const heldBy = ({ runDirectory }: Instance) => join(runDirectory, 'lighttpd.held')

/** Of each version a session of that port. */
function sessionsOf(port: number): Promise<Buffer[]> {
  return Promise.all(VERSIONS.map((version) => takeSession(port, version)))
}

/** Of each version whether the machine resumes the session. */
function accepted(machine: Instance, sessions: readonly Buffer[]): Promise<boolean[]> {
  return Promise.all(VERSIONS.map((version, at) => resumes(portOf(machine), version, sessions[at] as Buffer)))
}

const ALL = [true, true]
const NONE = [false, false]

/** A connection that stands before its first request. */
async function openConnection(machine: Instance): Promise<TLSSocket> {
  const options = { host: '127.0.0.1', servername: SERVER_NAME, rejectUnauthorized: false }
  const socket = connect({ port: portOf(machine), ...options })
  await new Promise((resolve) => socket.once('secureConnect', resolve))
  return socket
}

/** The names of the keys that tickets were under until the work was done, each as often as it changed. */
async function namesDuring(machine: Instance, work: Promise<unknown>): Promise<string[]> {
  const seen: string[] = []
  let isOver = false
  const ended = work.finally(() => {
    isOver = true
  })
  while (!isOver) {
    const name = (await takeTicket(portOf(machine))).subarray(0, 16).toString('hex')
    if (seen.at(-1) !== name) seen.push(name)
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 250))])
  }
  return seen
}

describe.concurrent('lighttpd', () => {
  test(
    'takes an advance key by key: no ticket is lost and no connection, and a restart is found',
    LONG,
    async (context) => {
      const ring = ringOf(1)
      const [ahead, behind] = [await startOne(context, ring), await startOne(context, ring)]
      await Promise.all([ahead, behind].map((machine) => machine.run()))
      const connection = await openConnection(ahead)
      const old = await sessionsOf(portOf(ahead))
      const next = advanced(ring)
      ahead.publish(next)
      const run = ahead.run()
      expect(await namesDuring(ahead, run)).toEqual([ring.current.name, next.current.name])
      expect((await run).line).toMatchObject({ server: 'lighttpd', result: 'applied', generation: 2 })
      expect((await run).stderr).toContain('giving it 2 keys')
      expect((await ahead.run()).line).toMatchObject({ result: 'unchanged', verified: 'handshake' })

      const ticket = await ahead.ticket()
      expect(keysOf(next).map((key) => macVerifies(ticket, key, 'haproxy-80'))).toEqual([false, true, false])
      expect(await accepted(ahead, old)).toEqual(ALL)
      expect(await accepted(behind, await sessionsOf(portOf(ahead)))).toEqual(ALL)
      expect(await accepted(ahead, await sessionsOf(portOf(behind)))).toEqual(ALL)
      expect(await accepted(ahead, await sessionsOf(await portUnder(context, next, next.next)))).toEqual(ALL)
      const answer = new Promise((resolve) =>
        connection.once('data', (data) => resolve(data.toString('latin1'))),
      )
      connection.write(`GET / HTTP/1.1\r\nHost: ${SERVER_NAME}\r\nConnection: close\r\n\r\n`)
      expect(await answer).toContain('HTTP/1.1 ')
      connection.destroy()

      // By the same process, which does not show that it has begun anew.
      const resting = ahead.files()
      utimesSync(fileOf(ahead), 0, statSync(fileOf(ahead)).mtimeMs / 1000)
      process.kill(ahead.terminator.pid(), 'SIGUSR1')
      await vi.waitFor(() => expect(statSync(fileOf(ahead)).atimeMs).toBeGreaterThan(0), 60_000)
      const again = ahead.begin()
      await vi.waitFor(() => expect(existsSync(heldBy(ahead))).toBe(false), 60_000)
      process.kill(-again.pid, 'SIGTERM')
      expect((await again.ended).line).toMatchObject({ result: 'failed', error: 'interrupted' })
      expect(ahead.files()).toBe(resting)
      expect(await ahead.encryptsWith()).toBe(next.current.name)
    },
  )

  test(
    'knows one key once it starts, all three once a run has been, and none of them after a revocation',
    LONG,
    async (context) => {
      const ring = ringOf(1)
      const machine = await startOne(context, ring)
      const [ofPrevious, ofNext] = await Promise.all(
        [ring.previous, ring.next].map(async (key) => await sessionsOf(await portUnder(context, ring, key))),
      )
      const own = await sessionsOf(portOf(machine))
      const tried = async () => [
        await accepted(machine, ofPrevious as Buffer[]),
        await accepted(machine, own),
        await accepted(machine, ofNext as Buffer[]),
      ]
      expect(await tried()).toEqual([NONE, ALL, NONE])
      const first = machine.run()
      expect(await namesDuring(machine, first)).toEqual([ring.current.name])
      expect((await first).line).toMatchObject({ result: 'applied', generation: 1, verified: 'handshake' })
      expect(await tried()).toEqual([ALL, ALL, ALL])

      const fresh = ringOf(2)
      machine.publish(fresh)
      const revoking = machine.run()
      expect(await namesDuring(machine, revoking)).toEqual([
        ring.current.name,
        fresh.previous.name,
        fresh.current.name,
      ])
      expect((await revoking).line).toMatchObject({ result: 'applied', encryptsWith: fresh.current.name })
      expect(await tried()).toEqual([NONE, NONE, NONE])
      expect(machine.leftTickets()).toEqual([])
    },
  )

  test(
    'that has its key in another file keeps it; its line says what to compare, and says it once an hour',
    LONG,
    async (context) => {
      const ring = ringOf(1)
      const machine = await startOne(context, ring)
      const other = `${fileOf(machine)}.other`
      const configuration = join(machine.terminator.directory, 'lighttpd.conf')
      writeFileSync(other, readFileSync(fileOf(machine)))
      chownSync(other, statSync(fileOf(machine)).uid, -1)
      const text = readFileSync(configuration, 'utf8')
      writeFileSync(configuration, text.replace(fileOf(machine), other))
      await machine.terminator.halt()
      await machine.terminator.restart()
      machine.publish(advanced(ring))
      const detail = await refused(machine, 'reload-not-taken')
      expect(detail).toContain(`has not read ${fileOf(machine)} in 3 looks`)
      expect(detail).toContain('LIGHTTPD_OWNER')
      expect(await refused(machine, 'reload-not-taken')).toContain('not loaded again within the hour')
    },
  )

  test(
    'opens a guarded name to a ticket of an open one, without a certificate: that is auth-bypass',
    LONG,
    async (context) => {
      const machine = await startOne(context, ringOf(1))
      machine.set('MIXED_CLIENT_AUTHENTICATION=checked')
      machine.set(`LIGHTTPD_GUARDED=127.0.0.1:${portOf(machine)}=${GUARDED_HOST}`)
      const { line } = await failed(machine, 'auth-bypass')
      expect(line.detail).toContain(`=${GUARDED_HOST} without a client certificate`)
    },
  )
})

test.concurrent(
  'lighttpd boots with a ring of its own, and the next run brings the ring',
  LONG,
  async (context) => {
    const ring = ringOf(1)
    const machine = await startOne(context, ring)
    await machine.terminator.halt()
    rmSync(fileOf(machine))
    machine.endpoint.secret = '{}'
    const boot = await machine.run({ arguments: ['--boot', 'edge'] })
    expect({ code: boot.code, ...boot.line }).toMatchObject({
      code: 0,
      result: 'local-ring',
      error: 'no-ring',
    })
    const fields = secretFieldsIn('lighttpd', readFileSync(fileOf(machine)))
    expect(new Set(fields.map((field) => field.toString('hex'))).size).toBe(2)
    expect(findFields(readFileSync(fileOf(machine)), fields)).toBeGreaterThan(0)
    expect(findFields(Buffer.from(boot.stdout + boot.stderr), fields)).toBe(0)
    await machine.terminator.restart()
    expect(await machine.encryptsWith()).not.toBe(ring.current.name)
    machine.publish(ring)
    expect((await machine.run()).line).toMatchObject({ result: 'reset', afterLocalRing: true })
    expect(await machine.encryptsWith()).toBe(ring.current.name)
  },
)

test.concurrent(
  'two lighttpd on one machine, of which one keeps its keys elsewhere: its listener is named',
  LONG,
  async (context) => {
    const ring = ringOf(1)
    const machine = await startOne(context, ring)
    const other = await startLighttpd(ring)
    context.onTestFinished(() => other.stop())
    const listeners = [verifyListener(machine.terminator), verifyListener(other)]
    machine.set(`LIGHTTPD_VERIFY=${listeners.join(' ')}`)
    machine.publish(advanced(ring))
    const before = machine.files()
    const { line } = await failed(machine, 'verify-wrong-key')
    expect(line.detail).toContain(listeners[1])
    expect(machine.files()).toBe(before)
  },
)

test('lighttpd that does not run finds its key at its next start', async (context) => {
  const ring = ringOf(1)
  const machine = await startOne(context, ring)
  const next = advanced(ring)
  machine.publish(next)
  await machine.terminator.halt()
  expect((await failed(machine, 'server-not-running')).line.detail).toContain('lighttpd does not answer')
  await machine.terminator.restart()
  expect(await machine.encryptsWith()).toBe(next.current.name)
})

test.runIf(process.getuid?.() === 0)(
  'a key file of a user that the settings do not name is config-invalid',
  async (context) => {
    const machine = await startOne(context, ringOf(1))
    chownSync(fileOf(machine), UID, -1)
    expect(await refused(machine, 'config-invalid')).toContain(`LIGHTTPD_OWNER as user ${UID}`)
  },
)

test.runIf(process.getuid?.() === 0)(
  'a mount that does not note when a file was read is config-invalid',
  async (context) => {
    const machine = await startOne(context, ringOf(1))
    const folder = join(machine.terminator.directory, 'keys')
    const mounts = `mount --bind ${folder} ${folder} && mount -o remount,bind,noatime ${folder} && exec "$@"`
    const prefix = ['unshare', '-m', 'sh', '-c', mounts, 'sh']
    expect(await refused(machine, 'config-invalid', { prefix })).toContain('found noatime')
  },
)
