// biome-ignore-all lint/suspicious/noTemplateCurlyInString: HAProxy's variables are written so.
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readHaproxy } from '../../../local/rehearsal/own/haproxy/read.ts'
import { planHaproxy } from '../../../local/rehearsal/own/haproxy/ring.ts'
import { writeCrtListLine, writeLine } from '../../../local/rehearsal/own/haproxy/words.ts'
import { type Disk, type RewrittenLine, wordFor } from '../../../local/rehearsal/own/places.ts'
import { diskOf, PLACES } from './disk.ts'

const written = (lines: readonly RewrittenLine[], write = writeLine) =>
  lines.map(({ words }) => write(words.map((word) => wordFor(word, PLACES)))).join('\n')

const NAMESERVERS = '\nresolvers default\nnameserver none 127.0.0.1:31999'

/** What becomes of a configuration. */
function moved(
  text: string,
  disk: Disk = diskOf(),
  variables: (name: string) => string | undefined = () => undefined,
) {
  const read = readHaproxy({ file: 'h.cfg', folder: '/user', text, disk, variables })
  const { lines, listeners, settings, proofs } = planHaproxy(read)
  const { refused, said, added, leftOut } = read.findings
  return {
    // After these comes what keeps HAProxy from the system's nameservers.
    text: written(lines).replace(NAMESERVERS, ''),
    lists: read.lists.map((list) => written(list.lines, writeCrtListLine)),
    proofs: proofs.map(({ here, serverName }) => `${wordFor(here, PLACES)}=${serverName}`),
    ...{ listeners, settings, refused, said, added, leftOut: leftOut.join() },
  }
}

const GLOBAL = 'global\nstats socket /run/h.sock level admin\ntune.ssl.lifetime 600\n'
const SITE = 'frontend f\nbind :443 ssl crt /c.pem tls-ticket-keys /run/ticketring/edge/haproxy.keys\n'
const CERTIFICATES = diskOf({ '/c.pem': ['www.example.com', '*.example.org'] })
/** One whole configuration with this line in its frontend. */
const withLine = (line: string) => moved(`${GLOBAL}${SITE}${line}\n`, CERTIFICATES)
const bindOf = (bind: string, disk: Disk = CERTIFICATES) => {
  const { text, ...rest } = moved(`${GLOBAL}${SITE}frontend g\n${bind}\n`, disk)
  return { ...rest, line: text.split('frontend g\n')[1] }
}

describe('what is moved', () => {
  it.each([
    ['bind *:443', 'bind 127.0.0.1:20001'],
    ['bind :8080 name plain', 'bind 127.0.0.1:20001 name plain'],
    ['bind ipv4@10.1.2.3:80,ipv6@[2001:db8::1]:80 v6only', 'bind 127.0.0.1:20001,127.0.0.1:20002'],
    ['bind 2001:db8::1:80', 'bind 127.0.0.1:20001'],
    ['bind www.example.com:8000-8002 id 3', 'bind 127.0.0.1:20001,127.0.0.1:20002,127.0.0.1:20003 id 3'],
    ['bind unix@/run/a.sock mode 666 user root', 'bind unix@/machine/1.sock'],
    ['bind /run/a.sock accept-proxy', 'bind unix@/machine/1.sock accept-proxy'],
    ['bind abns@app,fd@4 interface eth0', 'bind unix@/machine/1.sock,127.0.0.1:20001'],
    [
      'bind :80 ssl crt /c.pem verify optional ca-file @system-ca',
      'bind 127.0.0.1:20001 ssl verify optional crt /c.pem ca-file @system-ca',
    ],
    ['server a db.internal:5432 check port 80 weight 3', 'server a 127.0.0.1:31999 weight 3'],
    ['server a unix@/run/app.sock ssl verify none sni str(x) resolvers r', 'server a 127.0.0.1:31999'],
    ['server-template w 3 _http._tcp.example.com:80 init-addr none', 'server-template w 3 127.0.0.1:31999'],
    ['default-server source 10.0.0.1 usesrc clientip cookie x', 'default-server cookie x'],
    ['stick-table type ip size 1m expire 5m peers mates', 'stick-table type ip size 1m expire 5m'],
    ['acl inside src www.internal.example 10.0.0.0/8', 'acl inside src -n www.internal.example 10.0.0.0/8'],
    [
      'use_backend b if !{ src db.internal } or { ssl_fc }',
      'use_backend b if !{ src -n db.internal } or { ssl_fc }',
    ],
    ['http-request set-header X "{ src if }"', "http-request set-header X '{ src if }'"],
    ['no option httpclose', 'no option httpclose'],
    ['option forwardfor except 10.0.0.0/8 if-none', 'option forwardfor except 10.0.0.0/8 if-none'],
    ['acl except src 10.0.0.1', 'acl except src -n 10.0.0.1'],
    ['http-request set-header except x', 'http-request set-header except x'],
    [
      'tcp-request content accept if { req.ssl_hello_type 1 }',
      'tcp-request content accept if { req.ssl_hello_type -n 1 }',
    ],
  ])('%s', (line, expected) => {
    const { refused, line: became } = bindOf(line)
    expect(refused).toEqual([])
    expect(became).toBe(expected)
  })

  it.each([
    'log 10.0.0.1:514 local0',
    'log /dev/log local0',
    'source 10.0.0.1 usesrc clientip',
    'option httpchk GET /',
    'http-check connect addr 10.0.0.1 port 80',
    'tcp-check connect port 80',
    'email-alert to root@example.com',
    'bind quic4@:443 ssl crt /c.pem alpn h3',
    'errorfile 503 /gone.http',
  ])('%s is left out, and that is said', (line) => {
    const { refused, line: became, leftOut } = bindOf(line)
    expect([refused, became]).toEqual([[], undefined])
    expect(leftOut).toMatch(/(log|source|httpchk|http-check|tcp-check|email-alert|quic4@|errorfile) \(7\)/)
  })

  it('sections that only name others are left out whole', () => {
    const { text, refused } = moved(
      `${GLOBAL}resolvers r\nnameserver a 10.0.0.2:53\nparse-resolv-conf\npeers p\nbind :1\nserver a 10.0.0.3:1\nmailers m\nmailer x 10.0.0.4:25\n${SITE}`,
      CERTIFICATES,
    )
    expect(refused).toEqual([])
    expect(text).not.toContain('10.0.0')
  })

  it('variables are put in, of the environment and by default, and none is left to HAProxy', () => {
    const text = `${GLOBAL}${SITE}server a "\${ADDR}:80"\nhttp-request set-header H "$H" if { hdr(h) "\${NO-x y}" }\n`
    const { text: became, refused } = moved(
      text,
      CERTIFICATES,
      (name) => ({ ADDR: '10.1.1.1', H: '$PATH' })[name],
    )
    expect(refused).toEqual([])
    expect(became).toContain(
      "server a 127.0.0.1:31999\nhttp-request set-header H '$PATH' if { hdr(h) -n 'x y' }",
    )
  })
})

describe('what is refused, by line', () => {
  it('what decides at start whether a section follows, also where that is left out', () => {
    const { refused } = moved(
      `${GLOBAL}${SITE}peers p\n.if defined(X)\nfrontend g\nbind :80\n.endif\n`,
      CERTIFICATES,
    )
    expect(refused).toEqual([
      'h.cfg:7: .if decides at start: keep in a copy the lines that hold',
      'h.cfg:10: .endif decides at start: keep in a copy the lines that hold',
    ])
  })

  it.each([
    ['lua-load /etc/x.lua', 'global', 'lua-load /etc/x.lua: runs code'],
    ['external-check', 'global', 'external-check: starts programs'],
    ['setenv A 1', 'global', 'setenv A: not known to do no harm'],
    ['presetenv A 1', 'global', 'presetenv A'],
    ['ssl-engine rdrand', 'global', 'ssl-engine rdrand'],
    ['ssl-default-bind-options no-tls-tickets', 'global', 'no-tls-tickets: without tickets'],
    ['dispatch 10.0.0.1:80', 'f', 'dispatch 10.0.0.1:80: names an address'],
    ['option transparent', 'f', 'option transparent'],
    ['option external-check', 'f', 'option external-check'],
    ['option forwardfor except proxy.example.net', 'f', 'a name, which is looked up'],
    ['option originalto header X except', 'f', 'a name, which is looked up'],
    ['option forwardfor except 10.0.0.0/8 except proxy.example.net', 'f', 'except proxy.example.net: a name'],
    ['constructor x', 'f', 'constructor x: not known to do no harm'],
    ['constructor', 'global', 'constructor: not known to do no harm'],
    ['mode log', 'f', 'mode log'],
    ['filter spoe engine x config y', 'f', 'filter spoe'],
    ['http-request lua.f', 'f', 'http-request lua.f'],
    ['http-request do-resolve(txn.ip,r) hdr(host)', 'f', 'http-request do-resolve'],
    ['http-request set-dst ipv4(10.0.0.1)', 'f', 'http-request set-dst'],
    ['http-request use-service lua.s', 'f', 'http-request use-service'],
    ['tcp-request content set-dst var(txn.ip)', 'f', 'tcp-request content'],
    ['tcp-request connection expect-proxy layer4', 'f', 'put accept-proxy on its bind lines'],
    ['server a 10.0.0.1:80 socks4 10.0.0.9:1080', 'f', 'server socks4'],
    ['server a 10.0.0.1:80 weight', 'f', 'server weight lacks its value'],
    ['bind rhttp@b/s', 'f', 'the address rhttp@b/s'],
    ['bind :80 generate-certificates', 'f', 'bind generate-certificates'],
    ['bind 10.0.0.1', 'f', 'wanted an address with a port'],
    ['bind :1-9999', 'f', '9999 ports in a line'],
    ['bind :8443 ssl', 'f', 'without a certificate'],
    ['.if defined(X)', 'f', 'decides at start'],
    ['log "${NOT_SET}" local0', 'f', 'the environment variable NOT_SET'],
    ['say "x', 'f', 'a " that is not closed'],
    ['program agent', 'f', 'section program: starts processes'],
    ['listen old 10.0.0.1:80', 'f', 'an address beside a name'],
    ['crt-store web', 'f', 'section crt-store'],
    ['httpclient.retries 3', 'global', 'httpclient.retries 3'],
  ])('%s', (line, where, why) => {
    const [before, after] = where === 'global' ? ['global\n', SITE] : [SITE, '']
    const { refused } = moved(`${before}${line}\n${after}`, CERTIFICATES)
    expect(refused).toHaveLength(1)
    expect(refused[0]).toContain(why)
    expect(refused[0]).toMatch(where === 'global' ? /^h\.cfg:2: / : /^h\.cfg:3: /)
  })

  it('all at once, and every directive that nobody knows', () => {
    const words = fc.stringMatching(/^[a-z][a-z0-9.-]{3,20}$/)
    fc.assert(
      fc.property(words, (word) => {
        const { refused } = withLine(`x-${word} 192.0.2.1:80`)
        expect(refused).toEqual([
          `h.cfg:6: x-${word} 192.0.2.1:80: not known to do no harm: take it out of a copy`,
        ])
      }),
    )
  })

  it('that there is no listener to come to', () => {
    expect(moved('frontend f\nbind :80\n').refused).toEqual([
      'h.cfg:1: no listener takes TLS: wanted a bind line with ssl and crt, and a TCP port',
    ])
    const guarded = moved(
      `${GLOBAL}frontend f\nbind :443 ssl crt /c.pem verify required ca-file /a\n`,
      CERTIFICATES,
    )
    expect(guarded.refused[0]).toContain('every listener demands a client certificate')
  })
})

describe('no address but those of loopback', () => {
  const address = fc.constantFrom('192.0.2.1', '[2001:db8::9]', 'db.example.net', 'www.example.net')
  const port = fc.integer({ min: 1, max: 65_000 })
  const line = fc
    .tuple(
      fc.constantFrom(
        'bind A:P',
        'bind ipv4@A:P,A:P name x',
        'bind A:P ssl crt /c.pem',
        'server s A:P check addr A port P',
        'server s ipv4@A:P source A agent-addr A check',
        'server-template s 2 A:P',
        'default-server source A',
        'log A:P local0',
        'source A:P',
        'dispatch A:P',
        'http-check connect addr A port P',
        'tcp-check connect addr A',
        'email-alert mailers A',
        'http-request set-dst ipv4(A)',
        'server s A:P socks4 A:P',
        'peers x\nserver s A:P',
        'resolvers r\nnameserver n A:P',
        'ring r\nserver s A:P',
        'log-forward l\nbind A:P\nlog A:P local0',
        'global\nstats socket A:P level admin',
        'global\nlog A:P local0',
        'global\nhttpclient.resolvers.id A',
        'option transparent',
        'option forwardfor except db.example.net',
        'redirect-to A',
      ),
      address,
      port,
    )
    .map(([text, host, number]) => text.replaceAll('A', host).replaceAll('P', `${number}`))

  it('is in what was moved, whatever lines there are', () => {
    fc.assert(
      fc.property(fc.array(line, { minLength: 1, maxLength: 8 }), (lines) => {
        const { text } = moved(`${GLOBAL}${SITE}${lines.join('\n')}\n`, CERTIFICATES)
        expect(text).not.toMatch(/192\.0\.2|2001:db8|example\.net/)
      }),
      { numRuns: 500 },
    )
  })

  it('is in a configuration of a hundred lines, outside of its conditions', () => {
    const { text, refused } = moved(readFileSync('test/local/own/haproxy.cfg', 'utf8'))
    expect(refused).toEqual([])
    const others = text.split('\n').filter((each) => !/^(acl|stats admin) /.test(each))
    const addresses = others.join('\n').match(/\d+\.\d+\.\d+\.\d+/g) ?? []
    expect(new Set(addresses)).toEqual(new Set(['127.0.0.1']))
  })
})

describe('certificates', () => {
  it('are the user’s where they can be read, and else the rehearsal’s for their names', () => {
    const { line, listeners, said } = bindOf(
      'bind :1 ssl crt /certs/a.pem crt /certs/shop.example.com.pem crt /certs/other tls-ticket-keys /run/ticketring/edge/haproxy.keys',
      diskOf({
        '/c.pem': ['c.example.com'],
        '/certs/a.pem': ['a.example.com', '*.b.example.com', '10.0.0.1'],
      }),
    )
    expect(line).toBe(
      'bind 127.0.0.1:20001 ssl crt /certs/a.pem crt /pki/shop.example.com.pem crt /pki/www.example.com.pem tls-ticket-keys /memory/keys',
    )
    expect(listeners[1]?.serverNames).toEqual([
      ...['a.example.com', 'www.b.example.com', 'shop.example.com', 'www.example.com'],
    ])
    expect(said).toHaveLength(2)
    expect(said[0]).toMatch(/^h\.cfg:7: \/certs\/shop\.example\.com\.pem is not there, or cannot be read/)
  })

  it('of a list come into a list of the copy', () => {
    const list = `# sites
a.pem [alpn h2 ocsp-update on] a.example.com *.a.example.com !x.a.example.com
b.pem [verify required ca-file /ca.pem] b.example.com
c.example.com.pem
`
    const text = `global\ncrt-base /base\n${SITE}frontend g\nbind :1 ssl crt-list /list tls-ticket-keys /run/ticketring/edge/haproxy.keys\n`
    const { lists, listeners, refused } = moved(
      text,
      diskOf({ '/list': list, '/base/a.pem': ['a.example.com'], '/c.pem': ['c'] }),
    )
    expect(refused).toEqual([])
    expect(lists).toEqual([
      '/base/a.pem [alpn h2] a.example.com *.a.example.com !x.a.example.com\n' +
        '/pki/b.example.com.pem [verify required ca-file /pki/root.pem] b.example.com\n/pki/c.example.com.pem',
    ])
    // Whoever demands a certificate is not asked.
    expect(listeners[1]?.serverNames).toEqual(['a.example.com', 'www.a.example.com', 'c.example.com'])
  })
})

describe('the ring', () => {
  it('of a configuration that has it is moved, and nothing is added', () => {
    const { text, added, settings, proofs } = moved(GLOBAL + SITE, CERTIFICATES)
    expect(added).toEqual([])
    expect(text).toContain('bind 127.0.0.1:20000 ssl crt /c.pem tls-ticket-keys /memory/keys')
    expect(text).toContain('stats socket /machine/admin.sock mode 600 level admin')
    expect(settings).toEqual({
      keys: '/run/ticketring/edge/haproxy.keys',
      keySize: 80,
      socket: '/run/h.sock',
      owner: 'root',
      verify: [{ address: '127.0.0.1:443', serverName: 'www.example.com' }],
    })
    expect(proofs).toEqual(['127.0.0.1:20000=www.example.com'])
  })

  it('comes into one that has none, on every open listener, with what it needs', () => {
    const { text, added, settings } = moved(
      'frontend f\nbind :443 ssl crt /c.pem\nbind :8443 ssl crt /c.pem verify required ca-file /ca\nbind [::1]:444 accept-proxy ssl crt /c.pem\n',
      CERTIFICATES,
    )
    expect(text.split('\n')).toEqual([
      'global',
      'stats socket /machine/admin.sock mode 600 level admin',
      'tune.ssl.lifetime 7200',
      'frontend f',
      'bind 127.0.0.1:20000 ssl crt /c.pem tls-ticket-keys /memory/keys',
      'bind 127.0.0.1:20001 ssl verify required crt /c.pem ca-file /pki/root.pem',
      'bind 127.0.0.1:20002 accept-proxy ssl crt /c.pem tls-ticket-keys /memory/keys',
    ])
    expect(added).toEqual([
      'h.cfg:2: at its end: tls-ticket-keys /run/ticketring/edge/haproxy.keys',
      'h.cfg:4: at its end: tls-ticket-keys /run/ticketring/edge/haproxy.keys',
      'h.cfg: in global: stats socket /run/haproxy/admin.sock mode 600 level admin',
      'h.cfg: in global: tune.ssl.lifetime 7200',
    ])
    expect(settings).toMatchObject({ verify: [{ address: '127.0.0.1:443' }] })
  })

  it('is proved beside a listener that speaks PROXY protocol alone', () => {
    const { text, settings, proofs, added } = moved(
      `${GLOBAL}frontend f\nbind :443 accept-proxy ssl crt /c.pem alpn h2\n`,
      CERTIFICATES,
    )
    expect(text).toContain(
      'bind unix@/machine/edge.sock mode 600 ssl crt /c.pem tls-ticket-keys /memory/keys',
    )
    expect(added[1]).toBe(
      'h.cfg:5: beside it: bind unix@/run/haproxy/edge.sock mode 600 ssl crt /c.pem tls-ticket-keys /run/ticketring/edge/haproxy.keys',
    )
    const verify = [{ address: 'unix:/run/haproxy/edge.sock', serverName: 'www.example.com' }]
    expect(settings).toMatchObject({ verify })
    expect(proofs).toEqual(['unix:/machine/edge.sock=www.example.com'])
  })

  it('is refused where a guarded listener shares it with an open one', () => {
    const keys = 'tls-ticket-keys /run/ticketring/edge/haproxy.keys'
    const { refused } = withLine(`bind :444 ssl crt /c.pem verify required ca-file /ca ${keys}`)
    expect(refused).toEqual([
      'h.cfg:6: demands a client certificate, and shares /run/ticketring/edge/haproxy.keys with a listener that does not (auth-bypass): name a key file of another ring there, or none',
    ])
  })

  it('of another file, and listeners without tickets, have no part in it', () => {
    const { text, said, refused } = withLine(
      'bind :444 ssl crt /c.pem tls-ticket-keys /run/ticketring/other/haproxy.keys\nbind :445 ssl crt /c.pem no-tls-tickets',
    )
    expect(refused).toEqual([])
    expect(said).toEqual([
      'h.cfg:7: no-tls-tickets: this listener has no part in a ring',
      'h.cfg:6: /run/ticketring/other/haproxy.keys is of another ring: this listener runs without it',
    ])
    expect(text).toContain(
      'bind 127.0.0.1:20001 ssl crt /c.pem\nbind 127.0.0.1:20002 ssl crt /c.pem no-tls-tickets',
    )
  })

  it('keeps HAProxy from the nameservers of the system', () => {
    const { lines } = planHaproxy(
      readHaproxy({
        file: 'h',
        folder: '/',
        text: GLOBAL + SITE,
        disk: CERTIFICATES,
        variables: () => undefined,
      }),
    )
    expect(written(lines).endsWith(NAMESERVERS)).toBe(true)
  })

  it.each([
    ['1d', 7200],
    ['86400', 7200],
    ['2h', 7200],
    ['10m', 600],
    ['7200s', 7200],
  ])('lets tickets live %s for %s s', (text, seconds) => {
    const became = moved(`global\ntune.ssl.lifetime ${text}\n${SITE}`, CERTIFICATES)
    expect(became.text).toContain(`tune.ssl.lifetime ${seconds}\n`)
    expect(became.added.some((line) => line.includes('tune.ssl.lifetime'))).toBe(/^(1d|86400)$/.test(text))
  })
})
