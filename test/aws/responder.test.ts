import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { type AddressInfo, createServer, connect as dial } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Connect } from '../../lambda/aws/http/agents.ts'
import { HttpResponders, type Resolve, type ResponderOptions } from '../../lambda/aws/http/responder.ts'
import { LARGEST_RESPONSE } from '../../lambda/ocsp/rules-form.ts'
import type { HttpQuestion } from '../../lambda/staples/ports.ts'
import { type Manners, TestServer } from '../fakes/staple-server.ts'

const LOOPBACK = ['127.0.0.0/8']
const BODY = Buffer.from([0x30, 0x03, 0x0a, 0x01, 0x00])

const closing: (() => void | Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function serve(listener: Manners, secure?: { key: string; cert: string }): Promise<TestServer> {
  const server = await TestServer.start(listener, secure)
  closing.push(() => server.close())
  return server
}

function responders(options: Partial<ResponderOptions> = {}): HttpResponders {
  const made = new HttpResponders({ allow: LOOPBACK, deadline: 60_000, ...options })
  closing.push(() => made.close())
  return made
}

/** The step that connects: what the lookup gave is noted, and the server on loopback reached in its place. */
function dialling(port: number): { connect: Connect; dialled: string[] } {
  const dialled: string[] = []
  const connect: Connect = (options) => {
    const lookup: NonNullable<typeof options.lookup> = (host, how, done) =>
      options.lookup?.(host, { ...how, all: false }, (error, address) => {
        if (error !== null) return done(error, '', 4)
        dialled.push(String(address))
        if (how.all === true) done(null, [{ address: '127.0.0.1', family: 4 }])
        else done(null, '127.0.0.1', 4)
      })
    return dial({ ...options, port, lookup })
  }
  return { connect, dialled }
}

const get = (url: string, more: Partial<HttpQuestion> = {}): HttpQuestion => ({ method: 'GET', url, ...more })
const answering = (response: ServerResponse, body: Uint8Array = BODY) =>
  response
    .writeHead(200, { 'Content-Type': 'application/ocsp-response', 'Cache-Control': 'max-age=60' })
    .end(body)
const good: Manners = (_, response) => answering(response)
const named =
  (names: Record<string, string[]>): Resolve =>
  async (host) =>
    (names[host] ?? []).map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
const refused = (code: string, came?: RegExp) =>
  came === undefined
    ? expect.objectContaining({ code })
    : expect.objectContaining({ code, came: expect.stringMatching(came) })

describe('a responder that is there', () => {
  it('is asked by GET, and its status, body and headers come back', async () => {
    const server = await serve(good)
    const answer = await responders().ask(get(server.url('/ocsp/abc'), { fresh: true }))
    expect(answer).toEqual({
      status: 200,
      body: BODY,
      contentType: 'application/ocsp-response',
      cacheControl: 'max-age=60',
    })
    expect(server.requests[0]).toMatchObject({ method: 'GET', url: '/ocsp/abc' })
    expect(server.requests[0]?.headers).toMatchObject({
      'cache-control': 'no-cache',
      'accept-encoding': 'identity',
    })
  })

  it('is asked by POST with the request as its body', async () => {
    const server = await serve(good)
    await responders().ask({ method: 'POST', url: server.url(), body: Buffer.from('request') })
    const [request] = server.requests
    expect(request).toMatchObject({ method: 'POST', body: Buffer.from('request') })
    expect(request?.headers).toMatchObject({
      'content-type': 'application/ocsp-request',
      'content-length': '7',
    })
  })

  it('is believed whatever its status: that is for the rules', async () => {
    const server = await serve((_, response) => response.writeHead(503, { 'Retry-After': '120' }).end())
    expect(await responders().ask(get(server.url()))).toMatchObject({ status: 503, retryAfter: '120' })
  })

  it('keeps its connections, and one that it closed meanwhile is no failure', async () => {
    const server = await serve(good)
    const asking = responders()
    for (let n = 0; n < 5; n++) await asking.ask(get(server.url()))
    expect(server.connections).toBe(1)
    server.dropConnections()
    expect((await asking.ask(get(server.url()))).status).toBe(200)
  })

  it('has at most so many exchanges at a time, while another host is not held up', async () => {
    const waiting: ServerResponse[] = []
    let isOpen = false
    const server = await serve((_, response) => (isOpen ? answering(response) : waiting.push(response)))
    const other = await serve(good)
    const asking = responders({ perHost: 4 })
    const all = Promise.all(Array.from({ length: 40 }, () => asking.ask(get(server.url()))))
    await asking.ask(get(other.url()))
    await expect.poll(() => waiting.length).toBe(4)
    isOpen = true
    for (const response of waiting) answering(response)
    await all
    expect(server.busiest).toBe(4)
  })
})

describe('what goes wrong on the way', () => {
  it('refuses more bytes than a response ever has, stated or not', async () => {
    const large = Buffer.alloc(LARGEST_RESPONSE + 1)
    const stated = await serve((_, response) => answering(response, large))
    await expect(responders().ask(get(stated.url()))).rejects.toEqual(refused('response-oversize'))
    const chunked = await serve((_, response) => {
      const drip = setInterval(() => response.write(Buffer.alloc(8192)), 1)
      response.on('close', () => clearInterval(drip))
    })
    await expect(responders().ask(get(chunked.url()))).rejects.toEqual(refused('response-oversize'))
  })

  it('takes a body of exactly the limit', async () => {
    const server = await serve((_, response) => answering(response, Buffer.alloc(LARGEST_RESPONSE)))
    expect((await responders().ask(get(server.url()))).body).toHaveLength(LARGEST_RESPONSE)
  })

  it('does not wait for a slow drip, though each byte comes soon after the last', async () => {
    const server = await serve((_, response) => {
      response.writeHead(200)
      const drip = setInterval(() => response.write('x'), 20)
      response.on('close', () => clearInterval(drip))
    })
    await expect(responders({ deadline: 300 }).ask(get(server.url()))).rejects.toEqual(
      refused('responder-timeout'),
    )
  })

  it('does not wait for one that says nothing, or for a name that does not resolve', async () => {
    const silent = await serve(() => {})
    const quick = responders({ deadline: 200 })
    await expect(quick.ask(get(silent.url()))).rejects.toEqual(refused('responder-timeout'))
    const never = responders({ deadline: 200, resolve: () => new Promise(() => {}) })
    await expect(never.ask(get('http://ocsp.example/'))).rejects.toEqual(refused('responder-timeout'))
  })

  it('names a connection reset, before and within the body', async () => {
    const before = await serve((request) => request.socket.destroy())
    await expect(responders().ask(get(before.url()))).rejects.toEqual(refused('responder-reset'))
    const within = await serve((request, response) => {
      response.writeHead(200, { 'Content-Length': '500' }).write('x')
      setTimeout(() => request.socket.destroy(), 20)
    })
    await expect(responders().ask(get(within.url()))).rejects.toEqual(refused('responder-reset'))
  })

  it('names a port where nothing listens, a name that is none, and a server that is none of HTTP', async () => {
    const gone = await TestServer.start(good)
    const url = gone.url()
    await gone.close()
    await expect(responders().ask(get(url))).rejects.toEqual(refused('responder-unreachable'))
    const unresolved = responders({ resolve: named({}) })
    await expect(unresolved.ask(get('http://absent.example/'))).rejects.toEqual(
      refused('responder-unresolved'),
    )
    const unknown = responders({
      resolve: async () => Promise.reject(Object.assign(new Error('no'), { code: 'ENOTFOUND' })),
    })
    await expect(unknown.ask(get('http://absent.example/'))).rejects.toEqual(refused('responder-unresolved'))
    const banner = createServer((socket) => socket.end('220 mail ready\r\n'))
    await new Promise<void>((resolve) => banner.listen(0, '127.0.0.1', resolve))
    closing.push(() => void banner.close())
    const { port } = banner.address() as { port: number }
    await expect(responders().ask(get(`http://127.0.0.1:${port}/`))).rejects.toEqual(
      refused('responder-not-http'),
    )
  })
})

describe('redirects', () => {
  const to =
    (location: string, status = 302): Manners =>
    (_, response) =>
      response.writeHead(status, { Location: location }).end()

  it('are followed, a few, with the method and the body they came with', async () => {
    const end = await serve(good)
    const middle = await serve(to(end.url('/end'), 307))
    const first = await serve(to(middle.url('/middle'), 301))
    const question = { method: 'POST', url: first.url(), body: Buffer.from('request') } as const
    expect((await responders().ask(question)).status).toBe(200)
    expect(end.requests).toMatchObject([{ method: 'POST', url: '/end', body: Buffer.from('request') }])
  })

  it('by 303 are followed by GET, without the body', async () => {
    const end = await serve(good)
    const first = await serve(to(end.url('/end'), 303))
    const question = { method: 'POST', url: first.url(), body: Buffer.from('request') } as const
    expect((await responders().ask(question)).status).toBe(200)
    expect(end.requests).toMatchObject([{ method: 'GET', url: '/end', body: Buffer.alloc(0) }])
    expect(end.requests[0]?.headers).not.toHaveProperty('content-type')
  })

  it('that go in a circle or never end are refused', async () => {
    const circle = await serve((_, response) => response.writeHead(302, { Location: '/' }).end())
    await expect(responders().ask(get(circle.url()))).rejects.toEqual(refused('redirect-loop'))
    let n = 0
    const endless = await serve((_, response) => response.writeHead(302, { Location: `/${n++}` }).end())
    await expect(responders().ask(get(endless.url()))).rejects.toEqual(refused('redirect-loop'))
    expect(endless.requests).toHaveLength(4)
  })

  it.each([
    ['an address of the metadata service', 'http://169.254.169.254/latest/meta-data/', /169\.254\.169\.254/],
    ['a loopback address of IPv6', 'http://[::1]/', /::1/],
    ['another scheme', 'file:///etc/passwd', /file:/],
    ['credentials', 'http://user:secret@127.0.0.1/', /^http:\/\/127\.0\.0\.1$/],
  ])('to %s are refused', async (_, location, came) => {
    const server = await serve(to(location))
    await expect(responders().ask(get(server.url()))).rejects.toEqual(refused('redirect-forbidden', came))
  })

  it('to a name that resolves to a forbidden address are refused', async () => {
    const server = await serve(to('http://inside.example/'))
    const asking = responders({ resolve: named({ 'inside.example': ['10.1.2.3'] }) })
    await expect(asking.ask(get(server.url()))).rejects.toEqual(
      refused('redirect-forbidden', /^10\.1\.2\.3$/),
    )
  })

  it("are guarded though the first URL was the owner's own word", async () => {
    const inside = await serve(good)
    const server = await serve(to(inside.url()))
    const asking = responders({ allow: [] })
    expect((await asking.ask(get(inside.url(), { trusted: true }))).status).toBe(200)
    // Also where a connection to that address is kept already.
    await expect(asking.ask(get(server.url(), { trusted: true }))).rejects.toEqual(
      refused('redirect-forbidden'),
    )
    expect(inside.requests).toHaveLength(1)
  })
})

describe('URLs and addresses that no certificate may lead to', () => {
  it.each([
    'ftp://example.com/',
    'ldap://example.com/',
    'http://user@example.com/',
    'http://user:secret@example.com/',
    'no url',
    'file:///etc/passwd',
  ])('%s is refused as a URL', async (url) => {
    await expect(responders().ask(get(url))).rejects.toEqual(refused('url-forbidden'))
  })

  it.each([
    '0.0.0.0',
    '10.0.0.1',
    '100.64.0.1',
    '100.100.100.200',
    '127.0.0.1',
    '2130706433',
    '0x7f.1',
    '169.254.169.254',
    '172.31.255.255',
    '192.0.0.192',
    '192.168.1.1',
    '198.18.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '[::]',
    '[::1]',
    '[::ffff:10.0.0.1]',
    '[::ffff:8.8.8.8]',
    '[::7f00:1]',
    '[64:ff9b::a00:1]',
    '[64:ff9b::169.254.169.254]',
    '[64:ff9b::7f00:1]',
    '[64:ff9b:1::a00:1]',
    '[64:ff9b:1:a00:0:100::]',
    '[64:ff9b:1:ab0a::1:0:0]',
    '[64:ff9b:1:ff0a:0:1::]',
    '[64:ff9b:1:ffff:a:0:100:0]',
    '[64:ff9b:1:ffff::a00:1]',
    '[64:ff9b:1::]',
    '[64:ff9b:2::808:808]',
    '[100::1]',
    '[2001::1]',
    '[2001:db8::1]',
    '[2002:7f00:1::]',
    '[fc00::1]',
    '[fd00:ec2::254]',
    '[fe80::1]',
    '[fec0::1]',
    '[ff02::1]',
  ])('%s is refused as an address, written out and behind a name', async (host) => {
    const asking = responders({
      allow: [],
      resolve: named({ 'ocsp.example': [new URL(`http://${host}/`).hostname.replace(/[[\]]/g, '')] }),
    })
    await expect(asking.ask(get(`http://${host}/`))).rejects.toEqual(refused('address-forbidden'))
    await expect(asking.ask(get('http://ocsp.example/'))).rejects.toEqual(refused('address-forbidden'))
  })

  it('one forbidden address among public ones is enough', async () => {
    const asking = responders({
      allow: [],
      resolve: named({ 'ocsp.example': ['93.184.216.34', '10.0.0.1'] }),
    })
    await expect(asking.ask(get('http://ocsp.example/'))).rejects.toEqual(
      refused('address-forbidden', /^10\.0\.0\.1$/),
    )
  })

  it.each([
    '93.184.216.34',
    '2606:2800:220:1::1',
    // Behind DNS64: RFC 6052 §2.4's example with the well-known prefix, and each cut of the local-use one (RFC 8215).
    '64:ff9b::5db8:d822',
    '64:ff9b:1::5db8:d822',
    '64:ff9b:1:ffff::5db8:d822',
    '64:ff9b:1:5db8:d8:2200::',
    '64:ff9b:1:ff5d:b8:d822::',
    '64:ff9b:1:ffff:5d:b8d8:2200:0',
  ])('the public address %s is asked', async (address) => {
    const server = await serve(good)
    const { connect, dialled } = dialling(server.port)
    const open = responders({ allow: [], resolve: named({ 'ocsp.example': [address] }), connect })
    expect((await open.ask(get('http://ocsp.example/'))).status).toBe(200)
    expect(dialled).toEqual([address])
  })

  it('an address behind DNS64 is asked where the owner lists the IPv4 one, or the range itself', async () => {
    const server = await serve(good)
    for (const allow of [['10.0.0.0/8'], ['64:ff9b::/96']]) {
      const { connect } = dialling(server.port)
      const listed = responders({ allow, resolve: named({ 'ocsp.example': ['64:ff9b::a00:1'] }), connect })
      expect((await listed.ask(get('http://ocsp.example/'))).status).toBe(200)
    }
  })

  it('what the owner lists is asked', async () => {
    const server = await serve(good)
    const listed = responders({ allow: ['127.0.0.1/32'], resolve: named({ 'ocsp.example': ['127.0.0.1'] }) })
    expect((await listed.ask(get(server.url('/', 'ocsp.example')))).status).toBe(200)
    expect(server.requests[0]?.headers.host).toBe(`ocsp.example:${server.port}`)
  })

  it('a name is judged by what is connected to, however often it changes its mind', async () => {
    const server = await serve(good)
    let asked = 0
    const rebinding: Resolve = async () => [
      { address: asked++ === 0 ? '93.184.216.34' : '127.0.0.1', family: 4 },
    ]
    const { connect, dialled } = dialling(server.port)
    const asking = responders({ allow: [], resolve: rebinding, connect })
    await asking.ask(get('http://ocsp.example/'))
    server.dropConnections()
    for (let n = 0; n < 2; n++)
      await expect(asking.ask(get('http://ocsp.example/'))).rejects.toEqual(refused('address-forbidden'))
    expect(dialled).toEqual(['93.184.216.34'])
    expect(server.requests).toHaveLength(1)
  })

  it('a range that is none is refused as configuration', () => {
    for (const allow of [['10.0.0.0/33'], ['::/129'], ['ten/8'], ['10.0.0.0']])
      expect(() => new HttpResponders({ allow })).toThrow(/configuration-invalid/)
  })
})

describe('what others named is cut before it is told', () => {
  const long = 'a'.repeat(9000)
  const told = (error: unknown) => `${(error as Error).message}`

  it('a host, of a URL, of a redirect or of an error', async () => {
    const server = await serve((_, response) =>
      response.writeHead(302, { Location: `ftp://${long}.example/` }).end(),
    )
    const asking = responders({ resolve: named({}) })
    for (const url of [`ftp://${long}/`, `http://${long}.example/`, server.url()]) {
      const error = await asking.ask(get(url)).catch((reason: unknown) => reason)
      expect(error).toMatchObject({ code: expect.stringMatching(/^(url|redirect|responder)-/) })
      expect(told(error).length).toBeLessThan(700)
    }
  })
})

describe('TLS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ticketring-responder-'))
  let secure: { key: string; cert: string }
  beforeAll(() => {
    const files = ['-keyout', join(folder, 'key'), '-out', join(folder, 'cert')]
    const made = ['-subj', '/CN=ocsp.example', '-addext', 'subjectAltName=DNS:ocsp.example', '-days', '2']
    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...made, ...files], {
      stdio: 'ignore',
    })
    secure = {
      key: readFileSync(join(folder, 'key'), 'utf8'),
      cert: readFileSync(join(folder, 'cert'), 'utf8'),
    }
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const resolve = named({ 'ocsp.example': ['127.0.0.1'], 'other.example': ['127.0.0.1'] })

  it('is verified: an authority that is not trusted, and a name that is not in the certificate', async () => {
    const server = await serve(good, secure)
    const asking = responders({ resolve })
    await expect(asking.ask(get(server.url('/', 'ocsp.example')))).rejects.toEqual(refused('responder-tls'))
    const trusting = responders({ resolve, authorities: [secure.cert] })
    await expect(trusting.ask(get(server.url('/', 'other.example')))).rejects.toEqual(
      refused('responder-tls'),
    )
    expect((await trusting.ask(get(server.url('/', 'ocsp.example')))).status).toBe(200)
  })

  it('fails by name where the other side speaks none', async () => {
    const plain = await serve(good)
    const url = plain.url('/', 'ocsp.example').replace('http:', 'https:')
    await expect(responders({ resolve }).ask(get(url))).rejects.toEqual(refused('responder-tls'))
  })

  it('fails by name where the other side ends the handshake with an alert', async () => {
    // A fatal alert, handshake_failure (RFC 5246 §7.2).
    const server = createServer((socket) => socket.end(Buffer.from('15030300020228', 'hex')))
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    closing.push(() => void server.close())
    const { port } = server.address() as AddressInfo
    await expect(responders({ resolve }).ask(get(`https://ocsp.example:${port}/`))).rejects.toEqual(
      refused('responder-tls', /alert/i),
    )
  })

  it('is where a redirect may lead to, and not where it may lead away from', async () => {
    const authorities = [secure.cert]
    const server = await serve(good, secure)
    const up = await serve((_, response) =>
      response.writeHead(302, { Location: server.url('/', 'ocsp.example') }).end(),
    )
    expect((await responders({ resolve, authorities }).ask(get(up.url()))).status).toBe(200)
    const down = await serve((_, response) => response.writeHead(302, { Location: up.url() }).end(), secure)
    const asking = responders({ resolve, authorities }).ask(get(down.url('/', 'ocsp.example')))
    await expect(asking).rejects.toEqual(refused('redirect-forbidden'))
  })

  it('is spoken over the connection that the step opens', async () => {
    const server = await serve(good, secure)
    const { connect, dialled } = dialling(server.port)
    const resolve = named({ 'ocsp.example': ['93.184.216.34'] })
    const asking = responders({ allow: [], resolve, connect, authorities: [secure.cert] })
    expect((await asking.ask(get('https://ocsp.example/'))).status).toBe(200)
    expect(dialled).toEqual(['93.184.216.34'])
    const strict = responders({ allow: [], resolve, connect })
    await expect(strict.ask(get('https://ocsp.example/'))).rejects.toEqual(refused('responder-tls'))
  })

  it('goes through a proxy as a tunnel, and is verified there too', async () => {
    const server = await serve(good, secure)
    const proxy = await serve(good)
    const tunnels: string[] = []
    proxy.onConnect((socket, _, target) => {
      tunnels.push(target)
      const out = dial(server.port, '127.0.0.1')
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      out.pipe(socket).pipe(out)
      out.on('error', () => {})
    })
    const question = get(server.url('/', 'ocsp.example'), { proxy: proxy.url() })
    const trusting = responders({ resolve, authorities: [secure.cert] })
    expect((await trusting.ask(question)).status).toBe(200)
    expect(tunnels).toEqual([`ocsp.example:${server.port}`])
    await expect(responders({ resolve }).ask(question)).rejects.toEqual(refused('responder-tls'))
  })
})

describe('a proxy of the owner', () => {
  it('is asked for the whole URL, wherever the proxy itself is', async () => {
    const proxy = await serve(good)
    const asking = responders({ allow: [], resolve: named({}) })
    expect((await asking.ask(get('http://ocsp.example/x', { proxy: proxy.url() }))).status).toBe(200)
    expect(proxy.requests[0]).toMatchObject({
      url: 'http://ocsp.example/x',
      headers: { host: 'ocsp.example' },
    })
  })

  it('is not asked for an address that no certificate may lead to', async () => {
    const proxy = await serve(good)
    const asking = responders({ allow: [], resolve: named({ 'inside.example': ['10.0.0.1'] }) })
    for (const url of ['http://169.254.169.254/', 'http://inside.example/'])
      await expect(asking.ask(get(url, { proxy: proxy.url() }))).rejects.toEqual(refused('address-forbidden'))
    expect(proxy.requests).toHaveLength(0)
  })

  it('that will not make a tunnel is named', async () => {
    const proxy = await serve(good)
    proxy.onConnect((socket) => socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n'))
    const asking = responders({ resolve: named({}) }).ask(
      get('https://ocsp.example/', { proxy: proxy.url() }),
    )
    await expect(asking).rejects.toEqual(refused('proxy-refused', /403/))
    await sleep(0)
  })

  it.each([
    [
      'wants credentials for a tunnel',
      'https://ocsp.example/',
      '407 Proxy Authentication Required',
      'proxy-refused',
    ],
    ['cannot reach the origin', 'https://ocsp.example/', '502 Bad Gateway', 'responder-unreachable'],
  ])('that %s is told apart', async (_, url, line, code) => {
    const proxy = await serve(good)
    proxy.onConnect((socket) => socket.end(`HTTP/1.1 ${line}\r\nContent-Length: 0\r\n\r\n`))
    const asking = responders({ resolve: named({}) }).ask(get(url, { proxy: proxy.url() }))
    await expect(asking).rejects.toEqual(refused(code, new RegExp(line.slice(0, 3))))
  })

  it('that wants credentials for plain HTTP is no responder that answers 407', async () => {
    const proxy = await serve((_, response) => response.writeHead(407).end())
    const asking = responders({ resolve: named({}) }).ask(get('http://ocsp.example/', { proxy: proxy.url() }))
    await expect(asking).rejects.toEqual(refused('proxy-refused', /407/))
  })

  it('that is not there is named, and not the responder alone', async () => {
    const gone = await TestServer.start(good)
    const { port } = gone
    const url = gone.url()
    await gone.close()
    const asking = responders({ resolve: named({}) }).ask(get('http://ocsp.example/', { proxy: url }))
    await expect(asking).rejects.toEqual(
      expect.objectContaining({
        code: 'responder-unreachable',
        wanted: `an answer from ocsp.example through the proxy 127.0.0.1:${port}`,
      }),
    )
  })
})
