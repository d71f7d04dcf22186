// biome-ignore-all lint/suspicious/noTemplateCurlyInString: nginx's variables are written so.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SERVER_PATH } from '../../../local/rehearsal/machines/required-servers.ts'
import { DISK } from '../../../local/rehearsal/own/disk.ts'
import { type Line, readNginx } from '../../../local/rehearsal/own/nginx/read.ts'
import { planNginx, proofAt } from '../../../local/rehearsal/own/nginx/ring.ts'
import { readDirectives, UnreadableFile, writeWord } from '../../../local/rehearsal/own/nginx/words.ts'
import { type Disk, wordFor } from '../../../local/rehearsal/own/places.ts'
import { folderWith } from './copies.ts'
import { diskOf, PLACES } from './disk.ts'

function written({ words, block }: Line): string {
  const text = words.map((word) => writeWord(wordFor(word, PLACES))).join(' ')
  return block === undefined ? `${text};` : [`${text} {`, ...block.map(written), '}'].join('\n')
}

/** What becomes of a configuration. */
function moved(text: string, disk: Disk = CERTIFICATES, file = '/etc/nginx/nginx.conf') {
  const read = readNginx({ file, text, disk })
  const { main, http, listeners, settings, proofs } = planNginx(read)
  const { refused, said, added, leftOut } = read.findings
  return {
    text: [...main, ...http].map(written).join('\n'),
    proofs: proofs.map((proof) => proofAt(proof, PLACES)),
    ...{ listeners, settings, refused, said, added, leftOut: leftOut.join() },
  }
}

const CERTIFICATES = diskOf({ '/c.pem': ['c.example.com'] })
const FILES = 'ssl_certificate /c.pem; ssl_certificate_key /c.key;'
const RING = ['current', 'next', 'previous']
  .map((slot) => `ssl_session_ticket_key /run/ticketring/edge/nginx.${slot}.key;`)
  .join('\n')
const SITE = `server { listen 443 ssl; server_name www.example.com; ${FILES} }`
/** With these lines, and below them a server with the ring. */
const within = (lines: string, disk?: Disk) =>
  moved(`http {\n${RING}\nssl_session_timeout 2h;\n${lines}\n${SITE} }`, disk)
/** What becomes of lines of one location. */
const inLocation = (lines: string) => {
  const { text, refused, leftOut } = within(`server { listen 80;\nlocation / {\n${lines}\n} }`)
  return { refused, leftOut, lines: /location \/ \{\n?([\s\S]*?)\n?\}/.exec(text)?.[1] }
}

describe('words of nginx.conf', () => {
  const read = (text: string) => readDirectives(text, 'n.conf').map(({ words }) => words)

  it.each([
    [
      'a b;c\td;\n# no e;\nf#g "h;#{" ;',
      [
        ['a', 'b'],
        ['c', 'd'],
        ['f#g', 'h;#{'],
      ],
    ],
    [String.raw`a "b\"c\d\\e" 'f"\'' g\ h i\;j;`, [['a', 'b"c\\d\\e', 'f"\'', 'g\\ h', 'i\\;j']]],
    [String.raw`a \t"b" "\n";`, [['a', '\t"b"', '\n']]],
    [
      'set $a ${b}c{;} if ($a = "x") {}',
      [
        ['set', '$a', '${b}c'],
        ['if', '($a', '=', 'x', ')'],
      ],
    ],
  ])('%s', (text, words) => {
    expect(read(text.replace('c{;}', 'c;'))).toEqual(words)
  })

  it.each([
    ['a {', 'a { that is not closed'],
    ['a;\n}', 'an unexpected }'],
    ['a b', 'a line without ;'],
    ['a "b;', 'a " that is not closed'],
    ['a "b"c;', 'an unexpected c after a quote'],
    [';', 'an unexpected ;'],
  ])('refuses %s', (text, why) => {
    expect(() => read(text)).toThrow(UnreadableFile)
    expect(() => read(text)).toThrow(why)
  })

  it('tells the line of each directive, in whatever it is', () => {
    const [a, b] = readDirectives('a\n "x\ny";\n\nb {\n c;\n}', 'n.conf')
    expect([a?.spot.line, b?.spot.line, b?.block?.[0]?.spot.line]).toEqual([1, 5, 6])
  })

  const word = fc
    .array(fc.integer({ min: 1, max: 255 }))
    .map((bytes) => Buffer.from(bytes).toString('latin1'))

  it('that are written are read again as they were, on one line', () => {
    fc.assert(
      fc.property(fc.array(word, { minLength: 1 }), (words) => {
        const text = `${words.map(writeWord).join(' ')};`
        expect(read(text)).toEqual([words])
        expect(text).not.toContain('\n')
      }),
    )
  })

  it('that are written nginx itself reads as they were', () => {
    const folder = folderWith({})
    mkdirSync(join(folder, 'logs'))
    for (const text of fc.sample(word, 25)) {
      // It names the directive that it does not know.
      const file = join(
        folderWith({
          'n.conf': Buffer.from(`x${writeWord(`\n${text}`)};`.replace(/^x"\\n/, '"x'), 'latin1'),
        }),
        'n.conf',
      )
      const how = { encoding: 'latin1', env: { PATH: SERVER_PATH } } as const
      const { stderr } = spawnSync('nginx', ['-t', '-q', '-p', folder, '-e', 'stderr', '-c', file], how)
      expect(stderr).toContain(`unknown directive "x${text}" in ${file}:1`)
    }
  })
})

describe('what is moved', () => {
  it.each([
    ['listen *:8080;', 'listen 127.0.0.1:20000;'],
    [
      'listen 8080 default_server backlog=511 reuseport;',
      'listen 127.0.0.1:20000 default_server backlog=511;',
    ],
    ['listen [2001:db8::1]:80 ipv6only=off proxy_protocol;', 'listen 127.0.0.1:20000 proxy_protocol;'],
    ['listen 192.0.2.1;', 'listen 127.0.0.1:20000;'],
    ['listen db.example.net:80;', 'listen 127.0.0.1:20000;'],
    ['listen 9000-9001;', 'listen 127.0.0.1:20000;\nlisten 127.0.0.1:20001;'],
    ['listen unix:/run/a.sock;', 'listen unix:/machine/0.sock;'],
    ['listen 80; listen 443 quic;', 'listen 127.0.0.1:20000;'],
    // nginx would take port 80.
    ['server_name a;', 'listen 127.0.0.1:20000;\nserver_name a;'],
    ['listen 443 quic;', 'listen 127.0.0.1:20000;'],
  ])('%s', (lines, expected) => {
    const { text, refused } = within(`server { ${lines} }`)
    expect(refused).toEqual([])
    expect(text).toContain(`server {\n${expected}\n}`)
  })

  it('sockets that servers share are shared', () => {
    const { text } = within('server { listen 443 ssl; listen 80; } server { listen *:80; listen [::]:80; }')
    expect([...text.matchAll(/listen (\S+?);?( ssl)?;/g)].map(([, where]) => where)).toEqual([
      ...['127.0.0.1:20000', '127.0.0.1:20001', '127.0.0.1:20001', '127.0.0.1:20002', '127.0.0.1:20000'],
    ])
  })

  it.each([
    ['proxy_pass http://db.example.net/x;', 'proxy_pass http://127.0.0.1:31999;'],
    ['proxy_pass $scheme://$host;', 'proxy_pass http://127.0.0.1:31999;'],
    ['fastcgi_pass unix:/run/php.sock; fastcgi_param A b;', 'proxy_pass http://127.0.0.1:31999;'],
    ['grpc_pass grpcs://192.0.2.1;', 'proxy_pass http://127.0.0.1:31999;'],
    ['proxy_bind 192.0.2.1; proxy_ssl_verify on; proxy_cache x; resolver 192.0.2.53;', ''],
    ['access_log syslog:server=192.0.2.1 main; error_log /x;', ''],
    ['set_real_ip_from 192.0.2.0/24;', 'set_real_ip_from 192.0.2.0/24;'],
    ['rewrite ^/a{2}$ /b last;', 'rewrite "^/a{2}$" /b last;'],
    ['return 200 "a;\nb";', 'return 200 "a;\\nb";'],
  ])('%s', (line, expected) => {
    const safe = line.replace('rewrite ^/a{2}$', 'rewrite "^/a{2}$"')
    const { refused, lines } = inLocation(safe)
    expect(refused).toEqual([])
    // A brace in a word ends what the pattern of this test takes for the location.
    expect(expected.startsWith(lines ?? 'nothing')).toBe(true)
    if (!expected.includes('}')) expect(lines).toBe(expected)
  })

  it('what is included is in its place, and said with its own file and line', () => {
    const disk = diskOf({
      '/c.pem': ['c'],
      '/etc/nginx/conf.d/a.conf': 'charset utf-8;\ninclude snippets/x;',
      '/etc/nginx/conf.d/b.conf': '\nlua_package_path x;',
      '/etc/nginx/snippets/x': 'etag off;',
    })
    const { text, refused } = within('include conf.d/*.conf;', disk)
    expect(text).toContain('charset utf-8;\netag off;')
    expect(refused).toEqual([
      '/etc/nginx/conf.d/b.conf:2: lua_package_path: runs code that may connect anywhere: take it out of a copy',
    ])
  })

  it.each([
    ['gone', 'include gone.conf;', 'include gone.conf: there is no /etc/nginx/gone.conf'],
    ['itself', 'include loop;', 'too many files within files'],
  ])('refuses what includes %s', (_, line, why) => {
    const { refused } = within(line, diskOf({ '/c.pem': ['c'], '/etc/nginx/loop': 'include loop;' }))
    expect(refused.join()).toContain(why)
  })

  it.each([
    ['[ab]?.conf', ['a1.conf', 'b2.conf']],
    ['[!ab]*', ['[x', ']y', 'c.conf']],
    ['[]a]*', [']y', 'a1.conf']],
    ['[x', ['[x']],
    ['[z-a]*', []],
    ['\\a1*', ['a1.conf']],
    ['[\\d]*', []],
    ['(a|b)*', []],
  ])('the files of %s are those of glob(3)', (pattern, names) => {
    const folder = folderWith({
      'a1.conf': '',
      'b2.conf': '',
      'c.conf': '',
      '[x': '',
      ']y': '',
      '.a1.conf': '',
    })
    expect(DISK.matching(`${folder}/${pattern}`)).toEqual(names.map((name) => `${folder}/${name}`))
  })

  it('a pattern that finds nothing is nothing', () => {
    expect(within('include /run/ticketring/web.staples/edge.ocsp[.]conf;').refused).toEqual([])
  })
})

describe('what is refused, by line', () => {
  it.each([
    ['content_by_lua_block { if x then y{} end -- ; }', 'content_by_lua_block: runs code'],
    ['js_content x;', 'js_content: runs code'],
    ['perl x;', 'perl: runs code'],
    ['dav_methods PUT;', 'dav_methods: writes files'],
    ['set_real_ip_from db.example.net;', 'set_real_ip_from db.example.net: a name, which is looked up'],
    ['set_real_ip_from 192.0.2.1.5;', 'set_real_ip_from 192.0.2.1.5: a name, which is looked up'],
    ['set_real_ip_from cafe:80;', 'set_real_ip_from cafe:80: a name, which is looked up'],
    ['constructor x;', 'constructor: not known to do no harm'],
    ['ssl on;', 'ssl: put ssl on its listen lines'],
    ['xslt_stylesheet /x;', 'xslt_stylesheet: not known to do no harm'],
    ['tunnel_pass 192.0.2.1:80;', 'tunnel_pass: not known to do no harm'],
    ['proxy_pass_it 192.0.2.1;', 'proxy_pass_it: not known to do no harm'],
  ])('%s', (line, why) => {
    const { refused } = inLocation(line)
    expect(refused).toHaveLength(1)
    expect(refused[0]).toMatch(/^\/etc\/nginx\/nginx\.conf:8: /)
    expect(refused[0]).toContain(why)
  })

  it.each([
    ['server { listen 80 mystery; }', 'listen mystery'],
    ['server { listen 1-500; }', 'listen 1-500'],
    [
      'server { listen 1 ssl; ssl_certificate /x/${ssl_server_name}; ssl_certificate_key /y; }',
      'made at run time',
    ],
  ])('%s', (line, why) => {
    expect(within(line).refused.join()).toContain(why)
  })

  it('every directive that nobody knows, wherever it is', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z][a-z0-9_]{2,20}$/), (name) => {
        for (const line of [`zz_${name} 192.0.2.1;`, `zz_${name} { server 192.0.2.1; }`]) {
          expect(inLocation(line).refused).toHaveLength(1)
          expect(moved(`${line}\nhttp { ${RING} ${SITE} }`).refused).toHaveLength(1)
        }
      }),
    )
  })

  it('that there is no listener to come to', () => {
    expect(moved('events {}').refused.join()).toContain('no http block')
    expect(moved('http { server { listen 80; } }').refused.join()).toContain('no server takes TLS')
    expect(moved(`http { ssl_session_tickets off; ${SITE} }`).refused.join()).toContain(
      'no listener has tickets',
    )
  })
})

describe('no address but those of loopback', () => {
  const line = fc
    .tuple(
      fc.constantFrom(
        'server { listen A:81; }',
        'server { listen A:444 ssl; }',
        'upstream u { server A:80; server A resolve; }',
        'server { location / { proxy_pass http://A:80/x; } }',
        'server { location / { fastcgi_pass A:9000; } }',
        'server { if ($a) { proxy_pass http://A; } }',
        'server { location / { limit_except GET { proxy_pass http://A; } } }',
        'resolver A;',
        'access_log syslog:server=A;',
        'error_log syslog:server=A debug;',
        'server { ssl_stapling_responder http://A/; ssl_stapling on; }',
        'server { ssl_ocsp_responder http://A; }',
        'server { location / { memcached_pass A:1; proxy_bind A; } }',
        'proxy_upstream A;',
        'js_fetch_resolver A;',
      ),
      fc.constantFrom('192.0.2.1', '[2001:db8::9]', 'db.example.net'),
    )
    .map(([text, host]) => text.replaceAll('A', host))

  it('is in what was moved, whatever lines there are', () => {
    fc.assert(
      fc.property(fc.array(line, { minLength: 1, maxLength: 6 }), (lines) => {
        const outside =
          'stream { server { listen 1; proxy_pass 192.0.2.1:1; } } mail { auth_http 192.0.2.1; }'
        const { text } = moved(`${outside}\nhttp { ${RING} ${lines.join('\n')}\n${SITE} }`)
        expect(text).not.toMatch(/192\.0\.2|2001:db8|example\.net/)
        for (const [, where] of text.matchAll(/(?:listen|_pass) (\S+)/g))
          expect(where).toMatch(/^(http:\/\/)?127\.0\.0\.1:\d+/)
      }),
      { numRuns: 300 },
    )
  })

  it('is in a tree of sites, outside of its conditions', () => {
    const file = 'test/local/own/nginx/nginx.conf'
    const { text, refused } = moved(readFileSync(file, 'utf8'), DISK, file)
    expect(refused).toEqual([])
    const others = text.split('\n').filter((each) => !/^(allow|set_real_ip_from|\S+ [01];)/.test(each))
    const addresses = others.join('\n').match(/\d+\.\d+\.\d+\.\d+/g) ?? []
    expect(new Set(addresses)).toEqual(new Set(['127.0.0.1']))
  })
})

describe('the ring', () => {
  it('of a configuration that has it is moved, and nothing is added', () => {
    const { text, added, settings, proofs, listeners } = within('')
    expect(added).toEqual([])
    expect(text.split('\n').filter((line) => line.includes('ticket_key'))).toEqual(
      ['current', 'next', 'previous'].map((slot) => `ssl_session_ticket_key /memory/keys/nginx.${slot}.key;`),
    )
    expect(settings).toEqual({
      keys: '/run/ticketring/edge',
      keySize: 80,
      owner: 'root',
      verify: [{ address: '127.0.0.1:443', serverName: 'www.example.com' }],
    })
    expect(proofs).toEqual(['127.0.0.1:20000=www.example.com'])
    expect(listeners).toMatchObject([{ serverNames: ['www.example.com'], proxyProtocol: false }])
  })

  it('comes into http{} of one that has none, in place of keys of its own', () => {
    const { text, added, said } = moved(`http { ssl_session_ticket_key /etc/old.key; ${SITE} }`)
    expect(text).not.toContain('old.key')
    expect(text.match(/ssl_session_ticket_key/g)).toHaveLength(3)
    expect(said).toEqual(["/etc/nginx/nginx.conf:1: /etc/old.key: the ring's keys take its place"])
    expect(added).toHaveLength(4)
    expect(text).toContain('ssl_session_timeout 7200s;')
  })

  it('is proved by a listener more where all speak PROXY protocol', () => {
    const { text, settings, added } = within(SITE.replace('443 ssl', '443 ssl proxy_protocol'))
    expect(settings).toMatchObject({ verify: [{ address: '127.0.0.1:8445', serverName: 'www.example.com' }] })
    expect(text).toContain('listen 127.0.0.1:20001 ssl;')
    expect(added.join()).toContain('in this server: listen 127.0.0.1:8445 ssl;')
  })

  it('is refused where a guarded server shares it with an open one, and not where it has no tickets or all are guarded', () => {
    const guarded = (more = '') =>
      `server { listen 444 ssl; server_name p.example.com; ${FILES} ssl_client_certificate /ca; ssl_verify_client on; ${more} }`
    expect(within(guarded()).refused.join()).toContain('demands a client certificate, and shares the ring')
    const { refused, said } = within(guarded('ssl_session_tickets off;'))
    expect(refused).toEqual([])
    expect(said.join()).toContain('ssl_session_tickets off: this server has no part in a ring')
    const all = moved(`http { ${RING} ssl_verify_client on; ${SITE} }`)
    expect(all.refused).toEqual([])
    expect(all.settings).toMatchObject({ verify: [{ clientCertificate: 'required' }] })
  })

  it('of other keys leaves a server without tickets', () => {
    const other = RING.replaceAll('/edge/', '/other/')
    const { text, said, listeners } = within(`server { listen 444 ssl; ${FILES} ${other} }`)
    expect(said.join()).toContain('ticket keys of another ring')
    expect(text.match(/ssl_session_ticket_key/g)).toHaveLength(3)
    expect(text).toContain('ssl_session_tickets off;')
    expect(listeners).toHaveLength(1)
  })

  it.each([
    ['1d', 7200],
    ['86400', 7200],
    ['1h 30m', 5400],
    ['1h30m', 5400],
    ['10m', 600],
    ['300', 300],
  ])('lets tickets live %s for %s s', (text, seconds) => {
    const became = moved(
      `http { ${RING} ${SITE.replace('ssl;', `ssl; ssl_session_timeout "${text}";`)} }`,
    ).text
    expect(became).toContain(`ssl_session_timeout ${seconds}s;\n}`)
  })

  it('is asked for by the names of the default server first, each once', () => {
    const { listeners } = within(
      `server { listen 443 ssl default_server; server_name .b.example.com ~^x\\. _ B.b.example.com "" *.c.example.com; ${FILES} }`,
    )
    expect(listeners[0]?.serverNames).toEqual([
      ...['www.b.example.com', 'b.b.example.com', 'www.c.example.com', 'www.example.com'],
    ])
  })
})
