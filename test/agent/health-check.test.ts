/** The owner's own check has the last word on a load: where it fails, the machine runs what it ran before. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { type Instance, ringOf } from './instance.ts'
import { failed, refused, startMachine, startOneBehind } from './machine.ts'

let machine: Instance
afterEach(() => machine.stop())

/** Gives the machine a check that does this, and notes each time that it is asked; gives how often that was. */
function check(lines: string): () => number {
  const { directory, server } = machine.terminator
  const [script, log] = [join(directory, 'check'), join(directory, 'checks')]
  writeFileSync(script, `#!/bin/sh\necho "$# $1" >>${log}\n${lines}\n`, { mode: 0o755 })
  machine.set(`${server.toUpperCase()}_HEALTH_CHECK=${script} --of edge`)
  return () => (existsSync(log) ? readFileSync(log, 'utf8').match(/^2 --of$/gm)?.length : 0) ?? 0
}

describe.each(['haproxy', 'nginx', 'dnsdist'] as const)('%s', (server) => {
  test('that is well after a load is asked once, and where nothing was loaded not at all', async () => {
    ;[machine] = await startOneBehind(server)
    const asked = check('exit 0')
    expect((await machine.run()).line).toMatchObject({ result: 'applied', verified: 'handshake' })
    expect(asked()).toBe(1)
    expect((await machine.run()).line).toMatchObject({ result: 'unchanged', verified: 'handshake' })
    expect(asked()).toBe(1)
  })

  test('that is not well gets back what it ran, and the first line of the check is told', async () => {
    ;[machine] = await startOneBehind(server)
    const asked = check('echo "no answer from /ready"; echo more; exit 3')
    const detail = await refused(machine, 'health-check-failed')
    expect(detail).toContain('check --of edge: no answer from /ready')
    expect(detail).not.toContain('more')
    expect(asked()).toBe(1)
  })
})

describe.each(['haproxy', 'nginx'] as const)('%s', (server) => {
  test('that is not well with its first ring gets back the keys that it had', async () => {
    machine = await startMachine(server)
    machine.publish(ringOf(4, '11111111-2222-4333-8444-555555555555'))
    check('exit 1')
    expect(await refused(machine, 'health-check-failed')).toContain('exit status 1')
  })

  test('never gets back what a revoke has replaced', async () => {
    machine = await startMachine(server)
    await machine.run()
    const revoked = ringOf(2)
    machine.publish(revoked)
    check('exit 1')
    const { line } = await failed(machine, 'health-check-failed')
    expect(line.detail).toContain('the ring stays')
    expect(await machine.encryptsWith()).toBe(revoked.current.name)
    // What was loaded stays proved: the check is of a load.
    expect((await machine.run()).line).toMatchObject({ result: 'unchanged', generation: 2 })
  })
})

test('an nginx that is not well is not reloaded with the same ring again within the hour, unless the owner says so', async () => {
  ;[machine] = await startOneBehind('nginx')
  check('exit 1')
  await refused(machine, 'health-check-failed')
  const asked = check('exit 0')
  const [already, memory] = [asked(), join(machine.runDirectory, 'refused')]
  expect(await refused(machine, 'health-check-failed')).toContain(memory)
  expect(asked()).toBe(already)
  rmSync(memory)
  expect((await machine.run()).line).toMatchObject({ result: 'applied', generation: 2 })
  expect(asked()).toBe(already + 1)
})

test('a check that does not end is ended, and fails', async () => {
  ;[machine] = await startOneBehind('nginx')
  check('exec sleep 600')
  expect(await refused(machine, 'health-check-failed')).toContain('no end within 20 s')
})

test('a check that takes all the time of a run costs nothing of the way back', async () => {
  ;[machine] = await startOneBehind('nginx')
  check('exec sleep 600')
  machine.set('RUN_SECONDS=15')
  const before = await machine.condition()
  const { line } = await machine.run()
  expect(line.result).toBe('failed')
  // What is reloaded shows it a moment later.
  await vi.waitFor(async () => expect(await machine.condition()).toEqual(before), 60_000)
})

test('a check that is not there fails as such, and the machine runs what it ran', async () => {
  ;[machine] = await startOneBehind('haproxy')
  machine.set('HAPROXY_HEALTH_CHECK=/nothing/of/that/name')
  expect(await refused(machine, 'tool-missing')).toContain('/nothing/of/that/name')
})
