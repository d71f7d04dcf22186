/** Whatever a run waits for, it ends with a coded line of its own, and leaves its lock to the next one. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { expect, type TestContext, test } from 'vitest'
import { NO_CREDENTIALS } from './endpoint.ts'
import { SERVER_NAME } from './identity.ts'
import type { Instance } from './instance.ts'
import { refused, startOneBehind } from './machine.ts'

/** A machine that is one generation behind, until its test has ended. */
async function oneBehind(server: 'haproxy' | 'nginx', { onTestFinished }: TestContext): Promise<Instance> {
  const [machine] = await startOneBehind(server)
  onTestFinished(() => machine.stop())
  return machine
}

/** A server that takes connections and does this with each, until its test has ended; its port, or 0 on a path. */
async function serve(
  where: number | string,
  onClient: (client: Socket) => void,
  { onTestFinished }: TestContext,
): Promise<number> {
  const clients = new Set<Socket>()
  const server = createServer((client) => {
    clients.add(client)
    client.on('error', () => {}).on('close', () => clients.delete(client))
    onClient(client)
  })
  onTestFinished(() => {
    for (const client of clients) client.destroy()
    server.close()
  })
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
async function comesThrough(machine: Instance, settings: readonly string[]): Promise<void> {
  for (const line of settings) machine.set(line)
  expect((await machine.run()).line).toMatchObject({ result: 'applied', generation: 2 })
}

/** They wait, so they wait beside each other. */
const it = test.concurrent

it('a listener that takes the connection and says nothing is verify-unreachable', async (context) => {
  const machine = await oneBehind('haproxy', context)
  const port = await serve(0, silent, context)
  machine.set(`HAPROXY_VERIFY=127.0.0.1:${port}=${SERVER_NAME}`)
  expect(await refused(machine, 'verify-unreachable')).toMatch(/no end of the handshake within 4 s/)
  await comesThrough(machine, [`HAPROXY_VERIFY=127.0.0.1:${machine.terminator.ports.plain}=${SERVER_NAME}`])
})

it.for<[string, string]>([
  ['its headers', 'HTTP/1.1 200 OK\r\nx-long: '],
  ['its body', 'HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n'],
])('an endpoint of AWS that drips %s is endpoint-unreachable', async ([, head], context) => {
  const machine = await oneBehind('haproxy', context)
  const port = await serve(0, drip(head), context)
  machine.set(`ENDPOINT_SECRETSMANAGER=http://127.0.0.1:${port}`)
  expect(await refused(machine, 'endpoint-unreachable')).toContain('no answer in time')
  await comesThrough(machine, ['ENDPOINT_SECRETSMANAGER='])
})

it('a metadata service that drips is no-credentials', async (context) => {
  const machine = await oneBehind('haproxy', context)
  const port = await serve(0, drip('HTTP/1.1 200 OK\r\n\r\n'), context)
  const environment = {
    ...NO_CREDENTIALS,
    AWS_EC2_METADATA_SERVICE_ENDPOINT: `http://127.0.0.1:${port}`,
  }
  expect(await refused(machine, 'no-credentials', { environment })).toContain('no answer in time')
})

it.for<[string, (client: Socket) => void]>([
  ['never answers', silent],
  ['drips its answer', drip('admin\n')],
])('a runtime socket that %s is socket-refused', async ([, onClient], context) => {
  const machine = await oneBehind('haproxy', context)
  const path = join(machine.terminator.directory, 'slow.sock')
  await serve(path, onClient, context)
  machine.set(`HAPROXY_SOCKET=${path}`)
  expect(await refused(machine, 'socket-refused')).toContain(path)
  await comesThrough(machine, [`HAPROXY_SOCKET=${machine.terminator.directory}/admin.sock`])
})

it('a daemon that the reload leaves behind, and that holds its output, is not waited for', async (context) => {
  const machine = await oneBehind('nginx', context)
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

it('a reload that does not end is reload-failed, and what it started ends with it', async (context) => {
  const machine = await oneBehind('nginx', context)
  const script = join(machine.terminator.directory, 'reload')
  const pid = join(machine.terminator.directory, 'reload.pid')
  writeFileSync(script, `#!/bin/sh\necho $$ >${pid}\nsleep 3600\n`, { mode: 0o755 })
  machine.set(`NGINX_RELOAD=${script}`)
  expect(await refused(machine, 'reload-failed')).toContain('no end within 20 s')
  expect(() => execFileSync('sh', ['-c', `kill -0 $(cat ${pid})`], { stdio: 'ignore' })).toThrow()
})

it('a FIFO in the place of the settings is config-invalid', async (context) => {
  const machine = await oneBehind('haproxy', context)
  machine.writeConf('')
  const file = join(machine.terminator.directory, 'conf', 'edge.conf')
  rmSync(file)
  execFileSync('mkfifo', [file])
  expect(await refused(machine, 'config-invalid')).toContain(file)
})

it('a FIFO in the place of the credentials is no file of credentials', async (context) => {
  const machine = await oneBehind('haproxy', context)
  const folder = join(machine.terminator.directory, '.aws')
  mkdirSync(folder)
  execFileSync('mkfifo', [join(folder, 'credentials')])
  const environment = { ...NO_CREDENTIALS, AWS_EC2_METADATA_SERVICE_ENDPOINT: 'http://127.0.0.1:1' }
  expect(await refused(machine, 'no-credentials', { environment })).toContain('127.0.0.1:1')
})
