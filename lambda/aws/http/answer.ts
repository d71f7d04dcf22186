import type { IncomingMessage } from 'node:http'
import { TicketringError } from '../../kernel/errors.ts'
import { excerpt } from '../../kernel/excerpt.ts'
import { LARGEST_RESPONSE } from '../../ocsp/rules-form.ts'
import type { HttpAnswer } from '../../staples/ports.ts'
import { codeOf, layerOf } from './node-error.ts'
import { hostOf } from './url.ts'

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
  const wanted = `at most ${LARGEST_RESPONSE} bytes from ${hostOf(url.href)}`
  return new TicketringError('response-oversize', { wanted, came: `${length} or more` })
}

/**
 * Turns an error of Node's into one of ours.
 * @param to what was asked for, in words: the responder, and the proxy on the way to it.
 */
export function refusalOf(error: unknown, to: string): unknown {
  if (!(error instanceof Error)) return error
  return new TicketringError(`responder-${layerOf(error) ?? 'unreachable'}`, {
    wanted: `an answer from ${to}`,
    came: excerpt(`${codeOf(error) ?? error.name}: ${error.message}`),
    cause: error,
  })
}
