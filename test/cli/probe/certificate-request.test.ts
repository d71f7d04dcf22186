import { describe, expect, it } from 'vitest'
import { CertificateRequestWatch } from '../../../cli/probe/certificate-request.ts'

const message = (type: number, length = 3) =>
  Buffer.concat([Buffer.of(type, 0, 0, length), Buffer.alloc(length, 13)])
const record = (type: number, content: Buffer) =>
  Buffer.concat([Buffer.of(type, 3, 3, content.length >> 8, content.length & 0xff), content])
/** @returns whether it is seen, however the bytes are cut. */
function seen(bytes: Buffer): boolean {
  const cuts = Array.from({ length: bytes.length }, (_, at) => at).map((at) => {
    const watch = new CertificateRequestWatch()
    watch.take(bytes.subarray(0, at))
    watch.take(bytes.subarray(at))
    return watch.seen
  })
  expect(new Set(cuts).size).toBe(1)
  return cuts[0] === true
}

describe('a CertificateRequest in a server’s first flight', () => {
  it('is seen in a record of its own, beside others, and across records', () => {
    expect(
      seen(Buffer.concat([record(22, message(2)), record(22, message(13)), record(22, message(14))])),
    ).toBe(true)
    expect(seen(record(22, Buffer.concat([message(2), message(11, 40), message(13), message(14)])))).toBe(
      true,
    )
    const split = message(13, 9)
    expect(seen(Buffer.concat([record(22, split.subarray(0, 2)), record(22, split.subarray(2))]))).toBe(true)
  })

  it('is not seen where there is none, nor in what is encrypted', () => {
    expect(seen(record(22, Buffer.concat([message(2), message(11, 40), message(14)])))).toBe(false)
    expect(seen(Buffer.concat([record(20, Buffer.of(1)), record(22, message(13))]))).toBe(false)
    expect(seen(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'))).toBe(false)
  })
})
