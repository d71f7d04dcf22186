import { array, assert, constant, constantFrom, integer, oneof, property, stringMatching } from 'fast-check'
import { describe, expect, test } from 'vitest'

import { isRefusal } from '../../lambda/kernel/errors.ts'
import { DerReader, dotted, readDer, sequenceOf, smallInteger, wholeOctets } from '../../lambda/ocsp/der.ts'
import { TAG } from '../../lambda/ocsp/der-element.ts'
import {
  encode,
  encodeExplicit,
  encodeOctets,
  encodeOid,
  encodeSequence,
} from '../../lambda/ocsp/der-writer.ts'
import { generalizedTime, readTime } from '../../lambda/ocsp/time.ts'

const bytes = (hex: string) => Buffer.from(hex.replaceAll(' ', ''), 'hex')

describe('what is written is read back', () => {
  test('elements of any length', () => {
    const around = [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x10000]
    assert(
      property(oneof(constantFrom(...around), integer({ min: 0, max: 70_000 })), (length) => {
        const content = Buffer.alloc(length, 0xa5)
        expect(content.equals(readDer(encodeOctets(content), 'octets').content)).toBe(true)
      }),
    )
  })

  test('object identifiers', () => {
    // At most 40 octets: what is longer is cut, since it is only ever shown.
    const arcs = array(integer({ min: 0, max: 2 ** 40 }), { minLength: 1, maxLength: 6 })
    assert(
      property(oneof(constant('1.3'), constant('2.5'), constant('2.47')), arcs, (root, rest) => {
        const oid = [root, ...rest].join('.')
        expect(dotted(readDer(encodeOid(oid), 'an OID'))).toBe(oid)
      }),
    )
  })

  test('an explicit tag holds exactly one element', () => {
    const two = encodeSequence(encodeExplicit(0, encode(TAG.null), encode(TAG.null)))
    expect(() => sequenceOf(readDer(two, 'two'), 'two').explicit(0, TAG.null, 'one')).toThrow(/der-malformed/)
  })
})

describe('strict: each of these is refused', () => {
  test.each([
    ['nothing', ''],
    ['a tag alone', '30'],
    ['a length beyond the end', '30 03 05 00'],
    ['a length of lengths beyond the end', '30 82 01'],
    ['a length of five octets', '04 85 00 00 00 00 01 00'],
    ['trailing bytes', '05 00 00'],
    ['an indefinite length', '30 80 05 00 00 00'],
    ['a long length that would fit a short one', '04 81 01 00'],
    ['a length with a leading zero', `04 82 00 80 ${'00'.repeat(128)}`],
    ['an indefinite length before as many octets', `04 80 ${'00'.repeat(128)}`],
    ['a length of more octets than are left', '30 83 ff ff'],
    ['a tag number of 31 and more', '1f 1f 00'],
    ['a tag number of 31 with nothing behind it', '1f 00'],
    ['an inner length beyond the outer one', '30 04 04 03 00 00'],
    ['an integer of no octets', '02 00'],
    ['an integer with a needless zero', '02 02 00 7f'],
    ['an integer with needless ones', '02 02 ff 80'],
    ['an integer of 65 octets', `02 41 ${'01'.repeat(65)}`],
    ['an enumerated with a needless zero', '0a 02 00 01'],
    ['a boolean that is neither 00 nor ff', '01 01 01'],
    ['a boolean of two octets', '01 02 ff ff'],
    ['a null with content', '05 01 00'],
    ['bits without their count', '03 00'],
    ['bits with nine unused', '03 02 09 00'],
    ['unused bits of nothing', '03 01 04'],
    ['an object identifier of no octets', '06 00'],
    ['an object identifier that breaks off', '06 02 2a 86'],
    ['an object identifier that breaks off at a zero', '06 03 2a 81 80'],
    ['an object identifier with a padded arc', '06 03 2a 80 01'],
    ['an object identifier with a padded first arc', '06 02 80 01'],
    ['an octet string in pieces', '24 03 04 01 00'],
    ['a primitive sequence', '10 00'],
    ['a primitive set', '11 00'],
  ])('%s', (_, hex) => {
    expect(() => readDer(bytes(hex), 'a value')).toThrow(/^der-malformed/)
  })

  test('17 levels, while 16 pass', () => {
    const nested = (levels: number): Buffer =>
      levels === 1 ? encodeSequence() : encodeSequence(nested(levels - 1))
    expect(() => readDer(nested(16), 'a value')).not.toThrow()
    expect(() => readDer(nested(17), 'a value')).toThrow(/deeper nesting/)
  })

  test('30,000 levels, without an end of the stack', () => {
    const deep = Buffer.concat(Array.from({ length: 30_000 }, (_, at) => encodeLength(at)).reverse())
    expect(() => readDer(deep, 'a value')).toThrow(/^der-malformed/)
  })

  test('a field with another tag than belongs there', () => {
    const reader = () => new DerReader(readDer(bytes('30 02 05 00'), 'a pair'), 'a pair')
    expect(() => reader().read(TAG.oid, 'an OID')).toThrow(/an OID \(tag 0x06\) in a pair.*tag 0x05/)
    expect(() => sequenceOf(readDer(bytes('31 00'), 'a set'), 'a pair')).toThrow(/a pair as a SEQUENCE.*0x31/)
    const atEnd = reader()
    atEnd.read(TAG.null, 'NULL')
    expect(() => atEnd.any()).toThrow(/a pair.*an end where another element belongs/)
  })

  test('numbers that are negative or large, and bits that are no whole octets', () => {
    expect(() => smallInteger(readDer(bytes('02 01 ff'), 'n'), 'n')).toThrow(/der-malformed/)
    expect(() => smallInteger(readDer(bytes('02 05 01 00 00 00 00'), 'n'), 'n')).toThrow(/der-malformed/)
    expect(() => wholeOctets(readDer(bytes('03 02 01 00'), 'bits'), 'bits')).toThrow(/der-malformed/)
  })

  test('what came is told in octets', () => {
    const refusal = (hex: string) => {
      try {
        return readDer(bytes(hex), 'a value').tag
      } catch (error) {
        return isRefusal(error) && error.came
      }
    }
    expect(refusal('05 00 00 00')).toBe('2 trailing bytes')
    expect(refusal('30 03 05 00')).toBe('2 before the end: truncated')
    expect(refusal('30 80 05 00 00 00')).toBe('an indefinite one')
    expect(refusal('03 00')).toBe('no of them')
    expect(() => wholeOctets({ ...readDer(bytes('05 00'), 'bits') }, 'bits')).toThrow(/no unused bits/)
  })

  test('whatever the bytes, nothing but der-malformed is thrown', () => {
    const near = array(oneof(constant(0x30), constant(0x80), constant(0x02), integer({ min: 0, max: 255 })))
    assert(
      property(near, (octets) => {
        try {
          readDer(Buffer.from(octets), 'a value')
        } catch (error) {
          expect(isRefusal(error, 'der-malformed')).toBe(true)
        }
      }),
      { numRuns: 2000 },
    )
  })
})

function encodeLength(inner: number): Buffer {
  const length = inner * 2
  return length < 0x80 ? Buffer.of(0x30, length) : Buffer.of(0x30, 0x82, length >> 8, length & 0xff)
}

describe('at its bounds each of these is read', () => {
  test.each([
    ['an integer of 64 octets', `02 40 ${'01'.repeat(64)}`],
    ['an integer whose zero keeps it positive', '02 02 00 80'],
    ['an integer whose ones keep it negative', '02 02 ff 7f'],
    ['bits with seven unused', '03 02 07 80'],
    ['a constructed element of the application', '60 02 05 00'],
    ['a primitive element of the context, of number 16', '90 01 00'],
    ['a length of 128', `04 81 80 ${'00'.repeat(128)}`],
  ])('%s', (_, hex) => {
    expect(readDer(bytes(hex), 'a value').bytes).toEqual(bytes(hex))
  })

  test('a number of four octets', () => {
    expect(smallInteger(readDer(bytes('02 04 01 02 03 04'), 'n'), 'n')).toBe(0x01020304)
  })

  test('an object identifier of 40 octets is told whole, and a longer one to there', () => {
    const oid = (octets: number) =>
      dotted({ content: Buffer.concat([bytes('2a'), Buffer.alloc(octets - 1, 1)]) })
    expect(oid(40)).toBe(`1.2${'.1'.repeat(39)}`)
    expect(oid(41)).toBe(`1.2${'.1'.repeat(39)}.…`)
  })
})

describe('times', () => {
  const read = (text: string) =>
    generalizedTime({ tag: 0x18, bytes: Buffer.alloc(0), content: Buffer.from(text) }, 'a time')

  test('a whole second in UTC is read', () => {
    expect(read('20261121190000Z')).toEqual(new Date('2026-11-21T19:00:00Z'))
    expect(read('20240229235959Z')).toEqual(new Date('2024-02-29T23:59:59Z'))
  })

  test.each([
    '20261121190000',
    '20261121190000.0Z',
    '20261121190000+0100',
    '202611211900Z',
    '20260230000000Z',
    '20261121240000Z',
    '20261121190060Z',
    '20261321190000Z',
    '120261121190000Z',
    '20261121190000Z0',
    '',
  ])('"%s" is refused', (text) => expect(() => read(text)).toThrow(/der-malformed/))

  test('garbage is refused, never guessed at', () => {
    assert(
      property(stringMatching(/^[0-9Z.+-]{0,20}$/), (text) => {
        try {
          const iso = read(text).toISOString()
          expect(iso.replace(/[-:T]|\.000/g, '')).toBe(text)
        } catch (error) {
          expect(isRefusal(error, 'der-malformed')).toBe(true)
        }
      }),
    )
  })

  test('a certificate says years before 2050 in two digits: 49 is 2049, 50 is 1950', () => {
    const utc = (text: string) =>
      readTime(new DerReader({ content: encode(TAG.utcTime, Buffer.from(text)) }, 'dates'), 'a date')
    expect(utc('491231235959Z').getUTCFullYear()).toBe(2049)
    expect(utc('500101000000Z').getUTCFullYear()).toBe(1950)
    expect(() => utc('4912312359Z')).toThrow(/der-malformed/)
  })
})
