/** The file of Envoy, which a stand-in for it reads: Envoy itself was not run. */
import { readFileSync } from 'node:fs'
import { afterEach, expect, test } from 'vitest'
import { toLayout } from '../../lambda/ring/layouts.ts'
import type { Ring } from '../../lambda/ring/ring.ts'
import { SECRET, ticketKeysIn } from './envoy.ts'
import { type Instance, macVerifies, NO_WAIT, ringOf } from './instance.ts'
import { failed, refused, startOneBehind } from './machine.ts'
import { resumes, takeSession, VERSIONS } from './sessions.ts'

const machines: Instance[] = []
afterEach(async () => {
  for (const machine of machines.splice(0)) await machine.stop()
})

async function oneBehind(): Promise<[Instance, Ring]> {
  const [machine, next] = await startOneBehind('envoy')
  machines.push(machine)
  return [machine, next]
}

const textOf = ({ terminator }: Instance) => readFileSync(terminator.keyFiles[0] as string, 'utf8')

test('is a response of the secret discovery service: current, next and previous, each as name, HMAC, AES', async () => {
  const [machine, next] = await oneBehind()
  expect((await machine.run()).line).toMatchObject({ server: 'envoy', result: 'applied', generation: 2 })
  const keys = [next.current, next.next, next.previous].map((key) => toLayout(key, 'nginx-80'))
  expect(ticketKeysIn(textOf(machine))).toEqual(keys)
  expect(JSON.parse(textOf(machine))).toEqual({
    resources: [
      {
        '@type': SECRET,
        name: 'session_ticket_keys',
        session_ticket_keys: { keys: keys.map((key) => ({ inline_bytes: key.toString('base64') })) },
      },
    ],
  })
  await expect.poll(async () => macVerifies(await machine.ticket(), next.current, 'nginx-80')).toBe(true)
})

test('keeps every ticket through an advance', async () => {
  const [machine] = await oneBehind()
  const { plain } = machine.terminator.ports
  const old = await Promise.all(VERSIONS.map((version) => takeSession(plain, version)))
  expect((await machine.run()).line).toMatchObject({ result: 'applied', generation: 2 })
  const tried = VERSIONS.map((version, at) => resumes(plain, version, old[at] as Buffer))
  expect(await Promise.all(tried)).toEqual([true, true])
})

test('refuses every ticket of before once a revocation is applied', async () => {
  const [machine] = await oneBehind()
  const { plain } = machine.terminator.ports
  const old = await Promise.all(VERSIONS.map((version) => takeSession(plain, version)))
  machine.publish(ringOf(3))
  expect((await machine.run()).line).toMatchObject({ result: 'applied', generation: 3 })
  // A worker of the stand-in's that is leaving may have taken the connection.
  for (const [at, version] of VERSIONS.entries())
    await expect.poll(() => resumes(plain, version, old[at] as Buffer)).toBe(false)
})

test('is given back where the running configuration has a secret of another name', async () => {
  const [machine] = await oneBehind()
  machine.set('ENVOY_SECRET=another')
  machine.set(NO_WAIT)
  const detail = await refused(machine, 'verify-wrong-key')
  expect(detail).toContain(
    `see that its session_ticket_keys_sds_config has ${machine.terminator.keyFiles[0]}`,
  )
})

test('is what its next start finds where it does not run', async () => {
  const [machine, next] = await oneBehind()
  await machine.terminator.halt()
  await failed(machine, 'server-not-running')
  await machine.terminator.restart()
  expect(await machine.encryptsWith()).toBe(next.current.name)
  expect((await machine.run()).line).toMatchObject({ generation: 2, verified: 'handshake' })
})
