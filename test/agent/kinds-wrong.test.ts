/** A server of one key file that is not configured as the ring needs it: what its machine says, and that nothing changes. */
import { chownSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { advanced, type Instance, NO_WAIT, ringOf } from './instance.ts'
import { failed, refused, startMachine, startOneBehind } from './machine.ts'
import { UID } from './other-user.ts'
import { takeTicket } from './sessions.ts'
import { verifyListener } from './terminators.ts'
import { GUARDED_NAME } from './trafficserver.ts'

let machine: Instance
afterEach(() => machine.stop())

/** The server again, with its configuration changed. */
async function reconfigure(file: string, change: (text: string) => string): Promise<void> {
  const path = join(machine.terminator.directory, file)
  const text = readFileSync(path, 'utf8')
  const other = change(text)
  expect(other).not.toBe(text)
  writeFileSync(path, other)
  await machine.terminator.halt()
  await machine.terminator.restart()
}

test.runIf(process.getuid?.() === 0).each(['h2o', 'dnsdist', 'trafficserver'] as const)(
  '%s whose file is of a user that the settings do not name',
  async (kind) => {
    ;[machine] = await startOneBehind(kind)
    chownSync(machine.terminator.keyFiles[0] as string, UID, -1)
    expect(await refused(machine, 'config-invalid')).toContain(`${kind.toUpperCase()}_OWNER as user ${UID}`)
  },
)

describe('h2o', () => {
  test('that keeps its keys in another file: its line says what to compare, and the file is given back', async () => {
    ;[machine] = await startOneBehind('h2o')
    const [keyFile] = machine.terminator.keyFiles as [string]
    const other = `${keyFile}.other`
    writeFileSync(other, readFileSync(keyFile))
    await reconfigure('h2o.yaml', (text) => text.replace(`ticket-file: ${keyFile}`, `ticket-file: ${other}`))
    machine.set(NO_WAIT)
    const detail = await refused(machine, 'verify-wrong-key')
    expect(detail).toContain(`its configuration names ${keyFile} as ticket-file`)
  })
})

test.each(['h2o', 'trafficserver'] as const)(
  '%s gets each file with a later time than the one before, also within a second, since it compares whole ones',
  async (kind) => {
    ;[machine] = await startOneBehind(kind)
    const [keyFile] = machine.terminator.keyFiles as [string]
    // Later than any clock says: as if what it has read were of this very second.
    const later = Math.floor(Date.now() / 1000) + 3600
    utimesSync(keyFile, later, later)
    expect((await machine.run()).line).toMatchObject({ result: 'applied', generation: 2 })
    expect(statSync(keyFile).mtimeMs / 1000).toBe(later + 1)
  },
)

describe('trafficserver', () => {
  test('that reads another file: its line says what to compare, and the file is given back', async () => {
    ;[machine] = await startOneBehind('trafficserver')
    const [keyFile] = machine.terminator.keyFiles as [string]
    const other = `${keyFile}.other`
    writeFileSync(other, readFileSync(keyFile))
    chownSync(other, statSync(keyFile).uid, -1)
    await reconfigure('trafficserver/etc/records.config', (text) => text.replace(keyFile, other))
    machine.set(NO_WAIT)
    const detail = await refused(machine, 'verify-wrong-key')
    expect(detail).toContain(`ticket_key.filename of records.config is ${keyFile}`)
  })

  test('whose reload command fails keeps its keys', async () => {
    ;[machine] = await startOneBehind('trafficserver')
    machine.set('TRAFFICSERVER_RELOAD=false')
    expect(await refused(machine, 'reload-failed')).toContain('false')
  })

  test('without a reload command changes nothing', async () => {
    ;[machine] = await startOneBehind('trafficserver')
    machine.set('TRAFFICSERVER_RELOAD=')
    expect(await refused(machine, 'config-invalid')).toContain('TRAFFICSERVER_RELOAD as a command in words')
  })

  test('whose certificate is bound to a dest_ip encrypts with the keys of the file all the same', async () => {
    const [started, next] = await startOneBehind('trafficserver')
    machine = started
    await reconfigure(
      'trafficserver/etc/ssl_multicert.config',
      (text) => text.replace('dest_ip=*', 'dest_ip=127.0.0.1') + text,
    )
    for (const ring of [next, advanced(next)]) {
      machine.publish(ring)
      expect((await machine.run()).line).toMatchObject({
        result: 'applied',
        encryptsWith: ring.current.name,
      })
    }
  })

  test('serves a guarded name to a ticket of an open one, without a certificate: that is auth-bypass', async () => {
    ;[machine] = await startOneBehind('trafficserver')
    machine.set('MIXED_CLIENT_AUTHENTICATION=checked')
    machine.set(`TRAFFICSERVER_GUARDED=127.0.0.1:${machine.terminator.ports.plain}=${GUARDED_NAME}`)
    const { line } = await machine.run()
    expect(line).toMatchObject({ result: 'failed', error: 'auth-bypass' })
    expect(line.detail).toContain(`=${GUARDED_NAME} without a client certificate`)
  })
})

describe('two servers on one machine, of which one keeps its keys elsewhere', () => {
  let other: Instance | undefined
  afterEach(async () => {
    await other?.stop()
    other = undefined
  })

  test.each(['haproxy', 'h2o', 'dnsdist', 'trafficserver'] as const)(
    '%s: the listener that shows none of the new keys is named, and both run what they ran',
    async (kind) => {
      const ring = ringOf(1)
      machine = await startMachine(kind, ring)
      expect((await machine.run()).line).toMatchObject({ result: 'applied' })
      other = await startMachine(kind, ring)
      const before = await other.condition()
      const listeners = [verifyListener(other.terminator), verifyListener(machine.terminator)]
      machine.set(`${kind.toUpperCase()}_VERIFY=${listeners.join(' ')}`)
      machine.publish(advanced(ring))
      machine.set(NO_WAIT)
      expect(await refused(machine, 'verify-wrong-key')).toContain(listeners[0])
      expect(await other.condition()).toEqual(before)
    },
  )
})

describe('dnsdist', () => {
  test.each([
    ['loads no ticket keys', 'loadTicketsKeys', 'wanted it to load the keys by loadTicketsKeys'],
    ['shows no frontends', 'show', 'wanted an addTLSLocal or an addDOHLocal'],
  ])('of a release that %s', async (_, call, told) => {
    ;[machine] = await startOneBehind('dnsdist')
    const { directory } = machine.terminator
    const console = join(directory, 'console')
    const said = `[string "..."]:1: attempt to call a nil value (${call})`
    writeFileSync(
      console,
      `#!/bin/sh\ncase $* in *${call}*) echo '${said}'; exit 0 ;; esac\nexec dnsdist -C ${directory}/dnsdist.conf -c "$@"\n`,
      { mode: 0o755 },
    )
    machine.set(`DNSDIST_CONSOLE=${console}`)
    expect(await refused(machine, 'socket-unexpected')).toContain(told)
  })

  test('that adds random keys by itself', async () => {
    ;[machine] = await startOneBehind('dnsdist')
    await reconfigure('dnsdist.conf', (text) =>
      text.replace('ticketsKeysRotationDelay=0', 'ticketsKeysRotationDelay=43200'),
    )
    expect(await refused(machine, 'socket-unexpected')).toContain(
      'wanted ticketsKeysRotationDelay=0, found 43200',
    )
  })

  test('that would keep more than three keys, which shows once they are loaded', async () => {
    ;[machine] = await startOneBehind('dnsdist')
    await reconfigure('dnsdist.conf', (text) =>
      text.replaceAll('numberOfTicketsKeys=3', 'numberOfTicketsKeys=5'),
    )
    expect(await refused(machine, 'socket-unexpected')).toContain('wanted numberOfTicketsKeys=3, found 5')
  })

  test('whose console has another secret than the configuration', async () => {
    ;[machine] = await startOneBehind('dnsdist')
    const file = join(machine.terminator.directory, 'dnsdist.conf')
    const text = readFileSync(file, 'utf8')
    const secret = /setKey\("(.*)"\)/.exec(text)?.[1] as string
    writeFileSync(file, text.replace(secret, Buffer.alloc(32, 7).toString('base64')))
    const detail = await refused(machine, 'socket-refused')
    expect(detail).toContain('another secret, or none (setKey)')
    expect(detail).not.toContain(secret)
  })

  test('whose console is not there though it serves', async () => {
    ;[machine] = await startOneBehind('dnsdist')
    await reconfigure('dnsdist.conf', (text) => text.replace('controlSocket', '-- controlSocket'))
    const before = machine.files()
    expect((await failed(machine, 'socket-refused')).line.detail).toContain('(controlSocket)')
    expect(machine.files()).toBe(before)
  })

  test('whose client is no program of this machine', async () => {
    ;[machine] = await startOneBehind('dnsdist')
    machine.set('DNSDIST_CONSOLE=/nowhere/dnsdist -c')
    expect(await refused(machine, 'tool-missing')).toContain('/nowhere/dnsdist')
    machine.set('DNSDIST_CONSOLE=')
    expect(await refused(machine, 'config-invalid')).toContain('DNSDIST_CONSOLE as a command in words')
  })

  test('of whose frontends the settings name some: the others keep their keys', async () => {
    const [started, next] = await startOneBehind('dnsdist')
    machine = started
    const { plain, other } = machine.terminator.ports
    const before = (await takeTicket(other)).subarray(0, 16).toString('hex')
    machine.set(`DNSDIST_FRONTENDS=127.0.0.1:${plain}`)
    expect((await machine.run()).line).toMatchObject({ result: 'applied', encryptsWith: next.current.name })
    expect((await takeTicket(other)).subarray(0, 16).toString('hex')).toBe(before)
    machine.set('DNSDIST_FRONTENDS=127.0.0.1:1')
    machine.publish(ringOf(3))
    expect(await refused(machine, 'socket-unexpected')).toContain('127.0.0.1:1')
  })
})
