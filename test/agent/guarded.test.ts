/** MIXED_CLIENT_AUTHENTICATION=checked: a ticket of each open listener is tried at each guarded one, whenever a run looks. */
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { toLayout } from '../../lambda/ring/layouts.ts'
import { keysOf } from '../../lambda/ring/ring.ts'
import { SERVER_NAME } from './identity.ts'
import { advanced, ask, type Instance, ringOf } from './instance.ts'
import { failed, startMachine, startOneBehind } from './machine.ts'
import { verifyListener } from './terminators.ts'

let machine: Instance
afterEach(() => machine.stop())

const GUARDED_NAME = 'guarded.test'

/** The listeners that the machine checks, beside its plain one. */
function check(...guarded: readonly string[]): void {
  const kind = machine.terminator.server.toUpperCase()
  machine.set('MIXED_CLIENT_AUTHENTICATION=checked')
  machine.set(`${kind}_GUARDED=${guarded.join(' ')}`)
}

const guardedListener = () => verifyListener(machine.terminator, 'client-certificate')

/** HAProxy again, with its configuration changed. */
async function reconfigure(change: (text: string) => string): Promise<void> {
  const file = join(machine.terminator.directory, 'haproxy.cfg')
  writeFileSync(file, change(readFileSync(file, 'utf8')))
  await machine.terminator.halt()
  await machine.terminator.restart()
}

/** The bind line of the guarded listener names another file. */
const guardedKeys = (file: string) => (text: string) =>
  text.replace(/^(.*:\d+ ssl crt \S+ tls-ticket-keys )\S+( verify required.*)$/m, `$1${file}$2`)

describe('HAProxy whose guarded listener shares the key file', () => {
  test('is auth-bypass at an apply: both listeners and the version are named, and the new ring stays', async () => {
    ;[machine] = await startOneBehind('haproxy')
    check(guardedListener())
    const { line } = await failed(machine, 'auth-bypass')
    expect(line.detail).toContain(
      `a ticket of ${verifyListener(machine.terminator)} opens ${guardedListener()}`,
    )
    expect(line.detail).toContain('TLS 1.2')
    // It was so before as well, so going back would close nothing.
    expect(await machine.encryptsWith()).toBe(line.encryptsWith)
  })

  test('is auth-bypass where nothing has changed, too', async () => {
    machine = await startMachine('haproxy')
    expect((await machine.run()).line.result).toBe('applied')
    expect((await machine.run()).line.result).toBe('unchanged')
    check(guardedListener())
    await failed(machine, 'auth-bypass')
  })

  test('is found where one name of a crt-list is guarded', async () => {
    ;[machine] = await startOneBehind('haproxy')
    const { directory, identity, ports } = machine.terminator
    const entries = [
      `${identity.site} ${SERVER_NAME}`,
      `${identity.site} [verify required ca-file ${identity.certificate}] ${GUARDED_NAME}`,
    ]
    writeFileSync(join(directory, 'crt.list'), `${entries.join('\n')}\n`)
    await reconfigure((text) =>
      text.replace(
        `:${ports.plain} ssl crt ${identity.site}`,
        `:${ports.plain} ssl crt-list ${directory}/crt.list`,
      ),
    )
    check(`127.0.0.1:${ports.plain}=${GUARDED_NAME}`)
    expect((await failed(machine, 'auth-bypass')).line.detail).toContain(`=${GUARDED_NAME} `)
  })

  test('is found from a second open listener that the first does not stand for', async () => {
    ;[machine] = await startOneBehind('haproxy')
    const { directory, ports } = machine.terminator
    await reconfigure(guardedKeys(`${directory}/other.keys`))
    machine.verifyOn('plain')
    machine.set(
      `HAPROXY_VERIFY=${verifyListener(machine.terminator)} 127.0.0.1:${ports.tls13}=${SERVER_NAME}`,
    )
    check(guardedListener())
    expect((await machine.run()).line).toMatchObject({ result: 'applied', generation: 2 })
    await reconfigure(guardedKeys(machine.terminator.keyFiles[0] ?? ''))
    expect((await failed(machine, 'auth-bypass')).line.detail).toContain('opens')
  })
})

test('what ran before is put back where it was safe', async () => {
  const ring = ringOf(1)
  machine = await startMachine('haproxy', ring)
  const { directory } = machine.terminator
  const link = join(directory, 'linked.keys')
  symlinkSync(machine.terminator.keyFiles[0] ?? '', link)
  await reconfigure(guardedKeys(link))
  expect((await machine.run()).line.result).toBe('applied')
  // The guarded listener keeps keys of its own, until the file that it shares with the other is loaded.
  for (const key of keysOf(ringOf(7)))
    await ask(
      join(directory, 'admin.sock'),
      `set ssl tls-key ${link} ${toLayout(key, 'haproxy-80').toString('base64')}`,
    )
  const held = () => ask(join(directory, 'admin.sock'), `show tls-keys ${link}`)
  const before = [await held(), await machine.condition()]
  check(guardedListener())
  machine.publish(advanced(ring))
  await failed(machine, 'auth-bypass')
  expect([await held(), await machine.condition()]).toEqual(before)
})

test('HAProxy whose guarded listener has another key file raises no alarm', async () => {
  ;[machine] = await startOneBehind('haproxy')
  await reconfigure(guardedKeys(`${machine.terminator.directory}/other.keys`))
  check(guardedListener())
  expect((await machine.run()).line).toMatchObject({ result: 'applied', generation: 2 })
  expect((await machine.run()).line).toMatchObject({ result: 'unchanged', generation: 2 })
})

test('nginx, which refuses such tickets, raises no alarm', async () => {
  ;[machine] = await startOneBehind('nginx')
  check(guardedListener())
  expect((await machine.run()).line).toMatchObject({ result: 'applied', generation: 2 })
  expect((await machine.run()).line).toMatchObject({ result: 'unchanged', generation: 2 })
})

test('a guarded listener that does not answer is not proved: verify-unreachable', async () => {
  ;[machine] = await startOneBehind('nginx')
  check(`127.0.0.1:1=${GUARDED_NAME}`)
  expect((await failed(machine, 'verify-unreachable')).line.detail).toContain(`127.0.0.1:1=${GUARDED_NAME}`)
})

test('an open listener that asks for a certificate without demanding it raises no alarm by the certificate it was shown', async () => {
  ;[machine] = await startOneBehind('haproxy')
  const { identity, ports, directory } = machine.terminator
  const optional = (text: string) =>
    text.replace(
      new RegExp(`^(.*:${ports.plain} ssl .*)$`, 'm'),
      `$1 verify optional ca-file ${identity.certificate}`,
    )
  await reconfigure((text) => guardedKeys(`${directory}/other.keys`)(optional(text)))
  machine.set(`HAPROXY_CLIENT_CERT=${identity.certificate}`)
  machine.set(`HAPROXY_CLIENT_KEY=${identity.key}`)
  check(guardedListener())
  expect((await machine.run()).line).toMatchObject({ result: 'applied', generation: 2 })
})

test('without the setting nothing is tried', async () => {
  ;[machine] = await startOneBehind('haproxy')
  machine.set(`HAPROXY_GUARDED=${guardedListener()}`)
  expect((await machine.run()).line).toMatchObject({ result: 'applied', generation: 2 })
})
