/** Where on the way to a server something failed. */
type Layer = 'unresolved' | 'unreachable' | 'reset' | 'timeout' | 'tls' | 'not-http'

/** Codes of Node's DNS, socket, TLS and HTTP layers. Source: Node's documentation of errors, dns and tls. */
const LAYERS: readonly (readonly [RegExp, Layer])[] = [
  [/^(ENOTFOUND|EAI_\w+|ENODATA|ESERVFAIL|EREFUSED)$/, 'unresolved'],
  [/^(ECONNRESET|EPIPE|ERR_STREAM_PREMATURE_CLOSE)$/, 'reset'],
  [/^HPE_/, 'not-http'],
  [/^(ERR_TLS_|ERR_SSL_|EPROTO|CERT_|ERR_OSSL)|CERT|SIGNATURE|^UNABLE_|^HOSTNAME_MISMATCH|CRL/, 'tls'],
  [/^E(CONNREFUSED|HOSTUNREACH|NETUNREACH|TIMEDOUT|ADDRNOTAVAIL|CONNABORTED)$/, 'unreachable'],
]

/** The layer that an error of Node's comes from; `undefined` where it comes from none of them. */
export function layerOf(error: unknown): Layer | undefined {
  const code = codeOf(error) ?? ''
  return LAYERS.find(([pattern]) => pattern.test(code))?.[1]
}

/** Node's code of an error; of several addresses' errors, which Node joins in one, the first one's. */
export function codeOf(error: unknown): string | undefined {
  const { code } = error as NodeJS.ErrnoException
  if (code !== undefined || !(error instanceof AggregateError)) return code
  return (error.errors[0] as NodeJS.ErrnoException | undefined)?.code
}
