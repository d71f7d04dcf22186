import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RUNNING } from '../../local/rehearsal/layout.ts'
import { findRunning, type Running } from '../../local/rehearsal/running.ts'
import { visit } from '../../local/rehearsal/tls-client.ts'

const tsx = ['--import', 'tsx']

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** `npm run invoke -- …` */
function invoke(...words: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [...tsx, 'local/invoke.ts', ...words], (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr })
    })
  })
}

const ask = async (event: object) => JSON.parse((await invoke('rotate', JSON.stringify(event))).stdout)
const memoryOf = (pid: number | undefined) =>
  readdirSync('/dev/shm').filter((name) => name.startsWith(`ticketring-${pid}-`))

let rehearsal: ChildProcess
let said = ''

beforeAll(async () => {
  const before = await invoke('rotate', '{"action":"status"}')
  expect(before).toMatchObject({ code: 1, stderr: expect.stringContaining('No rehearsal is running') })
  const words = ['local/rehearsal/main.ts', '--rotations', '1', '--fleet', 'haproxy=1,nginx=1', '--keep']
  rehearsal = spawn(process.execPath, [...tsx, ...words], { stdio: ['ignore', 'pipe', 'pipe'] })
  for (const stream of [rehearsal.stdout, rehearsal.stderr]) stream?.on('data', (text) => (said += text))
  while (!existsSync(RUNNING)) {
    if (rehearsal.exitCode !== null) throw new Error(`the rehearsal ended: ${said}`)
    await pause(200)
  }
}, 120_000)

afterAll(async () => {
  if (rehearsal.exitCode !== null) return
  const exit = once(rehearsal, 'exit')
  rehearsal.kill('SIGINT')
  await exit
}, 30_000)

describe('a rehearsal that stays up', () => {
  it('says where its AWS, function, secret and machines are', async () => {
    const { aws, functions, secret, instances } = findRunning() as Running
    expect(aws.endpoint).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect(Object.keys(aws).sort()).toEqual(['accessKeyId', 'endpoint', 'region', 'secretAccessKey'])
    expect(functions.rotate).toBe('ticketring-edge-rotation')
    expect(secret).toMatch(/^arn:aws:secretsmanager:/)
    expect(instances.map(({ server }) => server)).toEqual(['haproxy', 'nginx'])
    for (const { keyFiles, address, serverName } of instances) {
      for (const file of keyFiles) expect(existsSync(file)).toBe(true)
      const target = { port: Number(address.split(':')[1]), serverName, proxyProtocol: false }
      const authority = '/tmp'
      await expect(visit(target, { authority, version: 'TLSv1.3' })).rejects.toThrow(/certificate/)
    }
  })

  it('answers an invocation by key, by name and by ARN', async () => {
    const { functions } = findRunning() as Running
    const name = functions.rotate as string
    for (const target of ['rotate', name, `arn:aws:lambda:us-east-1:111122223333:function:${name}`]) {
      const { code, stdout } = await invoke(target, '{"action":"status"}')
      expect(code).toBe(0)
      expect(JSON.parse(stdout)).toMatchObject({ action: 'status', ring: 'edge', generation: 2 })
    }
  }, 60_000)

  it('rotates when it is asked to and not by itself', async () => {
    await pause(3_000)
    expect(await ask({ action: 'status' })).toMatchObject({ generation: 2 })
    expect(await ask({ action: 'rotate', reason: 'a test' })).toMatchObject({ generation: 3 })
  }, 60_000)

  it.each([
    [['rotate'], 'Two arguments are wanted'],
    [['rotate', '{action}'], 'The event is no JSON'],
    [['nobody', '{}'], 'No function nobody in this rehearsal'],
  ])('refuses npm run invoke -- %j and says why', async (words, why) => {
    expect(await invoke(...words)).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining(why),
    })
  })

  it('a function that fails is an answer and exit code 1', async () => {
    const { code, stdout } = await invoke('rotate', '{"action":"dance"}')
    expect(code).toBe(1)
    expect(JSON.parse(stdout).errorMessage).toContain('request-invalid')
  })

  it('ends on Ctrl-C with exit code 0, and leaves neither its file nor a key behind', async () => {
    expect(memoryOf(rehearsal.pid)).toHaveLength(1)
    const exit = once(rehearsal, 'exit')
    rehearsal.kill('SIGINT')
    const [code] = await exit
    expect(code, said).toBe(0)
    expect(existsSync(RUNNING)).toBe(false)
    expect(memoryOf(rehearsal.pid)).toEqual([])
  }, 30_000)
})
