/** What holds of each kind of server that takes all keys from one file, beside HAProxy and nginx. */
import { connect } from 'node:tls'
import { afterEach, describe, expect, test } from 'vitest'
import type { Ring } from '../../lambda/ring/ring.ts'
import { SERVER_NAME } from './identity.ts'
import { advanced, type Instance, ringOf } from './instance.ts'
import { failed, startMachine, startOneBehind } from './machine.ts'
import { resumes, takeSession, VERSIONS } from './sessions.ts'
import type { Kind } from './terminators.ts'

const machines: Instance[] = []
afterEach(async () => {
  for (const machine of machines.splice(0)) await machine.stop()
})

/** A machine that runs generation 1, while AWSCURRENT names generation 2. */
async function oneBehind(kind: Kind): Promise<[Instance, Ring]> {
  const [machine, next] = await startOneBehind(kind)
  machines.push(machine)
  return [machine, next]
}

const portOf = ({ terminator }: Instance) => terminator.ports.plain

/** Of each version, whether a ticket of one machine is resumed by the other. */
async function between(from: Instance, to: Instance): Promise<boolean[]> {
  return await Promise.all(
    VERSIONS.map(async (version) => resumes(portOf(to), version, await takeSession(portOf(from), version))),
  )
}

describe.each(['h2o', 'dnsdist', 'trafficserver'] as const)('%s', (kind) => {
  test('resumes every ticket through an advance, its own and those of a machine that is one behind', async () => {
    const ring = ringOf(1)
    const [ahead, behind] = [await startMachine(kind, ring), await startMachine(kind, ring)]
    machines.push(ahead, behind)
    const old = await Promise.all(VERSIONS.map((version) => takeSession(portOf(ahead), version)))
    ahead.publish(advanced(ring))
    expect((await ahead.run()).line).toMatchObject({ server: kind, result: 'applied', generation: 2 })
    expect((await ahead.run()).line).toMatchObject({ result: 'unchanged', verified: 'handshake' })
    const own = VERSIONS.map((version, at) => resumes(portOf(ahead), version, old[at] as Buffer))
    expect(await Promise.all(own)).toEqual([true, true])
    expect(await between(ahead, behind)).toEqual([true, true])
    expect(await between(behind, ahead)).toEqual([true, true])
  })

  test('refuses every ticket of before once a revocation is applied', async () => {
    const [machine] = await oneBehind(kind)
    const old = await Promise.all(VERSIONS.map((version) => takeSession(portOf(machine), version)))
    const fresh = ringOf(3)
    machine.publish(fresh)
    const { line } = await machine.run()
    expect(line).toMatchObject({ result: 'applied', generation: 3, encryptsWith: fresh.current.name })
    const tried = VERSIONS.map((version, at) => resumes(portOf(machine), version, old[at] as Buffer))
    expect(await Promise.all(tried)).toEqual([false, false])
    expect(machine.leftTickets()).toEqual([])
  })

  test('keeps a connection that is open while it loads', async () => {
    const [machine] = await oneBehind(kind)
    const socket = connect({
      port: kind === 'dnsdist' ? machine.terminator.ports.other : portOf(machine),
      host: '127.0.0.1',
      servername: SERVER_NAME,
      rejectUnauthorized: false,
    })
    await new Promise((resolve) => socket.once('secureConnect', resolve))
    expect((await machine.run()).line).toMatchObject({ result: 'applied' })
    const answer = new Promise<string>((resolve, reject) => {
      socket.once('data', (data) => resolve(data.toString('latin1')))
      socket.once('close', () => reject(new Error('closed')))
    })
    socket.write(`GET / HTTP/1.1\r\nHost: ${SERVER_NAME}\r\n\r\n`)
    expect(await answer).toContain('HTTP/1.1 ')
    socket.destroy()
  })

  test('that does not run finds the files at its next start', async () => {
    const [machine, next] = await oneBehind(kind)
    await machine.terminator.halt()
    expect((await failed(machine, 'server-not-running')).line.detail).toContain('does not answer')
    await machine.terminator.restart()
    expect(await machine.encryptsWith()).toBe(next.current.name)
    expect((await machine.run()).line).toMatchObject({ generation: 2, verified: 'handshake' })
  })
})
