import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { bzip2 } from '../../../infra/program/bzip2.ts'
import { carriedOf } from '../../../infra/program/payload.ts'
import { ownProgram } from '../../../infra/program/program.ts'

/** As a document's first lines unpack it. */
const UNPACK =
  'import bz2, sys; sys.stdout.buffer.write(bz2.BZ2Decompressor().decompress(sys.stdin.buffer.read()))'

function unpacked(packed: Uint8Array): Buffer {
  const { stdout, stderr } = spawnSync('/usr/bin/python3', ['-I', '-c', UNPACK], { input: packed })
  expect(stderr.toString()).toBe('')
  return stdout
}

/** Bytes without any order, the same each time. */
function noise(size: number): Buffer {
  const blocks = Array.from({ length: Math.ceil(size / 32) }, (_, at) =>
    createHash('sha256').update(`${at}`).digest(),
  )
  return Buffer.concat(blocks).subarray(0, size)
}

describe('what is packed is unpacked by Python', () => {
  const { installer, rest } = carriedOf(ownProgram(), 'carried', 'ring')
  const program = Buffer.from(installer + rest)

  it.each<[string, Buffer]>([
    ['a byte', Buffer.from('a')],
    ['the program', program],
    ['bytes without any order', noise(70_000)],
    ['each byte', Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))],
    ['a text that repeats itself', Buffer.from('abc'.repeat(5000))],
    [
      'symbols as rare as codes are long',
      Buffer.from(
        Array.from({ length: 22 }, (_, at) => String.fromCharCode(65 + at).repeat(2 ** Math.max(at - 5, 0)))
          .join('')
          .match(/.{1,3}/g)
          ?.toReversed()
          .join('') ?? '',
      ),
    ],
    ['as much as a block holds', Buffer.concat([noise(199_000), Buffer.from('ab'.repeat(490))])],
  ])('%s', (_, bytes) => {
    expect(unpacked(bzip2(bytes)).equals(bytes)).toBe(true)
  })

  it('runs of every length that is counted in another way', () => {
    const lengths = [1, 2, 3, 4, 5, 6, 254, 255, 256, 257, 258, 259, 260, 262, 263, 264, 518, 519, 1000]
    const bytes = Buffer.concat(lengths.map((length, at) => Buffer.alloc(length, at % 2)))
    expect(unpacked(bzip2(bytes)).equals(bytes)).toBe(true)
  })

  it('and the program takes no more than bzip2 makes of it, but for 1 %', () => {
    const { stdout } = spawnSync(
      '/usr/bin/python3',
      ['-I', '-c', 'import bz2, sys; print(len(bz2.compress(sys.stdin.buffer.read())))'],
      { input: program },
    )
    expect(bzip2(program).length).toBeLessThanOrEqual(Number(stdout.toString()) * 1.01)
  })
})

it.each([0, 200_000])('%s bytes are not packed', (size) => {
  expect(() => bzip2(noise(size))).toThrow(/for one block/)
})
