/** Whatever a run waits for, it ends with a coded line of its own, and leaves its lock to the next one. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { NO_CREDENTIALS } from './endpoint.ts'
import { SERVER_NAME } from './identity.ts'
import type { Instance } from './instance.ts'
import { refused, startOneBehind } from './machine.ts'

let machine: Instance
const servers: Server[] = []
const clients = new Set<Socket>()
afterEach(async () => {
  for (const client of clients) client.destroy()
  for (const server of servers.splice(0)) server.close()
  await machine.stop()
})

/** A server that takes connections and does this with each; its port, or 0 on a path. */
async function serve(where: number | string, onClient: (client: Socket) => void): Promise<number> {
  const server = createServer((client) => {
    clients.add(client)
    client.on('error', () => {}).on('close', () => clients.delete(client))
    onClient(client)
  })
  servers.push(server)
  await new Promise<void>((resolve) =>
    typeof where === 'string' ? server.listen(where, resolve) : server.listen(where, '127.0.0.1', resolve),
  )
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

const silent = (client: Socket) => client.resume()

/** Sends `head`, and then a byte whenever a reader of single bytes would wait for the next. */
function drip(head: string): (client: Socket) => void {
  return (client) => {
    client.resume().write(head)
    const timer = setInterval(() => client.write('x'), 200)
    client.on('close', () => clearInterval(timer))
  }
}

/** What is wrong is mended: the lock is free, and the machine comes to generation 2. */
async function comesThrough(settings: readonly string[]): Promise<void> {
  for (const line of settings) machine.set(line)
  expect((await machine.run()).line).toMatchObject({ result: 'applied', generation: 2 })
}

test('a listener that takes the connection and says nothing is verify-unreachable', async () => {
  ;[machine] = await startOneBehind('haproxy')
  const port = await serve(0, silent)
  machine.set(`HAPROXY_VERIFY=127.0.0.1:${port}=${SERVER_NAME}`)
  expect(await refused(machine, 'verify-unreachable')).toMatch(/no end of the handshake within 4 s/)
  await comesThrough([`HAPROXY_VERIFY=127.0.0.1:${machine.terminator.ports.plain}=${SERVER_NAME}`])
})

test.each([
  ['its headers', 'HTTP/1.1 200 OK\r\nx-long: '],
  ['its body', 'HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n'],
])('an endpoint of AWS that drips %s is endpoint-unreachable', async (_, head) => {
  ;[machine] = await startOneBehind('haproxy')
  const port = await serve(0, drip(head))
  machine.set(`ENDPOINT_SECRETSMANAGER=http://127.0.0.1:${port}`)
  expect(await refused(machine, 'endpoint-unreachable')).toContain('no answer in time')
  await comesThrough(['ENDPOINT_SECRETSMANAGER='])
})

test('a metadata service that drips is no-credentials', async () => {
  ;[machine] = await startOneBehind('haproxy')
  const port = await serve(0, drip('HTTP/1.1 200 OK\r\n\r\n'))
  const environment = {
    ...NO_CREDENTIALS,
    AWS_EC2_METADATA_SERVICE_ENDPOINT: `http://127.0.0.1:${port}`,
  }
  expect(await refused(machine, 'no-credentials', { environment })).toContain('no answer in time')
})

test.each([
  ['never answers', silent],
  ['drips its answer', drip('admin\n')],
])('a runtime socket that %s is socket-refused', async (_, onClient) => {
  ;[machine] = await startOneBehind('haproxy')
  const path = join(machine.terminator.directory, 'slow.sock')
  await serve(path, onClient)
  machine.set(`HAPROXY_SOCKET=${path}`)
  expect(await refused(machine, 'socket-refused')).toContain(path)
  await comesThrough([`HAPROXY_SOCKET=${machine.terminator.directory}/admin.sock`])
})

test('a daemon that the reload leaves behind, and that holds its output, is not waited for', async () => {
  ;[machine] = await startOneBehind('nginx')
  const { directory } = machine.terminator
  const [script, pid] = [join(directory, 'reload'), join(directory, 'daemon.pid')]
  const reload = `nginx -s reload -c ${directory}/nginx.conf`
  writeFileSync(script, `#!/bin/sh\nsleep 3600 &\necho $! >${pid}\nexec ${reload}\n`, { mode: 0o755 })
  machine.set(`NGINX_RELOAD=${script}`)
  try {
    expect((await machine.run()).line).toMatchObject({ result: 'applied', generation: 2 })
  } finally {
    execFileSync('sh', ['-c', `kill $(cat ${pid})`])
  }
})

test('a reload that does not end is reload-failed, and what it started ends with it', async () => {
  ;[machine] = await startOneBehind('nginx')
  const script = join(machine.terminator.directory, 'reload')
  const pid = join(machine.terminator.directory, 'reload.pid')
  writeFileSync(script, `#!/bin/sh\necho $$ >${pid}\nsleep 3600\n`, { mode: 0o755 })
  machine.set(`NGINX_RELOAD=${script}`)
  expect(await refused(machine, 'reload-failed')).toContain('no end within 20 s')
  expect(() => execFileSync('sh', ['-c', `kill -0 $(cat ${pid})`], { stdio: 'ignore' })).toThrow()
})

test('a FIFO in the place of the settings is config-invalid', async () => {
  ;[machine] = await startOneBehind('haproxy')
  machine.writeConf('')
  const file = join(machine.terminator.directory, 'conf', 'edge.conf')
  rmSync(file)
  execFileSync('mkfifo', [file])
  expect(await refused(machine, 'config-invalid')).toContain(file)
})

test('a FIFO in the place of the credentials is no file of credentials', async () => {
  ;[machine] = await startOneBehind('haproxy')
  const folder = join(machine.terminator.directory, '.aws')
  mkdirSync(folder)
  execFileSync('mkfifo', [join(folder, 'credentials')])
  const environment = { ...NO_CREDENTIALS, AWS_EC2_METADATA_SERVICE_ENDPOINT: 'http://127.0.0.1:1' }
  expect(await refused(machine, 'no-credentials', { environment })).toContain('127.0.0.1:1')
})
