import { expect, it } from 'vitest'
import type { TryFailure } from '../../lambda/staples/failure.ts'
import { mayStillAsk, RunMemory } from '../../lambda/staples/run-memory.ts'
import { ManualClock } from '../fakes/clock.ts'
import { StapleWorld } from '../fakes/staple-world.ts'

const failure = (code: TryFailure['code']): TryFailure => ({
  code,
  detail: 'x',
  kind: 'transient',
  remedy: 'none',
})
const OUTAGE = failure('responder-timeout')
const after = (failures: readonly (TryFailure | undefined)[], url = 'http://one.example/a') => {
  const memory = new RunMemory()
  for (const each of failures) memory.note(url, each)
  return memory
}

it('a responder is left alone for the rest of a run after sixteen outages in a row', () => {
  const outages = (count: number) => Array.from({ length: count }, () => OUTAGE)
  expect(after(outages(15)).isDown('http://one.example/a')).toBe(false)
  expect(after(outages(16)).isDown('http://one.example/a')).toBe(true)
  expect(after([...outages(15), undefined, OUTAGE]).isDown('http://one.example/a')).toBe(false)
})

it('what it answers is no outage, however wrong', () => {
  const wrong = Array.from({ length: 20 }, () => failure('response-signature'))
  expect(after(wrong).isDown('http://one.example/a')).toBe(false)
})

it('a responder is its host, by whatever path, and none but it', () => {
  const memory = after(Array.from({ length: 16 }, () => OUTAGE))
  expect(memory.isDown('http://one.example/b?c')).toBe(true)
  expect(memory.isDown('http://two.example/a')).toBe(false)
  const noUrl = after(
    Array.from({ length: 16 }, () => OUTAGE),
    'no URL',
  )
  expect([noUrl.isDown('no URL'), noUrl.isDown('none either')]).toEqual([true, false])
})

it('the last minute of a run belongs to withdrawals and delivery', () => {
  const clock = new ManualClock()
  clock.allow(60_001)
  expect(mayStillAsk({ clock })).toBe(true)
  clock.allow(60_000)
  expect(mayStillAsk({ clock })).toBe(false)
})

it('a certificate that many chains share is read once', () => {
  const { der } = new StapleWorld().authority.issuer.certificate
  const memory = new RunMemory()
  expect(memory.parse(Buffer.from(der))).toBe(memory.parse(Buffer.from(der)))
})
