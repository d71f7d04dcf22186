/**
 * Directives of haproxy.cfg that a rehearsal keeps or does without; all others are refused. Source: configuration manual 2.6
 * to 3.3. Kept is what makes no connection, starts nothing and writes no file, whatever its arguments are.
 */

/** A directive, or one with its second word; `*` stands for any second word. */
type Directives = ReadonlySet<string>

export interface Allowed {
  readonly kept: Directives
  readonly left: Directives
}

function directives(text: string): Directives {
  return new Set(
    text
      .split(/[\n;]/)
      .map((each) => each.trim())
      .filter((each) => each !== ''),
  )
}

/** Several that begin with the same word. */
function each(first: string, seconds: string): string {
  return seconds
    .trim()
    .split(/\s+/)
    .map((second) => `${first} ${second}`)
    .join(';')
}

function alone(words: string): string {
  return words.trim().split(/\s+/).join(';')
}

const NOTHING: Directives = new Set()

const GLOBAL: Allowed = {
  kept: directives(
    [
      alone(`nbthread hard-stop-after description node spread-checks h1-case-adjust ssl-load-extra-files
        ssl-skip-self-issued-ca h1-accept-payload-with-any-method h2-workaround-bogus-websocket-clients
        ssl-default-bind-ciphers ssl-default-bind-ciphersuites ssl-default-bind-curves ssl-default-bind-sigalgs
        ssl-default-bind-client-sigalgs tune.bufsize tune.maxrewrite tune.http.cookielen tune.http.logurilen
        tune.http.maxhdr tune.h2.header-table-size tune.h2.initial-window-size tune.h2.max-concurrent-streams
        tune.ssl.cachesize tune.ssl.default-dh-param tune.ssl.maxrecord tune.ssl.hard-maxrecord
        tune.ssl.force-private-cache tune.ssl.capture-buffer-size tune.ssl.capture-cipherlist-size
        tune.ssl.ssl-ctx-cache-size tune.idletimer tune.maxaccept`),
      each('stats', 'timeout maxconn'),
    ].join(';'),
  ),
  left: directives(
    alone(`chroot user group uid gid daemon pidfile log log-tag log-send-hostname master-worker mworker-max-reloads
      maxconn maxsslconn maxconnrate maxsessrate maxsslrate maxpipes ulimit-n fd-hard-limit strict-limits zero-warning
      quiet cpu-map cpu-policy numa-cpu-mapping thread-groups localpeer server-state-base server-state-file unix-bind
      busy-polling nosplice noepoll nopoll nogetaddrinfo noreuseport set-dumpable ssl-default-server-ciphers
      ssl-default-server-ciphersuites ssl-default-server-curves ssl-default-server-options ssl-server-verify
      httpclient.resolvers.id httpclient.resolvers.prefer httpclient.ssl.ca-file httpclient.ssl.verify
      tune.ssl.ocsp-update.maxdelay tune.ssl.ocsp-update.mindelay ocsp-update.maxdelay ocsp-update.mindelay
      ocsp-update.mode cluster-secret`),
  ),
}

/** Of rules, those that neither change where a connection goes nor call what is no part of HAProxy. */
const HTTP_RULES = `add-header set-header del-header replace-header replace-value allow deny redirect return auth capture
  set-var set-var-fmt unset-var set-log-level set-nice set-status strict-mode track-sc0 track-sc1 track-sc2 sc-inc-gpc
  sc-inc-gpc0 sc-inc-gpc1 sc-set-gpt sc-set-gpt0 silent-drop wait-for-body cache-use cache-store`
const REQUEST_RULES = `${HTTP_RULES} replace-path replace-pathq replace-uri set-path set-pathq set-query set-uri set-method
  set-src set-src-port reject tarpit disable-l7-retry early-hint normalize-uri set-priority-class set-priority-offset
  set-timeout wait-for-handshake`
const TCP_RULES = `accept reject capture set-var set-var-fmt unset-var track-sc0 track-sc1 track-sc2 sc-inc-gpc sc-inc-gpc0
  sc-inc-gpc1 sc-set-gpt sc-set-gpt0 silent-drop set-log-level set-nice set-priority-class set-priority-offset close`

const PROXY: Allowed = {
  kept: directives(
    [
      alone(`acl backlog balance compression cookie default_backend use_backend use-server description disabled enabled
        errorloc errorloc302 errorloc303 errorfiles force-persist ignore-persist fullconn hash-type hash-balance-factor
        hash-preserve-affinity http-reuse http-send-name-header id guid log-format log-format-sd error-log-format
        max-keep-alive-queue maxconn monitor-uri redirect retries retry-on stick unique-id-format
        unique-id-header clitcpka-cnt clitcpka-idle clitcpka-intvl srvtcpka-cnt srvtcpka-idle srvtcpka-intvl`),
      each(
        'option',
        `abortonclose accept-invalid-http-request accept-invalid-http-response accept-unsafe-violations-in-http-request
        accept-unsafe-violations-in-http-response allbackups checkcache clitcpka contstats disable-h2-upgrade dontlog-normal
        dontlognull forwardfor h1-case-adjust-bogus-client h1-case-adjust-bogus-server http-buffer-request
        http-ignore-probes http-keep-alive http-no-delay http-pretend-keepalive http-restrict-req-hdr-names
        http-server-close http-use-proxy-header httpclose httplog httpslog idle-close-on-response independent-streams
        log-separate-errors logasap nolinger originalto persist prefer-last-server redispatch socket-stats splice-auto
        splice-request splice-response srvtcpka tcp-smart-accept tcp-smart-connect tcpka tcplog forwarded`,
      ),
      each(
        'timeout',
        `check client client-fin client-hs connect http-keep-alive http-request queue server server-fin
        tarpit tunnel`,
      ),
      each('mode', 'tcp http'),
      each('capture', 'cookie request response'),
      each('declare', 'capture'),
      each('monitor', 'fail'),
      each('persist', 'rdp-cookie'),
      each('rate-limit', 'sessions'),
      each('filter', 'compression cache bwlim-in bwlim-out'),
      each(
        'stats',
        `admin auth enable hide-version http-request realm refresh scope show-desc show-legends
        show-modules show-node uri`,
      ),
      each('http-request', REQUEST_RULES),
      each('http-response', HTTP_RULES),
      each('http-after-response', HTTP_RULES),
      each('tcp-request', 'inspect-delay'),
      each('tcp-response', 'inspect-delay'),
    ].join(';'),
  ),
  left: directives(
    [
      alone(`log log-tag http-check tcp-check email-alert source bind-process load-server-state-from-file
        server-state-file-name grace`),
      each(
        'option',
        `httpchk tcp-check log-health-checks ldap-check mysql-check pgsql-check redis-check smtpchk spop-check
        ssl-hello-chk`,
      ),
    ].join(';'),
  ),
}

export const TCP_ACTIONS: Directives = directives(alone(TCP_RULES))
export const TCP_STAGES: Directives = directives(alone('connection session content'))

/** What its sections may hold. */
const KNOWN: Readonly<Record<string, Allowed>> = {
  global: GLOBAL,
  defaults: PROXY,
  frontend: PROXY,
  listen: PROXY,
  backend: PROXY,
  userlist: { kept: directives(alone('user group')), left: NOTHING },
  cache: {
    kept: directives(alone('total-max-size max-object-size max-age process-vary max-secondary-entries')),
    left: NOTHING,
  },
  'http-errors': { kept: NOTHING, left: NOTHING },
}
export const SECTIONS: ReadonlyMap<string, Allowed> = new Map(Object.entries(KNOWN))

/** Sections that only say whom to connect to: left out whole. */
export const LEFT_SECTIONS: Directives = directives(alone('peers resolvers mailers'))
/** Sections that are refused whole. */
export const REFUSED_SECTIONS: Directives = directives(
  alone('program ring log-forward log-profile fcgi-app crt-store traces acme namespace_list healthcheck'),
)

/** Why some are refused; of others it is not known that they do no harm. */
export const WHY: ReadonlyMap<string, string> = new Map(
  Object.entries({
    program: 'starts processes',
    'lua-load': 'runs code that may connect anywhere',
    'lua-load-per-thread': 'runs code that may connect anywhere',
    'external-check': 'starts programs',
    'insecure-fork-wanted': 'lets it start programs',
    ring: 'sends logs, and may write files',
    'log-forward': 'receives and sends logs',
    acme: 'asks an authority on the network',
    dispatch: 'names an address to connect to',
    'crt-store': 'is not known to the rehearsal',
  }),
)

/** How many words follow an option. */
type Options = ReadonlyMap<string, number>

function options(none: string, one: string): Options {
  const of = (text: string, count: number) =>
    text
      .trim()
      .split(/\s+/)
      .map((word) => [word, count] as const)
  return new Map([...of(none, 0), ...of(one, 1)])
}

const VERSIONS = `no-sslv3 no-tlsv10 no-tlsv11 no-tlsv12 no-tlsv13 force-sslv3 force-tlsv10 force-tlsv11 force-tlsv12
  force-tlsv13`

/** Of what a bind line has beside its addresses, certificates, and what decides about tickets. */
export const BIND_OPTIONS = {
  kept: options(
    `ssl strict-sni prefer-client-ciphers allow-0rtt no-ca-names defer-accept no-alpn ${VERSIONS}`,
    `name alpn npn ciphers ciphersuites curves ecdhe sigalgs client-sigalgs ssl-min-ver ssl-max-ver verify maxconn backlog
      id nice proto ca-ignore-err crt-ignore-err tcp-ut idle-ping`,
  ),
  left: options(
    'transparent v4v6 v6only tfo quic-force-retry',
    'user group uid gid mode interface namespace process thread shards level expose-fd severity-output mss quic-cc-algo quic-socket',
  ),
}

/** Of `ssl-default-bind-options`. */
export const DEFAULT_BIND_OPTIONS: Options = options(
  `prefer-client-ciphers no-tls-tickets ${VERSIONS}`,
  'ssl-min-ver ssl-max-ver',
)

/** Of a line of a crt-list, in its brackets. */
export const CRT_LIST_OPTIONS = {
  kept: options(
    'allow-0rtt no-ca-names no-alpn',
    'alpn npn ciphers ciphersuites curves ecdhe sigalgs client-sigalgs ssl-min-ver ssl-max-ver verify',
  ),
  left: options('', 'ocsp-update'),
}

/** Every server becomes the one that answers here: what says how it is reached or checked is left out. */
export const SERVER_OPTIONS = {
  kept: options(
    'backup disabled enabled non-stick stick',
    'cookie id maxconn minconn maxqueue slowstart weight error-limit pool-low-conn pool-max-conn pool-purge-delay max-reuse redir',
  ),
  left: options(
    `check no-check ssl no-ssl allow-0rtt tls-tickets no-tls-tickets ssl-reuse no-ssl-reuse no-verifyhost tfo no-tfo
      send-proxy no-send-proxy send-proxy-v2 no-send-proxy-v2 send-proxy-v2-ssl no-send-proxy-v2-ssl send-proxy-v2-ssl-cn
      no-send-proxy-v2-ssl-cn check-send-proxy check-ssl no-check-ssl check-via-socks4 agent-check no-agent-check
      no-backup check-reuse-pool ${VERSIONS}`,
    `inter fastinter downinter rise fall port addr agent-addr agent-inter agent-port agent-send alpn npn ca-file crl-file
      crt ciphers ciphersuites curves sigalgs client-sigalgs check-alpn check-proto check-sni init-addr init-state
      log-proto log-bufsize namespace observe on-error on-marked-down on-marked-up proto proxy-v2-options resolvers
      resolve-opts resolve-prefer resolve-net sni source usesrc interface ssl-min-ver ssl-max-ver tcp-ut track verify
      verifyhost ws guid hash-key set-proxy-v2-tlv-fmt`,
  ),
}
