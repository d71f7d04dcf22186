import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { askForStaple, visit } from '../../local/rehearsal/clients/tls-client.ts'
import { invoke as invokeRunning } from '../../local/rehearsal/invocation.ts'
import { RUNNING } from '../../local/rehearsal/project-root.ts'
import { announce, findRunning, type Running, withdraw } from '../../local/rehearsal/running-rehearsal.ts'
import { type Ended, spawnAsOperator } from '../cli/operator.ts'

const tsx = ['--import', 'tsx']

/** `npm run invoke -- …` */
function invoke(...words: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [...tsx, 'local/invoke.ts', ...words], (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr })
    })
  })
}

/** The same without a process of its own, which takes longer than all that it does. */
async function answerOf(target: string, event: object) {
  const { payload, failed } = await invokeRunning([target, JSON.stringify(event)])
  return { failed, answer: JSON.parse(payload) }
}

const ask = async (event: object) => (await answerOf('rotate', event)).answer
const memoryOf = (pid: number | undefined) =>
  readdirSync('/dev/shm').filter((name) => name.startsWith(`ticketring-${pid}-`))

/** @param seen what s_client printed: the response with its signer, then the chain. */
function verifiedByOpenssl(seen: string, staple: Buffer, root: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'ticketring-keep-'))
  const chain = seen.slice(seen.indexOf('Certificate chain'))
  const [leaf = '', issuer = ''] =
    chain.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  for (const [name, content] of Object.entries({ 'leaf.pem': leaf, 'issuer.pem': issuer, staple }))
    writeFileSync(join(directory, name), content)
  const words = ['-issuer', 'issuer.pem', '-cert', 'leaf.pem', '-CAfile', root, '-respin', 'staple']
  const { stdout, stderr, status } = spawnSync('openssl', ['ocsp', '-no_nonce', ...words], {
    cwd: directory,
    encoding: 'utf8',
  })
  rmSync(directory, { recursive: true })
  expect(stderr).toContain('Response verify OK')
  expect(status).toBe(0)
  return stdout
}

const rootFile = () => / -CAfile (\S+) /.exec(said)?.[1] as string

/** What `openssl s_client -status` prints of a machine. */
function statusOf({ address, serverName }: Running['instances'][number]): string {
  const words = ['s_client', '-status', '-showcerts', '-CAfile', rootFile(), '-connect', address]
  return spawnSync('openssl', [...words, '-servername', serverName], { encoding: 'utf8', input: '' }).stdout
}

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
})

afterAll(async () => {
  if (rehearsal.exitCode !== null) return
  const exit = once(rehearsal, 'exit')
  rehearsal.kill('SIGINT')
  await exit
})

/** `ticketring …` of an operator whose profile leads to the rehearsal. */
const ticketring = (...words: string[]) => spawnAsOperator((findRunning() as Running).aws, words)

describe('a rehearsal that stays up', () => {
  it('says where its AWS, function, secret and machines are', async () => {
    const { aws, functions, secret, instances } = findRunning() as Running
    expect(aws.endpoint).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect(Object.keys(aws).sort()).toEqual(['accessKeyId', 'endpoint', 'region', 'secretAccessKey'])
    expect(functions).toEqual({
      rotate: 'ticketring-edge-rotation',
      staple: 'ticketring-web-staples',
      status: 'ticketring-edge-status',
      'staple-status': 'ticketring-web-staples-status',
    })
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
      const { failed, answer } = await answerOf(target, { action: 'status' })
      expect(failed).toBe(false)
      expect(answer).toMatchObject({ action: 'status', ring: 'edge', generation: 2 })
    }
  })

  it('has functions that only look, and refuse to act', async () => {
    const { answer } = await answerOf('status', {
      action: 'revoke',
      ring: 'edge',
      reason: 'a drill',
      dryRun: true,
    })
    expect(answer).toMatchObject({ generation: 2, decision: { action: 'revoke' }, did: [] })
    expect((await answerOf('staple-status', { action: 'status' })).failed).toBe(false)
    for (const [name, event] of [
      ['status', { action: 'rotate', reason: 'a drill' }],
      ['staple-status', { action: 'withdraw', certificate: 'www' }],
    ] as const) {
      const refused = await answerOf(name, event)
      expect(refused.failed).toBe(true)
      expect(refused.answer.errorMessage).toContain('read-only')
    }
  })

  it('explains a staple, rule by rule, and calls the one that was revoked so', async () => {
    const explain = async (certificate: string) =>
      (await answerOf('staple', { action: 'explain', certificate })).answer
    expect(await explain('www')).toMatchObject({ certificate: 'www', verdict: 'good', state: 'staple' })
    expect(await explain('shop')).toMatchObject({ verdict: 'revoked', state: 'staple' })
    expect(await explain('lab')).toMatchObject({ verdict: 'revoked', state: 'withdrawn' })
  })

  it('staples on every machine a good response that openssl ocsp verifies', async () => {
    const root = rootFile()
    const { instances } = findRunning() as Running
    for (const instance of instances) {
      const { address, serverName } = instance
      const stdout = statusOf(instance)
      expect(stdout).toContain('OCSP Response Status: successful')
      expect(stdout).toContain('Cert Status: good')
      expect(stdout).toContain('Verify return code: 0 (ok)')
      const target = { port: Number(address.split(':')[1]), serverName, proxyProtocol: false }
      const authority = readFileSync(root, 'utf8')
      const staple = await askForStaple(target, { authority, version: 'TLSv1.3' })
      expect(verifiedByOpenssl(stdout, staple as Buffer, root)).toContain('leaf.pem: good')
    }
  })

  it('withdraws a staple from HAProxy as from nginx when it is asked to, and puts it back', async () => {
    const { instances } = findRunning() as Running
    const seenEverywhere = async (what: string) => {
      // A worker process from before a reload may answer once more.
      for (const instance of instances)
        await expect.poll(() => statusOf(instance), { timeout: 60_000, interval: 200 }).toContain(what)
    }
    const act = async (event: object) => (await answerOf('staple', event)).answer
    const everywhere = { members: instances.length, confirmed: instances.length, stragglers: [] }
    await seenEverywhere('OCSP Response Status: successful')
    const withdrawn = await act({ action: 'withdraw', certificate: 'www' })
    expect(withdrawn).toMatchObject({ certificates: [{ state: 'withdrawn' }], fleet: everywhere })
    await seenEverywhere('OCSP response: no response sent')
    const back = await act({ action: 'refresh', certificate: 'www', force: true })
    expect(back).toMatchObject({ certificates: [{ state: 'staple', status: 'good' }], fleet: everywhere })
    await seenEverywhere('OCSP Response Status: successful')
  }, 240_000)

  it('rotates when it is asked to and not by itself', async () => {
    await pause(3_000)
    expect(await ask({ action: 'status' })).toMatchObject({ generation: 2 })
    expect(await ask({ action: 'rotate', reason: 'a test' })).toMatchObject({ generation: 3 })
  })

  it('that came second is reached by its number, and takes neither the name nor the end of the first', async () => {
    const first = findRunning() as Running
    const second = { ...first, pid: process.pid, functions: { rotate: first.functions.staple as string } }
    expect(announce(second)).toBe(false)
    expect(findRunning()?.pid).toBe(rehearsal.pid)
    const named = ['--rehearsal', `${process.pid}`, 'rotate', '{"action":"status"}']
    expect(JSON.parse((await invoke(...named)).stdout)).toHaveProperty('certificates')
    expect(await ask({ action: 'status' })).toMatchObject({ ring: 'edge' })
    withdraw(process.pid)
    expect(findRunning()?.pid).toBe(rehearsal.pid)
    expect(await invoke(...named)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`There is --rehearsal ${rehearsal.pid}`),
    })
  })

  it('is looked at and delivered to by the command line', async () => {
    const [all, one] = [await ticketring('status'), await ticketring('status', 'edge')]
    expect(one).toMatchObject({ code: 0, stderr: '' })
    expect(one.stdout).toMatch(
      /^edge: generation \d+, all 2 machines encrypt with [0-9a-f]{8}…, last proved .+\n$/,
    )
    expect(all).toMatchObject({ code: 0, stdout: expect.stringMatching(/^edge: generation \d+/) })
    const delivered = await ticketring('deliver', 'edge', '--reason', 'a drill')
    expect(delivered).toMatchObject({ code: 0, stdout: expect.stringContaining('edge: ') })
  }, 240_000)

  it('tells the command line what is not there, not known or not confirmed, and changes nothing', async () => {
    expect(await ticketring('status', 'edgy')).toEqual({
      code: 2,
      stdout: '',
      stderr: 'No ring edgy in the stack Ticketring\nDid you mean edge?\n',
    })
    const before = await ask({ action: 'status' })
    const unconfirmed = await ticketring('revoke', 'edge', '--reason', 'a drill')
    expect(unconfirmed).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes-drop-all-sessions') })
    expect(await ask({ action: 'status' })).toMatchObject({
      generation: before.generation,
      version: before.version,
    })
  })

  it('is paused by the command line, and a machine set aside, until that ends them', async () => {
    const [{ id = '' } = {}] = (findRunning() as Running).instances
    const words = ['--for', '1h', '--reason', 'a drill']
    const paused = await ticketring('pause', 'edge', ...words)
    expect(paused).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^edge: paused until .+: a drill\n/),
    })
    const looked = await ticketring('status', 'edge')
    expect(looked).toMatchObject({ code: 1, stdout: expect.stringMatching(/^edge: PAUSED: generation /) })
    expect((await ask({ action: 'rotate' })).decision).toMatchObject({ action: 'hold' })
    const mistyped = `${id.slice(0, -1)}${id.endsWith('f') ? 'e' : 'f'}`
    const near = await ticketring('quarantine', 'add', 'edge', mistyped, ...words)
    expect(near).toMatchObject({ code: 2, stderr: expect.stringContaining(`Did you mean ${id}?`) })
    expect(await ticketring('quarantine', 'add', 'edge', id, ...words)).toMatchObject({ code: 0 })
    const listed = await ticketring('quarantine', 'list', 'edge')
    expect(listed.stdout).toMatch(new RegExp(`^${id} is set aside until .+: a drill\n$`))
    expect(await ticketring('quarantine', 'remove', 'edge', id)).toMatchObject({ code: 0 })
    expect(await ticketring('resume', 'edge')).toMatchObject({ code: 0 })
    expect(await ticketring('status', 'edge')).toMatchObject({ code: 0 })
  }, 240_000)

  it('is revoked by the command line, which ends with who proved that old tickets are refused', async () => {
    const { code, stdout } = await ticketring(
      'revoke',
      'edge',
      '--reason',
      'a drill',
      '--yes-drop-all-sessions',
    )
    expect(stdout).toMatch(/(, and all|\b2) refuse tickets from before, /)
    expect(code).toBe(0)
  })

  it('answers quietly where its reader has left', async () => {
    const child = spawn(process.execPath, [...tsx, 'local/invoke.ts', 'rotate', '{"action":"status"}'])
    child.stdout.destroy()
    let stderr = ''
    child.stderr.on('data', (text) => {
      stderr += text
    })
    const [code] = await once(child, 'close')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  })

  it.each([
    [['rotate'], 'Two arguments are wanted'],
    [['rotate', '{action}'], 'The event is no JSON'],
    [['absent', '{}'], 'No function absent in this rehearsal'],
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
  })
})
