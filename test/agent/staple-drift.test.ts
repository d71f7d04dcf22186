/** A staple that was changed on a machine behind the program's back is found, put right and counted. */
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { ask } from './instance.ts'
import { StapleInstance, type StapleKind } from './staple-instance.ts'

let instance: StapleInstance
afterEach(() => instance?.stop())

const stateManager = () => instance.run('all', { environment: { SSM_Program: 'keep' } })
const command = () => instance.run('all', { environment: { SSM_Program: 'bring' } })

/** A machine that staples what a command brought; the response before it, and that one. */
async function stapling(server: StapleKind): Promise<[Buffer, Buffer]> {
  instance = await StapleInstance.start(server)
  const older = instance.publish({ from: -9 })
  expect((await command()).line).toMatchObject({ result: 'applied' })
  const newer = instance.publish()
  const { line } = await command()
  expect(line).toMatchObject({ result: 'applied' })
  expect(line).not.toHaveProperty('drifted')
  return [older, newer]
}

/** As an operator's hand would: whatever is there is replaced. */
function overwrite(bytes: Buffer | string): void {
  mkdirSync(dirname(instance.file), { recursive: true })
  rmSync(instance.file, { force: true })
  writeFileSync(instance.file, bytes)
  chmodSync(instance.file, 0o444)
}

test.each(['haproxy', 'nginx', 'h2o', 'trafficserver'] as const)(
  'a file of %s that is another, or gone, is put right, and told by the next command once',
  async (server) => {
    const [older, newer] = await stapling(server)
    overwrite(older)
    expect((await stateManager()).line).toMatchObject({ result: 'applied', installed: 1, drifted: 1 })
    expect(instance.installed()).toEqual(newer)
    rmSync(instance.file)
    expect((await stateManager()).line).toMatchObject({ result: 'applied', drifted: 2 })
    expect(await instance.stapled()).toEqual(newer)
    expect((await stateManager()).line).toMatchObject({ result: 'unchanged', drifted: 2 })
    expect((await command()).line).toMatchObject({ result: 'unchanged', drifted: 2 })
    expect((await command()).line).not.toHaveProperty('drifted')
  },
)

test.each(['haproxy', 'nginx'] as const)(
  'a %s that was restarted with the response before is found, put right and counted',
  async (server) => {
    const [older, newer] = await stapling(server)
    await instance.machine.terminator.halt()
    overwrite(older)
    await instance.machine.terminator.restart()
    expect(await instance.stapled()).toEqual(older)
    const repaired = await stateManager()
    expect(repaired.line).toMatchObject({ result: 'applied', verified: 'handshake', drifted: 1 })
    expect(repaired.stderr).toContain(`drift: changed since the run before: ${instance.file}`)
    expect(await instance.stapled()).toEqual(newer)
    expect((await command()).line).toMatchObject({ result: 'unchanged', drifted: 1 })
  },
)

test('a response that was set in HAProxy by hand, its file untouched, is found, put right and counted', async () => {
  const [older, newer] = await stapling('haproxy')
  const socket = join(instance.machine.terminator.directory, 'admin.sock')
  await ask(socket, `set ssl ocsp-response ${older.toString('base64')}`)
  expect(await instance.stapled()).toEqual(older)
  expect(instance.installed()).toEqual(newer)
  expect((await stateManager()).line).toMatchObject({ result: 'applied', verified: 'handshake', drifted: 1 })
  expect(await instance.stapled()).toEqual(newer)
  expect((await command()).line).toMatchObject({ drifted: 1 })
  expect((await command()).line).not.toHaveProperty('drifted')
})

test('a withdrawn staple that was put back by hand goes again, and is counted', async () => {
  const [older] = await stapling('nginx')
  instance.withdraw()
  expect((await command()).line).toMatchObject({ withdrawn: 1 })
  overwrite(older)
  expect((await stateManager()).line).toMatchObject({ result: 'applied', withdrawn: 1, drifted: 1 })
  expect(instance.installed()).toBeNull()
})

describe('no drift', () => {
  test('is a newer response, a withdrawal, nor one that comes back', async () => {
    await stapling('nginx')
    instance.publish({ from: -0.5 })
    const lines = [(await stateManager()).line]
    instance.withdraw()
    lines.push((await stateManager()).line)
    instance.publish()
    lines.push((await stateManager()).line)
    expect(lines.map(({ result }) => result)).toEqual(['applied', 'applied', 'applied'])
    for (const line of lines) expect(line).not.toHaveProperty('drifted')
  })

  test('is told by a command that fails: the next one that goes well tells of it', async () => {
    const [older] = await stapling('haproxy')
    overwrite(older)
    expect((await stateManager()).line).toMatchObject({ drifted: 1 })
    const listeners = instance.get('HAPROXY_VERIFY')
    instance.set('HAPROXY_VERIFY=127.0.0.1:1=www.example.com')
    expect((await command()).line).toMatchObject({ result: 'failed' })
    instance.set(`HAPROXY_VERIFY=${listeners}`)
    expect((await command()).line).toMatchObject({ result: 'unchanged', drifted: 1 })
  })

  test('is what an unreadable note of the run before would make of it', async () => {
    const [older] = await stapling('haproxy')
    writeFileSync(join(instance.get('RUN_DIR'), 'places'), '\u0000\n x none\ndrifted x')
    overwrite(older)
    const { line } = await stateManager()
    expect(line).toMatchObject({ result: 'applied' })
    expect(line).not.toHaveProperty('drifted')
  })
})
