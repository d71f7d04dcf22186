import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { freePorts, lease } from '../../local/rehearsal/machines/ports.ts'

const LEASES = `
  const { freePorts } = await import('./local/rehearsal/machines/ports.ts')
  console.log((await freePorts(1))[0])
  process.stdin.resume()
`

test('a port that another process was given is its own, though nothing listens there, until that process ends', async () => {
  const words = ['--import', 'tsx', '--input-type=module', '--eval', LEASES]
  const other = spawn(process.execPath, words, { stdio: ['pipe', 'pipe', 'inherit'] })
  const port = Number(String((await once(other.stdout, 'data'))[0]))
  expect(port).toBeGreaterThan(0)
  expect(await lease(port)).toBe(false)
  other.kill('SIGKILL')
  await once(other, 'exit')
  expect(await lease(port)).toBe(true)
})

test('a port is given once', async () => {
  const [port = 0] = await freePorts(1)
  expect(await lease(port)).toBe(false)
})

test('a port on which another program listens is not given', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  expect(await lease(port)).toBe(false)
  server.close()
})
