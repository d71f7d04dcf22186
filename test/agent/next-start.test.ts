/** What the server's next start reads is proved too: who may read it, and that no name of it keeps other keys. */
import { chownSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { freePorts } from '../../local/rehearsal/machines/ports.ts'
import { SERVER_NAME } from './identity.ts'
import { ask, type Instance, ringOf } from './instance.ts'
import { failed, startMachine, startOneBehind } from './machine.ts'
import { ownDirectory, restartAsUser, UID, USER } from './other-user.ts'
import { takeTicket } from './sessions.ts'
import { type ServerProcess, verifyListener } from './terminators.ts'

let machine: Instance
let server: ServerProcess | undefined
afterEach(async () => {
  await server?.end()
  server = undefined
  await machine.stop()
})

/** A server as another user, one generation behind. */
async function asUser(kind: 'haproxy' | 'nginx'): Promise<void> {
  ;[machine] = await startOneBehind(kind)
  server = await restartAsUser(machine.terminator)
  machine.set(`HAPROXY_SOCKET=${ownDirectory(machine.terminator.directory)}/admin.sock`)
}

describe.runIf(process.getuid?.() === 0).each(['haproxy', 'nginx'] as const)(
  '%s wholly as another user',
  (kind) => {
    test('and files of root: config-invalid, and nothing is changed', async () => {
      await asUser(kind)
      const before = machine.files()
      const { line } = await failed(machine, 'config-invalid')
      expect(line.detail).toContain(`${kind.toUpperCase()}_OWNER as user ${UID}`)
      expect(machine.files()).toBe(before)
    })

    test('and files of that user: applied, and after a restart it encrypts with the new key', async () => {
      await asUser(kind)
      machine.set(`${kind.toUpperCase()}_OWNER=${USER}`)
      const { line } = await machine.run()
      expect(line).toMatchObject({ result: 'applied', generation: 2 })
      await server?.end()
      await server?.start()
      expect(await machine.encryptsWith()).toBe(line.encryptsWith)
    })

    test('that does not run: the file that is replaced tells its user', async () => {
      await asUser(kind)
      await server?.end()
      const before = machine.files()
      expect((await failed(machine, 'config-invalid')).line.detail).toContain(`user ${UID}, whose `)
      expect(machine.files()).toBe(before)
      machine.set(`${kind.toUpperCase()}_OWNER=${USER}`)
      await failed(machine, 'server-not-running')
      expect(machine.files()).not.toBe(before)
      expect(machine.terminator.keyFiles.map((file) => statSync(file).uid)).toEqual(
        machine.terminator.keyFiles.map(() => UID),
      )
      await server?.start()
      expect((await machine.run()).line).toMatchObject({ result: 'applied', generation: 2 })
    })
  },
)

test('an nginx that does not show its master: the file that is replaced tells its user', async () => {
  ;[machine] = await startOneBehind('nginx')
  machine.set('NGINX_TEST=')
  machine.set('NGINX_RELOAD=/bin/true -c /nonexistent')
  const second = await startMachine('nginx')
  for (const file of machine.terminator.keyFiles) chownSync(file, UID, -1)
  try {
    // Two masters run here, and nothing says which of them is meant.
    expect((await failed(machine, 'config-invalid')).line.detail).toContain(`user ${UID}, whose `)
  } finally {
    await second.stop()
  }
})

test('one key file under two names: both are loaded, and a ticket of the revoked ring is refused on both', async () => {
  machine = await startMachine('haproxy')
  const { directory, keyFiles, ports } = machine.terminator
  const [port] = (await freePorts(1)) as [number]
  const [keyFile = ''] = keyFiles
  symlinkSync(join(directory, 'keys'), join(directory, 'link'))
  const configuration = join(directory, 'haproxy.cfg')
  const text = readFileSync(configuration, 'utf8')
  const [line = ''] = text.split('\n').filter((each) => each.includes(`:${ports.plain} `))
  const second = line
    .replace(`:${ports.plain} `, `:${port} `)
    .replace(keyFile, `${directory}/link/haproxy.keys`)
  writeFileSync(configuration, text.replace(line, `${line}\n${second}`))
  await machine.terminator.halt()
  await machine.terminator.restart()
  machine.set(`HAPROXY_VERIFY=${verifyListener(machine.terminator)} 127.0.0.1:${port}=${SERVER_NAME}`)
  expect((await machine.run()).line).toMatchObject({ result: 'applied', generation: 1 })

  const revoked = ringOf(2)
  machine.publish(revoked)
  const run = await machine.run()
  expect(run.line).toMatchObject({ result: 'applied', generation: 2 })
  // Each listener's old ticket was taken, tried and forgotten.
  expect(run.stderr.match(/which the new ring must refuse/g)).toHaveLength(2)
  expect(machine.leftTickets()).toEqual([])
  for (const each of [ports.plain, port])
    expect((await takeTicket(each)).subarray(0, 16).toString('hex')).toBe(run.line.encryptsWith)
  expect(run.stderr).toContain('another file, left as it is')
  expect(await ask(join(directory, 'admin.sock'), 'show tls-keys')).toContain(
    `${directory}/link/haproxy.keys`,
  )
})
