import type { IncomingMessage } from 'node:http'
import type { HttpAnswer } from '../app/staple-ports.ts'
import { type ErrorCode, TicketringError } from '../core/errors.ts'
import { LARGEST_RESPONSE } from '../core/ocsp/rules-form.ts'
import { hostOf } from './responder-url.ts'

/** Reads the body, up to a limit. @throws TicketringError `response-oversize`. */
export async function answerOf(message: IncomingMessage, url: URL): Promise<HttpAnswer> {
  const stated = Number(message.headers['content-length'] ?? 0)
  if (stated > LARGEST_RESPONSE) throw oversize(message, url, stated)
  const parts: Buffer[] = []
  let length = 0
  for await (const part of message as AsyncIterable<Buffer>) {
    parts.push(part)
    length += part.length
    if (length > LARGEST_RESPONSE) throw oversize(message, url, length)
  }
  const { headers, statusCode = 0 } = message
  const optional = {
    contentType: headers['content-type'],
    cacheControl: headers['cache-control'],
    age: headers.age,
    expires: headers.expires,
    retryAfter: headers['retry-after'],
  }
  const present = Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined))
  return { status: statusCode, body: Buffer.concat(parts), ...present }
}

function oversize(message: IncomingMessage, url: URL, length: number): TicketringError {
  message.destroy()
  const wanted = `at most ${LARGEST_RESPONSE} bytes from ${url.host}`
  return new TicketringError('response-oversize', { wanted, came: `${length} or more` })
}

/** Codes of Node's DNS, socket, TLS and HTTP layers. Source: Node's documentation of errors, dns and tls. */
const CODES: readonly (readonly [RegExp, ErrorCode])[] = [
  [/^(ENOTFOUND|EAI_\w+|ENODATA|ESERVFAIL|EREFUSED)$/, 'responder-unresolved'],
  [/^(ECONNRESET|EPIPE|ERR_STREAM_PREMATURE_CLOSE)$/, 'responder-reset'],
  [/^HPE_/, 'responder-not-http'],
  [
    /^(ERR_TLS_|ERR_SSL_|EPROTO|CERT_|ERR_OSSL)|CERT|SIGNATURE|^UNABLE_|^HOSTNAME_MISMATCH|CRL/,
    'responder-tls',
  ],
  [/^E(CONNREFUSED|HOSTUNREACH|NETUNREACH|TIMEDOUT|ADDRNOTAVAIL|CONNABORTED)$/, 'responder-unreachable'],
]

/** Turns an error of Node's into one of ours. */
export function refusalOf(error: unknown, url: string): unknown {
  if (!(error instanceof Error)) return error
  const code = codeOf(error) ?? ''
  const found = CODES.find(([pattern]) => pattern.test(code))?.[1]
  return new TicketringError(found ?? 'responder-unreachable', {
    wanted: `an answer from ${hostOf(url)}`,
    came: `${code || error.name}: ${error.message}`,
    cause: error,
  })
}

/** Node's code of an error; of several addresses' errors, which Node joins in one, the first one's. */
export function codeOf(error: unknown): string | undefined {
  const { code } = error as NodeJS.ErrnoException
  if (code !== undefined || !(error instanceof AggregateError)) return code
  return (error.errors[0] as NodeJS.ErrnoException | undefined)?.code
}
