import { describe, expect, it } from 'vitest'
import { type LineShape, parseLine, serialiseLine, servingOf } from '../../lambda/fleet/result-line.ts'

const SHAPE: LineShape<'applied' | 'failed', 'busy', { readonly ring: string }> = {
  own: ['ring'],
  results: ['applied', 'failed'],
  errors: ['busy'],
  read: (fields) => ({ ring: fields.string('ring') }),
}
const LINE = {
  ring: 'edge',
  result: 'applied',
  server: 'haproxy',
  verified: 'handshake',
  ms: 12,
  script: '0123456789ab',
} as const

const parsed = (changes: object) => parseLine(JSON.stringify({ v: 1, ...LINE, ...changes }), SHAPE)

describe('a result line of any capability', () => {
  it('survives writing and reading, and blank lines around it', () => {
    expect(parseLine(`\n  \n${serialiseLine(LINE)}\n \t\n`, SHAPE)).toEqual(LINE)
    expect(() => parseLine(`${serialiseLine(LINE)}\n.`, SHAPE)).toThrow('2 lines')
    expect(() => parseLine(' \n', SHAPE)).toThrow('0 lines')
  })

  it.each([
    { server: '' },
    { server: 'a'.repeat(32) },
    { ms: 0 },
    { result: 'failed', error: 'busy' },
    { result: 'failed', error: 'busy', detail: '' },
    { result: 'failed', error: 'busy', detail: '~'.repeat(300) },
    { serverVersion: '3.2+x~1' },
  ])('may say %j', (changes) => {
    expect(parsed(changes)).toEqual({ ...LINE, ...changes })
  })

  it.each([
    { v: 2 },
    { server: 'a'.repeat(33) },
    { server: 'HAProxy' },
    { server: 'haproxy X' },
    { server: 'X haproxy' },
    { ms: -1 },
    { script: '0123456789abc' },
    { script: 'x0123456789ab' },
    { script: '0123456789abx' },
    { verified: 'yes' },
    { result: 'failed' },
    { result: 'failed', error: 'lazy' },
    { result: 'failed', error: 'busy', detail: '~'.repeat(301) },
    { result: 'failed', error: 'busy', detail: 'two\nlines' },
    { result: 'failed', error: 'busy', detail: '\tbehind' },
    { serverVersion: ' 3.2' },
    { serverVersion: '3.2 ' },
    { other: 1 },
  ])('may not say %j', (changes) => {
    expect(() => parsed(changes)).toThrow(expect.objectContaining({ code: 'result-line-malformed' }))
  })

  it('that applied has no error to tell', () => {
    expect(parsed({ error: 'busy', detail: 'x' })).toEqual(LINE)
  })

  it('tells the program that answered, and the server that runs where it told its version', () => {
    const { script } = LINE
    expect(servingOf(LINE)).toEqual({ script })
    expect(servingOf({ ...LINE, serverVersion: '3.2' })).toEqual({
      script,
      server: 'haproxy',
      serverVersion: '3.2',
    })
  })
})
