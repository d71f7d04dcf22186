import type { ClientRequest, IncomingMessage } from 'node:http'
import type { HttpQuestion } from '../../staples/ports.ts'
import { codeOf } from './node-error.ts'

/** Headers of a question: for a response, not for a page. */
export function headersOf({ method, fresh, body }: HttpQuestion, url: URL): Record<string, string> {
  return {
    Host: url.host,
    Accept: 'application/ocsp-response, application/pkix-cert, */*;q=0.1',
    'User-Agent': 'ticketring',
    // What is compressed would be no response, and nothing here unpacks it.
    'Accept-Encoding': 'identity',
    ...(fresh === true ? { 'Cache-Control': 'no-cache', Pragma: 'no-cache' } : {}),
    ...(method === 'POST'
      ? { 'Content-Type': 'application/ocsp-request', 'Content-Length': String(body?.length ?? 0) }
      : {}),
  }
}

/** Sends it; once more where a kept connection turned out to be closed: nothing was answered, so nothing is lost. */
export async function send(
  open: () => ClientRequest,
  body: Uint8Array | undefined,
): Promise<IncomingMessage> {
  for (;;) {
    const request = open()
    try {
      return await responseTo(request, body)
    } catch (error) {
      if (!request.reusedSocket || codeOf(error) !== 'ECONNRESET') throw error
    }
  }
}

function responseTo(request: ClientRequest, body: Uint8Array | undefined): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.on('response', resolve)
    request.on('error', reject)
    request.end(body)
  })
}
