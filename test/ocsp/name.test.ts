import { describe, expect, test } from 'vitest'
import { readDer } from '../../lambda/ocsp/der.ts'
import { TAG } from '../../lambda/ocsp/der-element.ts'
import { encode, encodeOid, encodeSequence } from '../../lambda/ocsp/der-writer.ts'
import { describeName, readName, sameName } from '../../lambda/ocsp/name.ts'

const CN = '2.5.4.3'
const O = '2.5.4.10'
const attribute = (oid: string, tag: number, value: Buffer) =>
  encodeSequence(encodeOid(oid), encode(tag, value))
const nameOf = (...sets: readonly (readonly Buffer[])[]) =>
  readName(readDer(encodeSequence(...sets.map((set) => encode(TAG.set, ...set))), 'a name'))
const commonName = (tag: number, value: Buffer | string) => nameOf([attribute(CN, tag, Buffer.from(value))])
const utf16 = (text: string) => Buffer.from(text, 'utf16le').swap16()
const plain = () => commonName(TAG.utf8String, 'Exämple CA')

describe('two names are the same (RFC 5280 §7.1)', () => {
  test.each([
    ['in a BMPString', () => commonName(TAG.bmpString, utf16('Exämple CA'))],
    ['in a TeletexString', () => commonName(TAG.teletexString, Buffer.from('Exämple CA', 'latin1'))],
    ['in other letters', () => commonName(TAG.utf8String, 'EXÄMPLE ca')],
    ['with other white space', () => commonName(TAG.utf8String, '  Exämple \t  CA ')],
  ])('%s', (_, name) => {
    expect(sameName(name(), plain())).toBe(true)
  })

  test('as a PrintableString and as an IA5String', () => {
    for (const tag of [TAG.printableString, TAG.ia5String])
      expect(sameName(commonName(tag, 'CA'), commonName(TAG.utf8String, 'CA'))).toBe(true)
  })

  test('in whichever order the attributes of one set come', () => {
    const [one, other] = [
      attribute(CN, TAG.utf8String, Buffer.from('CA')),
      attribute(O, TAG.utf8String, Buffer.from('A')),
    ]
    expect(sameName(nameOf([one, other]), nameOf([other, one]))).toBe(true)
    expect(sameName(nameOf([one], [other]), nameOf([other], [one]))).toBe(false)
  })
})

describe('a name in one line', () => {
  test('is its text, whatever string holds it', () => {
    expect(describeName(plain())).toBe('CN=Exämple CA')
    expect(describeName(commonName(TAG.bmpString, utf16('Exämple')))).toBe('CN=Exämple')
    expect(describeName(nameOf())).toBe('an empty name')
  })

  test('shows in hexadecimal what is no text, as half a character is', () => {
    expect(describeName(commonName(TAG.bmpString, 'abc'))).toBe('CN=#1e03616263')
    expect(describeName(commonName(TAG.octetString, Buffer.of(1, 2)))).toBe('CN=#04020102')
  })
})
