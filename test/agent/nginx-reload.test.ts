/** What proves a reload of nginx: its own workers say which of them takes connections. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Ring } from '../../lambda/ring/ring.ts'
import type { Instance } from './instance.ts'
import { startOneBehind } from './machine.ts'
import { pathWith } from './tool-shims.ts'

let machine: Instance
let next: Ring
/** One line for each program that openssl or nginx was started as. */
let log: string
beforeEach(async () => {
  ;[machine, next] = await startOneBehind('nginx')
  log = join(machine.terminator.directory, 'started')
})
afterEach(() => machine.stop())

const started = (tool: string) =>
  existsSync(log)
    ? readFileSync(log, 'utf8')
        .split('\n')
        .filter((line) => line === tool).length
    : 0
const logging = (tool: string, more = '') =>
  pathWith(machine.terminator.directory, tool, `echo ${tool} >>${log}\n${more}exec $real "$@"`)

test('workers that were seen to take over are asked once, and not three times', async () => {
  const { line } = await machine.run({ environment: { PATH: logging('openssl') } })
  expect(line).toMatchObject({ result: 'applied', encryptsWith: next.current.name })
  // One before the reload and one after it; where a handshake does not end in time, it is made again.
  expect(started('openssl')).toBeGreaterThanOrEqual(2)
  expect(started('openssl')).toBeLessThan(4)
})

test('the version is read in the program, which is started for its test and its reload alone', async () => {
  const { line } = await machine.run({ environment: { PATH: logging('nginx') } })
  // The shim is no program of nginx's.
  expect(line).toMatchObject({ result: 'applied' })
  expect(line).not.toHaveProperty('serverVersion')
  expect((await machine.run()).line.serverVersion).toMatch(/^\d+\.\d+\.\d+$/)
})
