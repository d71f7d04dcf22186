import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { within } from './patience.ts'

it('what never ends is late, whether it waits or works', async () => {
  let stopped = false
  const work = async () => {
    while (!stopped) await sleep(0)
  }
  expect(await within(300, new Promise(() => {}))).toBe('late')
  expect(await within(300, work())).toBe('late')
  stopped = true
})

it('what ends is told as it ends', async () => {
  expect(await within(300, Promise.resolve('passed'))).toBe('passed')
})

it('a thread that is given no processor is not late', async () => {
  const starved = async () => {
    await sleep(1)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000)
    await sleep(1)
    return 'passed'
  }
  expect(await within(500, starved())).toBe('passed')
})
