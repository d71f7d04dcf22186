import { TicketringError } from '../../lambda/kernel/errors.ts'
import { type CertId, readCertId } from '../../lambda/ocsp/cert-id.ts'
import type { Certificate } from '../../lambda/ocsp/certificate.ts'
import { readDer, sequenceOf } from '../../lambda/ocsp/der.ts'
import { contextTag, TAG } from '../../lambda/ocsp/der-element.ts'
import { encode, encodeOid, encodeSequence } from '../../lambda/ocsp/der-writer.ts'
import type { HttpAnswer, HttpQuestion, Responders } from '../../lambda/staples/ports.ts'
import {
  certify,
  ecPair,
  extension,
  integer,
  type Party,
  type ResponseSpec,
  respond,
  revoked,
} from '../ocsp/forge.ts'
import { pem } from '../ocsp/openssl.ts'
import type { Manners } from './staple-server.ts'

export interface LeafSpec {
  readonly ocsp?: readonly string[]
  readonly caIssuers?: readonly string[]
  readonly mustStaple?: boolean
  readonly from?: Date
  readonly to?: Date
  /** Leave the issuer out of the chain file. */
  readonly bare?: boolean
}

/** What the authority says of a certificate: a status, bytes, or a whole HTTP answer. */
export type Manner = 'good' | 'revoked' | 'down' | ((now: Date, leaf: Certificate) => Uint8Array | HttpAnswer)

export const RESPONDER = 'http://ocsp.example/'
/** Seconds that responses live, and how old they are when they are given. */
const LIFE = 4 * 86_400
const ACCESS = { ocsp: '1.3.6.1.5.5.7.48.1', caIssuers: '1.3.6.1.5.5.7.48.2' }

/** A throwaway CA that answers for its certificates, in memory or over HTTP. */
export class Authority implements Responders {
  readonly issuer: Party
  readonly leaves = new Map<string, Certificate>()
  readonly questions: HttpQuestion[] = []
  /** By name of the certificate. */
  readonly manners = new Map<string, Manner>()
  /** For certificates without a manner of their own. */
  manner: Manner = 'good'
  /** Seconds that responses live. */
  life = LIFE
  readonly #now: () => Date
  readonly #pair = ecPair('prime256v1')
  #serial = 0x100

  constructor(now: () => Date) {
    this.#now = now
    this.issuer = certify(now(), { subject: 'Throwaway CA', serial: Buffer.of(1) })
  }

  /** @returns the PEM chain of a new certificate. */
  issue(name: string, spec: LeafSpec = {}): string {
    const { ocsp = [RESPONDER], caIssuers = [], mustStaple = false, bare = false } = spec
    const access = [
      ...ocsp.map((url) => location(ACCESS.ocsp, url)),
      ...caIssuers.map((url) => location(ACCESS.caIssuers, url)),
    ]
    const extensions = [
      ...(access.length === 0 ? [] : [extension('1.3.6.1.5.5.7.1.1', encodeSequence(...access))]),
      ...(mustStaple ? [extension('1.3.6.1.5.5.7.1.24', encodeSequence(integer(5)))] : []),
    ]
    this.#serial += 1
    const serial = Buffer.from([this.#serial >> 8, this.#serial & 0xff])
    const { from, to } = spec
    const dates = { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) }
    // One key for all: what tells them apart is the serial, and a test makes hundreds.
    const { certificate } = certify(
      this.#now(),
      { subject: name, serial, extensions, pair: this.#pair, ...dates },
      this.issuer,
    )
    this.leaves.set(name, certificate)
    return pem(certificate.der) + (bare ? '' : pem(this.issuer.certificate.der))
  }

  /** A response about the certificate, sound save for what the spec says. */
  say(name: string, spec: ResponseSpec = {}): Buffer {
    const leaf = this.leaves.get(name)
    if (leaf === undefined) throw new RangeError(`no certificate ${name}`)
    const now = this.#now()
    const dates = { thisUpdate: ago(now, 60), nextUpdate: ago(now, 60 - this.life) }
    const singles = (spec.singles ?? [{}]).map((single) => ({ ...dates, ...single }))
    return respond(now, leaf, this.issuer.certificate, this.issuer, {
      producedAt: ago(now, 60),
      ...spec,
      singles,
    })
  }

  async ask(question: HttpQuestion): Promise<HttpAnswer> {
    this.questions.push(question)
    const certId = certIdOf(question)
    const name = this.#nameOf(certId)
    const manner = this.manners.get(name) ?? this.manner
    if (manner === 'down')
      throw new TicketringError('responder-unreachable', {
        wanted: `an answer from ${question.url}`,
        came: 'ECONNREFUSED',
      })
    const said = this.#sayAs(name, manner, certId.hash)
    return said instanceof Uint8Array
      ? { status: 200, contentType: 'application/ocsp-response', body: said }
      : said
  }

  /** The same over HTTP. */
  listener(): Manners {
    return async ({ method, url = '/' }, response, sent) => {
      const question = { method: method === 'POST' ? 'POST' : 'GET', url, body: sent } as const
      const { status, contentType = 'text/plain', body } = await this.ask(question)
      response.writeHead(status, { 'Content-Type': contentType }).end(body)
    }
  }

  /** A status under the hash that was asked with. */
  #sayAs(name: string, manner: Exclude<Manner, 'down'>, hash: string): Uint8Array | HttpAnswer {
    const leaf = this.leaves.get(name) as Certificate
    if (typeof manner === 'function') return manner(this.#now(), leaf)
    const status = manner === 'revoked' ? { status: revoked(ago(this.#now(), 3600), 1) } : {}
    return this.say(name, { singles: [{ hash, ...status }] })
  }

  #nameOf({ serial }: CertId): string {
    const found = [...this.leaves].find(([, leaf]) => Buffer.compare(leaf.serial, serial) === 0)
    if (found === undefined) throw new RangeError('asked about a certificate that was never issued')
    return found[0]
  }
}

function certIdOf({ method, url, body }: HttpQuestion): CertId {
  const encoded = decodeURIComponent(url.slice(url.lastIndexOf('/') + 1))
  const der = method === 'POST' ? (body ?? Buffer.alloc(0)) : Buffer.from(encoded, 'base64')
  return readCertId(requestedOf(der))
}

/** CertID of a request's first entry (RFC 6960 §4.1.1). */
function requestedOf(der: Uint8Array) {
  let element = readDer(der, 'a request')
  for (let depth = 0; depth < 4; depth++)
    element = sequenceOf(element, 'a request').read(TAG.sequence, 'a request')
  return element
}

function location(method: string, url: string): Buffer {
  return encodeSequence(encodeOid(method), encode(contextTag(6, 'primitive'), Buffer.from(url)))
}

export function ago(now: Date, seconds: number): Date {
  return new Date(now.getTime() - seconds * 1000)
}
