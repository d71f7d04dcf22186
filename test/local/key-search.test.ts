import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { advance, genesis } from '../../lambda/ring/ring.ts'
import { KeySearch } from '../../local/rehearsal/secrecy/key-search.ts'

const making = { parent: 'p', now: new Date(0), random: randomBytes }
const first = genesis('edge', '00000000-0000-4000-8000-000000000000', making)
const second = advance(first, making)
const search = new KeySearch([first, second])
const { aes, hmac, name } = second.next.reveal()

const found = (content: string | Uint8Array) => search.isIn(Buffer.from(content as string))
/** Sixteen bytes of the key, embedded between others. */
const within = (bytes: Uint8Array, before: number, after = 7) =>
  Buffer.concat([randomBytes(before), bytes, randomBytes(after)])

describe('key bytes are found', () => {
  it('raw, any sixteen of them, wherever they stand', () => {
    const position = fc.record({
      from: fc.integer({ min: 0, max: 16 }),
      before: fc.integer({ min: 0, max: 40 }),
    })
    fc.assert(
      fc.property(position, ({ from, before }) => found(within(aes.subarray(from, from + 16), before))),
    )
  })

  it('of the HMAC key, and of a key that has been dropped from the ring', () => {
    expect(found(hmac.subarray(9, 25))).toBe(true)
    expect(found(first.previous.reveal().aes)).toBe(true)
  })

  it.each([0, 1, 2, 3, 4, 5])('in base64 and base64url, %i bytes into a longer text', (before) => {
    const bytes = within(aes.subarray(3, 19), before)
    expect(found(`{"key":"${bytes.toString('base64')}"}`)).toBe(true)
    expect(found(`key=${bytes.toString('base64url')}&`)).toBe(true)
  })

  it.each([0, 1, 2, 3])('in base64 cut off at character %i of a group', (cut) => {
    const text = within(aes, 3).toString('base64')
    expect(found(text.slice(cut))).toBe(true)
  })

  it('in base64 and hex that were wrapped to lines', () => {
    const wrap = (text: string, width: number, end: string) =>
      text.replace(new RegExp(`.{${width}}`, 'g'), `$&${end}`)
    expect(found(wrap(aes.subarray(0, 16).toString('base64'), 10, '\n'))).toBe(true)
    expect(found(wrap(aes.subarray(0, 16).toString('hex'), 20, '\r\n'))).toBe(true)
    expect(found(JSON.stringify({ output: wrap(hmac.toString('base64'), 16, '\n') }))).toBe(true)
  })

  it.each(['', 'f', 'ff'])('in hex of either case, after "%s"', (before) => {
    const hex = aes.subarray(16).toString('hex')
    expect(found(`${before}${hex}`)).toBe(true)
    expect(found(`name: ${before}${hex.toUpperCase()};`)).toBe(true)
  })
})

describe('nothing is found', () => {
  it('in random bytes, text, hex and base64', () => {
    const noise = randomBytes(200_000)
    for (const text of [noise, noise.toString('hex'), noise.toString('base64')])
      expect(found(text)).toBe(false)
  })

  it('for a key name, which is public', () => {
    expect(found(`${name.toString('hex')} ${name.toString('base64')}`)).toBe(false)
  })

  it('for fifteen bytes of a key', () => {
    const part = aes.subarray(1, 16)
    for (const text of [part, part.toString('hex'), part.toString('base64')]) expect(found(text)).toBe(false)
  })
})

it('names each place that held key bytes, once, and none of the others', () => {
  const place = (kind: string, content: string) => ({
    kind,
    where: `the ${kind}`,
    content: Buffer.from(content),
  })
  const key = aes.toString('base64')
  const findings = search.findings([
    place('log', `${key} ${key}`),
    place('output', 'ok'),
    place('file', hmac.toString('hex')),
  ])
  expect(findings).toEqual([
    { kind: 'log', where: 'the log' },
    { kind: 'file', where: 'the file' },
  ])
})
