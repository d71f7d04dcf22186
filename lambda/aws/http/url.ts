import { isRefusal, TicketringError } from '../../kernel/errors.ts'
import { excerpt } from '../../kernel/excerpt.ts'

export const MOST_REDIRECTS = 3

/** http or https, no credentials: nothing else is a responder (RFC 6960 A.1). */
export function parseUrl(text: string, from: string, base?: URL): URL {
  const url = URL.canParse(text, base?.href) ? new URL(text, base) : undefined
  const fits =
    url !== undefined && /^https?:$/.test(url.protocol) && url.username === '' && url.password === ''
  if (fits) return url
  throw new TicketringError('url-forbidden', {
    wanted: 'an http or https URL without credentials',
    came:
      url === undefined
        ? `one that cannot be read, from ${hostOf(from)}`
        : excerpt(`${url.protocol}//${url.host}`),
  })
}

export function redirected(from: URL, location: string): URL {
  try {
    const url = parseUrl(location, from.href, from)
    if (from.protocol === 'https:' && url.protocol === 'http:') throw downgrade(from, url)
    return url
  } catch (error) {
    throw asRedirect(error)
  }
}

function downgrade(from: URL, to: URL): TicketringError {
  return new TicketringError('url-forbidden', {
    wanted: `${hostOf(from.href)} to stay with https`,
    came: `http://${hostOf(to.href)}`,
  })
}

/** After a redirect, what forbids the way is the redirect. */
export async function refusing<T>(hop: number, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw hop === 0 ? error : asRedirect(error)
  }
}

function asRedirect(error: unknown): unknown {
  if (!isRefusal(error, 'address-forbidden') && !isRefusal(error, 'url-forbidden')) return error
  const { wanted, came, fix } = error
  return new TicketringError('redirect-forbidden', {
    wanted: `a redirect that leads to ${wanted}`,
    came,
    fix,
    cause: error,
  })
}

export function endless(url: string, hop: number, to: URL): TicketringError {
  return new TicketringError('redirect-loop', {
    wanted: `at most ${MOST_REDIRECTS} redirects from ${hostOf(url)}, each to somewhere else`,
    came: `number ${hop + 1}, to ${hostOf(to.href)}`,
  })
}

/** An IPv6 address stands in brackets in a URL, and without them anywhere else. */
export function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1')
}

/** Host and port as they may be shown. */
export function hostOf(url: string): string {
  return URL.canParse(url) ? excerpt(new URL(url).host) : 'a URL that cannot be read'
}
