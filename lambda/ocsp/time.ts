import type { DerReader } from './der.ts'
import { type Element, refuseDer, TAG } from './der-element.ts'

/** GeneralizedTime as RFC 9919 §2.2.4 and RFC 5280 §4.1.2.5.2 want it: seconds, "Z", no fraction. */
export function generalizedTime({ content }: Element, what: string): Date {
  return timeOf(Buffer.from(content).toString('latin1'), what)
}

/** Time of a certificate: UTCTime up to 2049 (RFC 5280 §4.1.2.5.1), else GeneralizedTime. */
export function readTime(reader: DerReader, what: string): Date {
  const short = reader.optional(TAG.utcTime)
  if (short === undefined) return generalizedTime(reader.read(TAG.generalizedTime, what), what)
  const text = Buffer.from(short.content).toString('latin1')
  return timeOf(`${text < '50' ? '20' : '19'}${text}`, what)
}

function timeOf(text: string, what: string): Date {
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text)
  if (parts === null) refuseDer(`${what} as YYYYMMDDHHMMSSZ`, `${text.length} other characters`)
  const [, year, month, day, hour, minute, second] = parts
  const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`
  const time = new Date(iso)
  // The language reads 30 February as 1 March: only a date that comes back as it went in exists.
  if (Number.isNaN(time.getTime()) || time.toISOString() !== iso)
    refuseDer(`${what} as a date that exists`, iso)
  return time
}
