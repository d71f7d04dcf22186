import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Ring, serialiseRing } from '../../lambda/ring/ring.ts'
import { advanced, Instance, ringOf } from './instance.ts'

let ring: Ring
let instance: Instance
let before: unknown
beforeAll(async () => {
  ring = ringOf(1)
  instance = await Instance.start('haproxy', ring)
  await instance.run()
  before = await instance.condition()
})
afterAll(() => instance.stop())

test.each(tamperings())('%s is ring-invalid, and the machine runs what it ran before', async (_, tamper) => {
  instance.endpoint.secret = tamper(serialiseRing(advanced(ring)))
  const { code, line } = await instance.run()
  expect({ code, ...line }).toMatchObject({ code: 1, result: 'failed', error: 'ring-invalid' })
  expect(await instance.condition()).toEqual(before)
})

test.each([
  ['spaces between its parts', (text: string) => text.replaceAll('":"', '" : "').replaceAll('","', '", "')],
  ['one field a line', (text: string) => JSON.stringify(JSON.parse(text), null, 2)],
  ['a newline at its end', (text: string) => `${text}\n`],
])('a sound value that a person saved with %s is read', async (_, reformat) => {
  instance.endpoint.secret = reformat(serialiseRing(ring))
  expect((await instance.run()).line).toMatchObject({ result: 'unchanged', generation: 1 })
})

type Fields = Record<string, string> & { readonly current: string; readonly next: string }

/** Each bends one thing of a sound value. */
function tamperings(): [string, (text: string) => string][] {
  const field = (bend: (fields: Fields) => object) => (text: string) => JSON.stringify(bend(JSON.parse(text)))
  const key = (bend: (key: Buffer, fields: Fields) => Buffer | string) =>
    field((fields) => {
      const bent = bend(Buffer.from(fields.next, 'base64'), fields)
      return { ...fields, next: typeof bent === 'string' ? bent : bent.toString('base64') }
    })
  const without = (name: string) => field(({ [name]: _, ...rest }) => rest)
  const part = (name: 'current', from: number, to: number) =>
    key((bytes, fields) => {
      Buffer.from(fields[name], 'base64').copy(bytes, from, from, to)
      return bytes
    })
  return [
    ['a value cut in the middle', (text) => text.slice(0, text.length / 2)],
    ['a value without its last brace', (text) => text.slice(0, -1)],
    ['a value with something behind it', (text) => `${text}x`],
    ['text that is no JSON', () => 'hello'],
    ['an empty value', () => ''],
    ['a list', () => '[]'],
    ['another schema', field((fields) => ({ ...fields, schema: '2' }))],
    ['a generation that is a number', field((fields) => ({ ...fields, generation: 2 }))],
    ['generation 0', field((fields) => ({ ...fields, generation: '0' }))],
    ['generation -1', field((fields) => ({ ...fields, generation: '-1' }))],
    ['a lineage that is no UUID', field((fields) => ({ ...fields, lineage: '../../etc' }))],
    ['an unknown field', field((fields) => ({ ...fields, extra: '1' }))],
    ['a field twice', (text) => text.replace('{', '{"schema":"1",')],
    ...['lineage', 'generation', 'parent', 'rotatedAt', 'previous', 'current', 'next'].map(
      (name) => [`no ${name}`, without(name)] as [string, (text: string) => string],
    ),
    ['bad base64', key((bytes) => `${bytes.toString('base64').slice(0, -2)}*=`)],
    ['base64 with loose bits at its end', key((bytes) => `${bytes.toString('base64').slice(0, -2)}B=`)],
    ['a key of 79 bytes', key((bytes) => bytes.subarray(1))],
    ['a key of 81 bytes', key((bytes) => Buffer.concat([bytes, bytes.subarray(0, 1)]))],
    ['an all-zero key', key(() => Buffer.alloc(80))],
    ['an all-zero AES key', key((bytes) => bytes.fill(0, 16, 48))],
    ['an all-zero HMAC key', key((bytes) => bytes.fill(0, 48, 80))],
    ['a key name that repeats one byte', key((bytes) => bytes.fill(7, 0, 16))],
    ['two keys of one name', part('current', 0, 16)],
    ['two keys with one AES key', part('current', 16, 48)],
    ['two keys with one HMAC key', part('current', 48, 80)],
  ]
}
