import { describe, expect, it } from 'vitest'
import { parseConfiguration } from '../../../infra/app/configuration.ts'
import { ownProgram } from '../../../infra/program/program.ts'
import { parseSet } from '../../../infra/stapling/configuration.ts'
import { buildStapleDocument } from '../../../infra/stapling/document.ts'
import {
  CERTIFICATE,
  type ExampleSet,
  exampleRing,
  exampleSet,
  HAPROXY_STAPLING,
  NGINX_STAPLING,
  problemsIn,
  VPC,
} from '../app/example.ts'

const problemsOf = (value: unknown) => problemsIn(value, 'ticketring.stapling[0].')

const withSet = (replaced: object) => ({
  rings: [exampleRing()],
  stapling: [{ ...exampleSet(), ...replaced }],
})
const withHaproxy = (replaced: object) =>
  withSet({ servers: { haproxy: { ...HAPROXY_STAPLING, ...replaced } } })
const withNginx = (replaced: object) => withSet({ servers: { nginx: { ...NGINX_STAPLING, ...replaced } } })
const withCertificate = (replaced: object) => withSet({ certificates: [{ ...CERTIFICATE, ...replaced }] })
const withChain = (chain: object) => withCertificate({ chain })
const secret = (name: string) => `arn:aws:secretsmanager:eu-west-1:123456789012:secret:${name}`

describe('a sound set', () => {
  const parsed = (replaced?: ExampleSet) => parseSet(exampleSet(replaced))

  it('defaults the schedule, what to do about revoked ones, and the hash that every server knows', () => {
    const { refresh, allow, certificates, servers } = parsed()
    expect(refresh).toEqual({ every: 900, least: 3600, most: 86_400 })
    expect(allow).toEqual([])
    expect(certificates).toEqual([
      { ...CERTIFICATE, hash: 'sha1', revoked: 'staple', mustStaple: 'withdraw' },
    ])
    expect(servers.nginx).toMatchObject({ test: 'nginx -t', reload: 'systemctl reload nginx' })
    expect(servers.haproxy).toMatchObject({ reload: 'systemctl reload haproxy' })
  })

  it('takes everything that may be said', () => {
    const certificate = {
      name: 'www.example.com',
      chain: {
        secret: secret('tls/www-AbCdEf'),
        field: 'chain',
        key: 'arn:aws:kms:eu-west-1:123456789012:key/a-b',
      },
      url: 'http://ocsp.internal:8080/x',
      proxy: 'http://proxy.internal:3128',
      hash: 'sha256',
      revoked: 'withhold',
      mustStaple: 'keep-until-end',
      allowSha1: true,
      maxAge: '7d',
    }
    const full = {
      servers: { nginx: NGINX_STAPLING },
      certificates: [certificate],
      refresh: { every: '10m', least: '30m', most: '12h' },
      allow: ['10.0.0.0/8', 'fd12:3456:789a::/48'],
      vpc: VPC,
    }
    expect(problemsOf(withSet(full))).toEqual([])
    expect(parsed(full)).toMatchObject({
      refresh: { every: 600, least: 1800, most: 43_200 },
      certificates: [{ ...certificate, maxAge: 604_800 }],
      allow: full.allow,
      vpc: VPC,
    })
  })

  it('reads as itself again', () => {
    const certificates = [{ ...CERTIFICATE, maxAge: '7d' }]
    const set = parsed({ certificates, vpc: VPC, refresh: { most: '2d' } })
    expect(parseSet(set)).toEqual(set)
  })

  it('needs no ring beside it, as a ring needs no set', () => {
    expect(problemsOf({ stapling: [exampleSet()] })).toEqual([])
    expect(parseConfiguration({ rings: [exampleRing()] }).stapling).toEqual([])
    expect(problemsOf({ rings: [exampleRing()], stapling: [] })).toEqual([])
    expect(problemsOf({ rings: [], stapling: [] })).toEqual([
      'ticketring.rings: wanted a list of 1 or more rings; got []',
    ])
  })
})

describe('one bent field', () => {
  it.each<[string, object, string]>([
    ['an unknown field', withSet({ ring: 'edge' }), 'ring: wanted no field but'],
    [
      "a name that looks like a ring's role",
      withSet({ name: 'x-rotation' }),
      'name: wanted a name of 1 to 29',
    ],
    ['no tag', withSet({ targets: { values: ['x'], minInstances: 1 } }), 'targets.tag: wanted a tag key'],
    ['no server', withSet({ servers: {} }), 'servers.haproxy: wanted at least one of haproxy, nginx'],
    [
      'a kind that forgets no staple',
      withSet({ servers: { nginx: NGINX_STAPLING, dnsdist: NGINX_STAPLING } }),
      'servers.dnsdist: wanted no staples there: before 1.7.4 it starts with no staple that is missing',
    ],
    [
      'a kind whose staple is part of its certificate',
      withSet({ servers: { nginx: NGINX_STAPLING, envoy: NGINX_STAPLING } }),
      'servers.envoy: wanted no staples there: its staple is part of the resource',
    ],
    [
      'no certificates',
      withSet({ certificates: [] }),
      'certificates: wanted a list of 1 or more certificates',
    ],
    [
      'no files of HAProxy',
      withHaproxy({ certificates: [] }),
      'servers.haproxy.certificates: wanted a list of 1 to 200',
    ],
    [
      'a file with a space in it',
      withHaproxy({ certificates: ['/etc/my certs'] }),
      'servers.haproxy.certificates[0]: wanted absolute paths',
    ],
    [
      'a reload with a shell in it',
      withHaproxy({ reload: 'a && b' }),
      'servers.haproxy.reload: wanted words',
    ],
    ['keys of a ring', withHaproxy({ keys: '/run/x' }), 'servers.haproxy.keys: wanted no field but'],
    [
      'a staple without its file',
      withNginx({ staples: [{ certificate: '/etc/a.pem' }] }),
      'servers.nginx.staples[0].staple: wanted an absolute path',
    ],
    [
      'a staple in the file of a certificate',
      withNginx({ staples: [{ certificate: '/etc/a.pem', staple: '/etc/a.pem' }] }),
      "servers.nginx.staples[0].staple: wanted a file of the staple's own",
    ],
    ['nothing to verify', withNginx({ verify: [] }), 'nothing proves what is stapled'],
    [
      'a certificate without a name',
      withCertificate({ name: undefined }),
      'certificates[0].name: wanted a name',
    ],
    [
      'no chain',
      withCertificate({ chain: undefined }),
      'certificates[0].chain: wanted an object with parameter',
    ],
    ['an empty chain', withChain({}), 'certificates[0].chain.parameter: wanted the name of an SSM parameter'],
    ['two chains', withChain({ parameter: '/a', secret: secret('a-AbCdEf') }), 'chain.secret: wanted absent'],
    ['a parameter that AWS reserves', withChain({ parameter: '/aws/x' }), 'chain.parameter: wanted the name'],
    ['a parameter with a wildcard', withChain({ parameter: '/tls/*' }), 'chain.parameter: wanted the name'],
    ['a field of a parameter', withChain({ parameter: '/a', field: 'x' }), 'chain.field: wanted absent'],
    ['a secret by name', withChain({ secret: 'tls/www' }), 'chain.secret: wanted the whole ARN'],
    [
      'a secret without its last characters',
      withChain({ secret: secret('tls') }),
      'chain.secret: wanted the whole',
    ],
    [
      'a key by alias',
      withChain({ parameter: '/a', key: 'alias/x' }),
      'chain.key: wanted the ARN of a KMS key',
    ],
    [
      'a URL with credentials',
      withCertificate({ url: 'http://a:b@c/' }),
      'url: wanted a URL of http or https',
    ],
    ['a URL of another kind', withCertificate({ url: 'ldap://c/' }), 'url: wanted a URL of http or https'],
    ['a proxy under TLS', withCertificate({ proxy: 'https://c/' }), 'proxy: wanted a URL of http without'],
    ['an unknown hash', withCertificate({ hash: 'md5' }), 'hash: wanted one of sha1, sha256'],
    [
      'SHA-256 with HAProxy among the servers',
      withCertificate({ hash: 'sha256' }),
      'certificates[0].hash: wanted sha1: HAProxy, which is among the servers, knows no other CertID; got "sha256"',
    ],
    ['revoked otherwise', withCertificate({ revoked: 'x' }), 'revoked: wanted one of staple, withhold'],
    ['must-staple otherwise', withCertificate({ mustStaple: true }), 'mustStaple: wanted one of withdraw'],
    ['SHA-1 by a word', withCertificate({ allowSha1: 'yes' }), 'allowSha1: wanted true or false; got "yes"'],
    ['an age as a word', withCertificate({ maxAge: 'week' }), 'maxAge: wanted a duration'],
    [
      'a look every minute',
      withSet({ refresh: { every: '1m' } }),
      'refresh.every: wanted from 5m to 1h; got "1m"',
    ],
    ['a look in odd seconds', withSet({ refresh: { every: '310s' } }), 'refresh.every: wanted whole minutes'],
    [
      'bounds the wrong way round',
      withSet({ refresh: { least: '2h', most: '1h' } }),
      'refresh.most: wanted no less than least; got "1h"',
    ],
    ['a range that is none', withSet({ allow: ['10.0.0.0/33'] }), 'allow[0]: wanted ranges of addresses'],
    ...[
      '0.0.0.0/0',
      '::/0',
      '128.0.0.0/1',
      '169.254.0.0/16',
      '169.254.169.254/32',
      '169.254.170.2/32',
      '169.254.170.23/32',
      'fd00:ec2::254/128',
      'fd00::/8',
      '::ffff:0:0/96',
      '::ffff:169.254.169.254/128',
      '64:ff9b::/96',
      '2002::/16',
    ].map((range): [string, object, string] => [
      `a range that leads to credentials, ${range}`,
      withSet({ allow: ['10.0.0.0/8', range] }),
      `allow[1]: wanted ranges of addresses such as 10.0.0.0/8 or fd12:3456:789a::/48, with no address in them that gives credentials`,
    ]),
    ['an address without bits', withSet({ allow: ['10.0.0.1'] }), 'allow[0]: wanted ranges of addresses'],
    [
      'a VPC without groups',
      withSet({ vpc: { subnetIds: VPC.subnetIds } }),
      'vpc.securityGroupIds: wanted a list of 1',
    ],
    ['a VPC by its id', withSet({ vpc: { ...VPC, vpcId: 'vpc-1' } }), 'vpc.vpcId: wanted no field but'],
    [
      'a subnet that is none',
      withSet({ vpc: { ...VPC, subnetIds: ['x'] } }),
      'vpc.subnetIds[0]: wanted ids of subnets',
    ],
    [
      'chains elsewhere',
      withSet({ chainPath: '/tls' }),
      'chainPath: wanted a path that the chain /ticketring/example',
    ],
    [
      'a path with a wildcard',
      withSet({ chainPath: '/*' }),
      'chainPath: wanted a path such as /tls; got "/*"',
    ],
  ])('%s is refused by its path, and nothing else is', (_, configuration, problem) => {
    const problems = problemsOf(configuration)
    expect(problems).toHaveLength(1)
    expect(problems[0]).toContain(problem)
  })

  it('more chains than a role can name ask for their path', () => {
    const certificates = Array.from({ length: 150 }, (_, index) => ({
      name: `c${index}`,
      chain: { parameter: `/tls/host-${index}/chain` },
    }))
    expect(problemsOf(withSet({ certificates }))).toEqual([
      'chainPath: wanted the path of all chains, such as /tls: 150 are more than a role can name one by one; got nothing',
    ])
    expect(problemsOf(withSet({ certificates, chainPath: '/tls' }))).toEqual([])
  })

  it('names that stand twice are refused at the second, of certificates and of sets', () => {
    expect(problemsOf(withSet({ certificates: [CERTIFICATE, CERTIFICATE] }))).toEqual([
      'certificates[1].name: wanted a name other than that of ticketring.stapling[0].certificates[0]; got "www"',
    ])
    expect(problemsOf({ stapling: [exampleSet(), exampleSet()] })).toEqual([
      'ticketring.stapling[1].name: wanted a name other than that of ticketring.stapling[0]; got "edge"',
    ])
  })
})

describe('a set whose files are too many for its document', () => {
  const folder = 'f'.repeat(150)
  const pairs = (count: number) =>
    Array.from({ length: count }, (_, index) => ({
      certificate: `/etc/nginx/${folder}/www-${index}.pem`,
      staple: `/run/ticketring/edge.staples/${folder}/www-${index}.ocsp`,
    }))
  const withPairs = (count: number) => withNginx({ staples: pairs(count) })

  it('is none with a hundred ordinary names', () => {
    const staples = Array.from({ length: 100 }, (_, index) => ({
      certificate: `/etc/nginx/www-${index}.example.com.pem`,
      staple: `/run/ticketring/edge.staples/www-${index}.example.com.ocsp`,
    }))
    expect(problemsOf(withNginx({ staples }))).toEqual([])
  })

  it('is refused with all the other problems, and with what to do', () => {
    const [document, topic, ...others] = problemsOf({ ...withPairs(100), alarmTopic: 'ops' }).toSorted(
      (one, other) => Number(other.startsWith('servers')) - Number(one.startsWith('servers')),
    )
    expect(document).toMatch(
      /^servers: wanted a document of at most 61000 bytes.*\/etc\/ticketring; got "\d+ bytes/,
    )
    expect(topic).toContain('ticketring.alarmTopic')
    expect(others).toEqual([])
  })

  it('is refused exactly where the document cannot be built', () => {
    const most = Array.from({ length: 100 }, (_, index) => index + 1).filter(
      (count) => problemsOf(withPairs(count)).length === 0,
    ).length
    const build = (count: number) => {
      const servers = { nginx: { ...NGINX_STAPLING, staples: pairs(count) } }
      return buildStapleDocument(parseSet(exampleSet({ servers })), ownProgram())
    }
    expect(most).toBeGreaterThan(0)
    expect(build(most).content.schemaVersion).toBe('2.2')
    expect(() => build(most + 1)).toThrow(/at most 61000 bytes/)
  })
})

it('every problem of rings and sets is named at once: of one field before those of several', () => {
  const problems = problemsOf({
    rings: [exampleRing({ name: 'Edge' })],
    stapling: [
      { ...exampleSet(), certificates: [{ name: 'a', hash: 'sha256', url: 'x' }], allow: ['x'] },
      { ...exampleSet(), name: 'inner', servers: { nginx: {} } },
    ],
    alarmTopic: 'ops',
  })
  expect(problems.map((problem) => problem.split(': wanted')[0])).toEqual([
    'ticketring.rings[0].name',
    'certificates[0].chain',
    'certificates[0].url',
    'allow[0]',
    'certificates[0].hash',
    'ticketring.stapling[1].servers.nginx.staples',
    'ticketring.stapling[1].servers.nginx.owner',
    'ticketring.stapling[1].servers.nginx.verify',
    'ticketring.alarmTopic',
  ])
})
