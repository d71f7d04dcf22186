import { SSMClient } from '@aws-sdk/client-ssm'
import { RegionInfo } from 'aws-cdk-lib/region-info'
import { describe, expect, it } from 'vitest'
import { parseConfiguration, TICKETRING } from '../../../infra/app/configuration.ts'
import { readContext } from '../../../infra/app/context.ts'
import { endpointSuffix } from '../../../infra/fleet/regions.ts'
import { parseRing } from '../../../infra/ring/configuration.ts'
import { nearestName } from '../../../lambda/kernel/nearest-name.ts'
import type { Settings } from '../../../lambda/kernel/settings.ts'
import { exampleRing, HAPROXY, NGINX, OTHER_SERVERS, problemsIn } from './example.ts'

const problemsOf = (value: unknown) => problemsIn(value, 'ticketring.rings[0].')

const SECRET = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:ticketring/edge-AbCdEf'
const KEY = 'arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab'

const TOPIC = 'arn:aws:sns:eu-west-1:123456789012:ops'

const withRing = (replaced: object) => ({ rings: [{ ...exampleRing(), ...replaced }] })
const withRotation = (rotation: object) => withRing({ rotation })
const withHaproxy = (replaced: object) => withRing({ servers: { haproxy: { ...HAPROXY, ...replaced } } })
const withNginx = (replaced: object) => withRing({ servers: { nginx: { ...NGINX, ...replaced } } })
const withTargets = (replaced: object) => withRing({ targets: { ...exampleRing().targets, ...replaced } })

const OPEN = { address: '127.0.0.1:8445', serverName: 'www.example.com' }
const GUARDED = { ...OPEN, address: '10.0.0.1:443', clientCertificate: 'required' }
const UNIX = { ...OPEN, address: 'unix:/run/haproxy/edge.sock' }
const GUARDED_BEHIND = { ...UNIX, clientCertificate: 'required' }
const CLIENT = { certificate: '/etc/haproxy/proof.pem', key: '/etc/haproxy/proof.key' }

describe('a sound configuration', () => {
  it.each<[string, object]>([
    ['guarded listeners alone, proved by a client certificate', { verify: [GUARDED], client: CLIENT }],
    ['guarded listeners alone, proved by a unix: one', { verify: [GUARDED_BEHIND] }],
    [
      'a unix: listener beside guarded ones, which no client reaches',
      { verify: [UNIX, GUARDED], client: CLIENT },
    ],
    ['a unix: listener beside open ones', { verify: [UNIX, OPEN] }],
    ...['[::1]:443', '[fd12:3456::1]:8443', '[::ffff:127.0.0.1]:443'].map((address): [string, object] => [
      `a listener at ${address}`,
      { verify: [{ ...OPEN, address }] },
    ]),
  ])('may have %s', (_, proof) => {
    const [ring] = parseConfiguration(withHaproxy(proof)).rings
    expect(ring?.servers.haproxy).toMatchObject(proof)
  })

  it('is what cdk.json carries as the example', () => {
    const { rings } = parseConfiguration(readContext().ticketring)
    expect(rings).toMatchObject([
      {
        name: 'edge',
        targets: { tag: 'ticketring', values: ['edge'], minInstances: 2 },
        fleetRoles: ['terminators'],
        rotation: { every: 14_400, ticketLifetime: 7200, maxKeyAge: 43_200, trigger: 'schedule' },
      },
    ])
  })

  it('defaults durations, sizes and the commands of nginx, all from T', () => {
    const [ring] = parseConfiguration(withRotation({ every: '1h' })).rings
    expect(ring?.rotation).toEqual({
      every: 3600,
      ticketLifetime: 1800,
      maxKeyAge: 10_800,
      trigger: 'schedule',
    })
    expect(ring?.servers.haproxy?.keySize).toBe(80)
    expect(ring?.servers.nginx).toMatchObject({
      keySize: 80,
      test: 'nginx -t',
      reload: 'systemctl reload nginx',
    })
  })

  it('is frozen to the last field', () => {
    const configuration = parseConfiguration(withRing({}))
    const frozen = (value: unknown): boolean =>
      typeof value !== 'object' ||
      value === null ||
      (Object.isFrozen(value) && Object.values(value).every(frozen))
    expect(frozen(configuration)).toBe(true)
  })

  it('reads as itself again, ring by ring', () => {
    for (const ring of parseConfiguration(withRing({})).rings) expect(parseRing(ring)).toEqual(ring)
  })

  it.each<[string, object, readonly string[]]>([
    [
      'two binds',
      { haproxy: { ...HAPROXY, verify: [OPEN, GUARDED], client: CLIENT } },
      [expect.stringContaining('servers: wanted rings of their own')],
    ],
    [
      'a unix: bind that stands for open ones',
      { haproxy: { ...HAPROXY, verify: [UNIX, GUARDED], client: CLIENT } },
      [],
    ],
    [
      'two servers of nginx',
      { nginx: { ...NGINX, verify: [OPEN, GUARDED] } },
      [expect.stringContaining('servers: wanted rings of their own')],
    ],
  ])('may have open and guarded listeners meet where machines check it: %s', (_, servers, otherwise) => {
    const checked = { mixedClientAuthentication: 'checked' }
    expect(parseConfiguration(withRing({ servers, ...checked })).rings).toMatchObject([checked])
    expect(problemsOf(withRing({ servers, mixedClientAuthentication: 'refused' }))).toEqual(otherwise)
  })

  it.each([
    ['30m', 1800],
    ['6h', 21_600],
  ])('repairs machines every %s', (repairEvery, seconds) => {
    expect(parseConfiguration(withRing({ repairEvery })).rings).toMatchObject([{ repairEvery: seconds }])
  })

  it('repairs machines every half an hour unless told, at the usual endpoints, and refuses mixed listeners', () => {
    const [ring] = parseConfiguration(withRing({})).rings
    expect(ring).toMatchObject({ repairEvery: 1800 })
    expect(ring).not.toHaveProperty('endpoints')
    expect(ring).not.toHaveProperty('mixedClientAuthentication')
  })

  it.each(RegionInfo.regions.map(({ name }) => name))(
    'may be in %s, where the SDK finds its endpoints too',
    (region) => {
      expect(parseConfiguration({ ...withRing({}), regions: [region] }).regions).toEqual([region])
      const { url } = new SSMClient({ region }).config.endpointProvider({ Region: region })
      expect(`ssm.${region}.${endpointSuffix(region)}`).toBe(url.hostname)
    },
  )

  it.each(['30m', '45m', '4h', '24h', '1d'])('takes T of %s', (every) => {
    expect(problemsOf(withRotation({ every }))).toEqual([])
  })
})

/** Each table of settings from this one on. */
function tablesBelow(fields: Settings): readonly Settings[] {
  const inner = Object.values(fields).map(({ kind }) => kind.fields ?? kind.items?.fields ?? {})
  return [fields, ...inner.flatMap(tablesBelow)]
}

it.each(
  tablesBelow(TICKETRING)
    .map(Object.keys)
    .filter(({ length }) => length > 0),
)('a setting that lacks its last letter is known for what it is meant, of %s …', (...known) => {
  expect(known.map((name) => nearestName(name.slice(0, -1), known))).toEqual(known)
})

describe('one bent field', () => {
  it.each<[string, object, string]>([
    ['no rings', { rings: [] }, 'ticketring.rings: wanted a list of 1 or more rings; got []'],
    ['an unknown field', withRing({ role: 'x' }), 'role: wanted no field but'],
    ['one that is near another', withRing({ targts: {} }), '(did you mean targets?); got "targts"'],
    ['a name in capitals', withRing({ name: 'Edge' }), 'name: wanted a name of 1 to 29'],
    ['a name too long for its role', withRing({ name: 'e'.repeat(30) }), 'name: wanted a name of 1 to 29'],
    [
      "a name that looks like another ring's role",
      withRing({ name: 'edge-rotation-x' }),
      'and without "-rotation" and "-staples"',
    ],
    ['a name of a file beside its directory', withRing({ name: 'hold' }), 'not "hold"'],
    ["a name of a set's schedules", withRing({ name: 'edge-staples' }), 'without "-rotation" and "-staples"'],
    ['no tag', withTargets({ tag: undefined }), 'targets.tag: wanted a tag key'],
    ['a reserved tag', withTargets({ tag: 'aws:autoscaling:groupName' }), 'targets.tag: wanted a tag key'],
    [
      'a tag that Run Command cannot name',
      withTargets({ tag: 'role+edge' }),
      'targets.tag: wanted a tag key',
    ],
    ['a tag too long for an association', withTargets({ tag: 't'.repeat(125) }), 'targets.tag: wanted a tag'],
    ['no tag values', withTargets({ values: [] }), 'targets.values: wanted a list of 1 to 5 tag values'],
    ['six tag values', withTargets({ values: [...'abcdef'] }), 'targets.values: wanted a list of 1 to 5'],
    ['a wildcard tag value', withTargets({ values: ['*'] }), 'targets.values[0]: wanted tag values without'],
    [
      'no machine at least',
      withTargets({ minInstances: 0 }),
      'targets.minInstances: wanted a whole number of 1',
    ],
    [
      'no share at least',
      withTargets({ minShare: 0 }),
      'targets.minShare: wanted a whole number of percent, 1',
    ],
    [
      'a share as text',
      withTargets({ minShare: '50%' }),
      'targets.minShare: wanted a whole number of percent',
    ],
    [
      'a soak that leaves no time for the others',
      withRing({ canary: { tag: 'canary', values: ['yes'], soak: '2h' } }),
      'canary.soak: wanted at most 105m, which is every less ticketLifetime and 15 minutes for the deliveries; got',
    ],
    [
      'a canary where nothing is left for a soak',
      withRing({ rotation: { every: '30m' }, canary: { tag: 'canary', values: ['yes'], soak: '1m' } }),
      'canary.soak: wanted no canary, or a longer every or a shorter ticketLifetime',
    ],
    ['more failures than machines', withTargets({ maxFailures: 101 }), 'targets.maxFailures: wanted a whole'],
    ['half a machine', withTargets({ minInstances: 1.5 }), 'targets.minInstances: wanted a whole number'],
    ['no server', withRing({ servers: {} }), 'servers.haproxy: wanted at least one of haproxy, nginx'],
    [
      'an unknown server',
      withRing({ servers: { nginx: NGINX, squid: {} } }),
      'servers.squid: wanted no field',
    ],
    ...['httpd', 'apache', 'stunnel'].map((kind): [string, object, string] => [
      `${kind}, which holds one key, beside another kind`,
      withRing({ servers: { nginx: NGINX, [kind]: NGINX } }),
      `servers.${kind}: wanted no ${kind}: it holds one ticket key`,
    ]),
    [
      'httpd alone',
      withRing({ servers: { httpd: {} } }),
      'servers.httpd: wanted no httpd: it holds one ticket key',
    ],
    ...['h2o', 'dnsdist'].map((kind): [string, object, string] => [
      `a lifetime that ${kind} exceeds, which cannot be told one`,
      withRing({ servers: { [kind]: OTHER_SERVERS[kind] }, rotation: { ticketLifetime: '119m' } }),
      `rotation.ticketLifetime: wanted 2h or more, with every of twice as much, since ${kind} announces 2h`,
    ]),
    ['a relative key file', withHaproxy({ keys: 'keys' }), 'servers.haproxy.keys: wanted an absolute path'],
    [
      'a climbing path',
      withHaproxy({ keys: '/run/../etc/x' }),
      'servers.haproxy.keys: wanted an absolute path',
    ],
    [
      'a quote in a path',
      withHaproxy({ socket: "/run/a'b" }),
      'servers.haproxy.socket: wanted an absolute path',
    ],
    ...[
      '/etc/haproxy/edge.keys',
      '/var/lib/edge.keys',
      '/tmp/edge.keys',
      '/dev/edge.keys',
      '/runner/edge.keys',
    ].map((keys): [string, object, string] => [
      `keys on a disk, ${keys}`,
      withHaproxy({ keys }),
      'servers.haproxy.keys: wanted a path below /run, /var/run or /dev/shm',
    ]),
    [
      'keys of nginx on a disk',
      withNginx({ keys: '/etc/nginx/keys' }),
      'servers.nginx.keys: wanted a path below /run, /var/run or /dev/shm',
    ],
    [
      'a key size of neither kind',
      withHaproxy({ keySize: 64 }),
      'servers.haproxy.keySize: wanted one of 80, 48',
    ],
    [
      'half of each key for one server, where another one is given them whole',
      { rings: [exampleRing({ servers: { haproxy: { ...HAPROXY, keySize: 48 }, nginx: NGINX } })] },
      'servers.haproxy.keySize: wanted 80, since another server of this ring is given whole keys',
    ],
    [
      'an owner with a space',
      withHaproxy({ owner: 'the root' }),
      'servers.haproxy.owner: wanted the user name',
    ],
    ['nothing to verify', withHaproxy({ verify: [] }), 'servers.haproxy.verify: wanted a list of 1 to 20'],
    [
      'a listener without a port',
      withNginx({ verify: [{ address: '127.0.0.1', serverName: 'a' }] }),
      'servers.nginx.verify[0].address: wanted address:port',
    ],
    [
      'a listener without a name',
      withNginx({ verify: [{ address: '127.0.0.1:1' }] }),
      'servers.nginx.verify[0].serverName: wanted a server name; got nothing',
    ],
    ...['unix:run/x', 'unix:/run/../x', 'unix:', `unix:/${'x'.repeat(95)}`, "unix:/run/x'"].map(
      (address): [string, object, string] => [
        `a listener at ${address}`,
        withNginx({ verify: [{ address, serverName: 'a' }] }),
        'servers.nginx.verify[0].address: wanted address:port or [IPv6]:port as seen on the machine, or unix:/path',
      ],
    ),
    [
      'a client certificate that is optional',
      withNginx({ verify: [{ address: '127.0.0.1:1', serverName: 'a', clientCertificate: 'optional' }] }),
      'servers.nginx.verify[0].clientCertificate: wanted one of required; got "optional"',
    ],
    [
      'a client certificate without its key',
      withNginx({ client: { certificate: '/etc/nginx/proof.pem' } }),
      'servers.nginx.client.key: wanted an absolute path',
    ],
    [
      'a guarded HAProxy listener that nothing proves',
      withHaproxy({ verify: [GUARDED] }),
      'servers.haproxy.client: wanted the client certificate that proves a guarded listener',
    ],
    [
      'guarded and open listeners on one server',
      withNginx({ verify: [GUARDED, OPEN] }),
      'servers: wanted rings of their own for listeners that demand a client certificate',
    ],
    [
      'guarded and open listeners on two servers',
      withRing({ servers: { haproxy: { ...HAPROXY, verify: [GUARDED_BEHIND] }, nginx: NGINX } }),
      'servers: wanted rings of their own for listeners that demand a client certificate',
    ],
    [
      'a command with a shell in it',
      withNginx({ reload: 'nginx; rm' }),
      'servers.nginx.reload: wanted words',
    ],
    ['a command with braces', withNginx({ test: 'nginx {{x}}' }), 'servers.nginx.test: wanted words'],
    [
      'T under half an hour',
      withRotation({ every: '29m' }),
      'rotation.every: wanted from 30m to 24h; got "29m"',
    ],
    ['T over a day', withRotation({ every: '25h' }), 'rotation.every: wanted from 30m to 24h'],
    ['T in odd seconds', withRotation({ every: '1801s' }), 'rotation.every: wanted whole minutes'],
    ['T as a word', withRotation({ every: 'daily' }), 'rotation.every: wanted a duration such as 90s'],
    [
      'three hours by Secrets Manager',
      withRotation({ every: '3h', trigger: 'secrets-manager' }),
      'rotation.every: wanted whole hours, 4 or more',
    ],
    [
      'four and a half hours by Secrets Manager',
      withRotation({ every: '270m', trigger: 'secrets-manager' }),
      'rotation.every: wanted whole hours',
    ],
    [
      'tickets that outlive half of T',
      withRotation({ every: '4h', ticketLifetime: '121m' }),
      'rotation.ticketLifetime: wanted at most half of every; got "121m"',
    ],
    [
      'keys too old before the gate can open',
      withRotation({ every: '4h', ticketLifetime: '2h', maxKeyAge: '6h' }),
      'rotation.maxKeyAge: wanted more than every and ticketLifetime together',
    ],
    [
      'an unknown trigger',
      withRotation({ trigger: 'cron' }),
      'rotation.trigger: wanted one of schedule, secrets-',
    ],
    [
      'a role that is an ARN',
      withRing({ fleetRoles: ['arn:aws:iam::1:role/x'] }),
      'fleetRoles[0]: wanted names',
    ],
    [
      'a role that stands twice',
      withRing({ fleetRoles: ['a', 'b', 'a'] }),
      'fleetRoles[2]: wanted a name other than',
    ],
    [
      'a shared role that is none of its roles',
      withRing({ sharedRole: 'other' }),
      'sharedRole: wanted a list of 1 to 20 names in fleetRoles',
    ],
    [
      'a secret of another ring to go on with',
      withRing({ existing: { secretArn: SECRET.replace('edge', 'quay'), keyArn: KEY } }),
      'existing.secretArn: wanted the whole ARN of the secret ticketring/edge, with its six last',
    ],
    [
      'a secret by an ARN without its last characters',
      withRing({ existing: { secretArn: SECRET.slice(0, -7), keyArn: KEY } }),
      'existing.secretArn: wanted the whole ARN',
    ],
    [
      'a secret without its key',
      withRing({ existing: { secretArn: SECRET } }),
      "existing.keyArn: wanted the ARN of a KMS key, in the secret's Region; got nothing",
    ],
    [
      'two keys for one secret',
      withRing({ existing: { secretArn: SECRET, keyArn: KEY }, key: KEY }),
      'key: wanted absent beside existing',
    ],
    [
      'a key by its alias',
      withRing({ key: KEY.replace('key/', 'alias/') }),
      'key: wanted the ARN of a KMS key',
    ],
    [
      'one topic beside two',
      { ...withRing({}), alarmTopic: TOPIC, alarms: { page: TOPIC } },
      'ticketring.alarmTopic: wanted absent beside alarms',
    ],
    [
      'tickets without pages',
      { ...withRing({}), alarms: { ticket: TOPIC } },
      'ticketring.alarms.page: wanted the ARN of an SNS topic, beside ticket; got nothing',
    ],
    ...['docs/runbook.md', 'ftp://a/b', 'https://a/b#c', `https://a/${'b'.repeat(500)}`].map(
      (runbookUrl): [string, object, string] => [
        `a runbook at ${runbookUrl.slice(0, 20)}`,
        { ...withRing({}), alarms: { runbookUrl } },
        'ticketring.alarms.runbookUrl: wanted a URL of http or https without #',
      ],
    ),
    [
      'days that CloudWatch does not know',
      { ...withRing({}), logs: { retentionDays: 31 } },
      'ticketring.logs.retentionDays: wanted one of 1, 3, 5, 7, 14, 30',
    ],
    [
      'logs without an end',
      { ...withRing({}), logs: { retentionDays: 9999 } },
      'ticketring.logs.retentionDays: wanted one of 1, 3',
    ],
    [
      'a key of logs that is none',
      { ...withRing({}), logs: { key: 'alias/logs' } },
      'ticketring.logs.key: wanted the ARN of a KMS key',
    ],
    ['a topic that is none', { ...withRing({}), alarmTopic: 'ops' }, 'ticketring.alarmTopic: wanted the ARN'],
    [
      'two Regions',
      { ...withRing({}), regions: ['eu-west-1', 'eu-west-2'] },
      'ticketring.regions: wanted a list of 1 Region: a ring that spans several, with a replicated secret, is not there',
    ],
    [
      'a Region that is none',
      { ...withRing({}), regions: ['Dublin'] },
      'ticketring.regions[0]: wanted a Region of one of the partitions aws, aws-us-gov, aws-cn, aws-eusc',
    ],
    ...[
      'eu-wset-1',
      'us-isox-east-1',
      'eusc-fr-east-1',
      'aws-global',
      'moon-base-1',
      'eu-west-1.evil.example',
    ].map((region): [string, object, string] => [
      `a Region whose endpoints are not known here, ${region}`,
      { ...withRing({}), regions: [region] },
      'ticketring.regions[0]: wanted a Region of one of the partitions aws, aws-us-gov, aws-cn, aws-eusc',
    ]),
    ...['29m', '15m', '361m', '7h', '1801s'].map((repairEvery): [string, object, string] => [
      `a repair every ${repairEvery}`,
      withRing({ repairEvery }),
      `repairEvery: wanted whole minutes from 30m, the least of State Manager, to 6h; got "${repairEvery}"`,
    ]),
    ...[
      'http://vpce-1.secretsmanager.eu-west-1.vpce.amazonaws.com',
      'https://secretsmanager-fips.us-east-1.amazonaws.com/',
      'https://user@example.com',
      'https://example.com?x',
      'https://[::1]',
      'secretsmanager-fips.us-east-1.amazonaws.com',
    ].map((secretsmanager): [string, object, string] => [
      `Secrets Manager at ${secretsmanager}`,
      withRing({ endpoints: { secretsmanager } }),
      'endpoints.secretsmanager: wanted an https URL of a host alone',
    ]),
    [
      'an endpoint of a service that its machines do not ask',
      withRing({ endpoints: { secretsmanager: 'https://a.example', ssm: 'https://b.example' } }),
      'endpoints.ssm: wanted no field but secretsmanager',
    ],
    [
      'a program of another origin',
      withRing({ program: 'copied' }),
      'program: wanted one of delivered, installed; got "copied"',
    ],
    [
      'listeners mixed in another way',
      withRing({ mixedClientAuthentication: 'allowed' }),
      'mixedClientAuthentication: wanted one of refused, checked; got "allowed"',
    ],
    [
      'a check with no open listener whose tickets could be tried',
      withRing({
        servers: { haproxy: { ...HAPROXY, verify: [GUARDED], client: CLIENT }, nginx: NGINX },
        mixedClientAuthentication: 'checked',
      }),
      'servers: wanted under verify of one server both listeners that demand a client certificate and',
    ],
    ...['[::1]', '[::1:443', '::1:443', '[fe80::1%eth0]:443', '[::g]:443', '[127.0.0.1]:443', '[::1]:0'].map(
      (address): [string, object, string] => [
        `a listener at ${address}`,
        withNginx({ verify: [{ address, serverName: 'a' }] }),
        'servers.nginx.verify[0].address: wanted address:port or [IPv6]:port as seen on the machine',
      ],
    ),
  ])('%s is refused by its path, and nothing else is', (_, configuration, problem) => {
    const problems = problemsOf(configuration)
    expect(problems).toHaveLength(1)
    expect(problems[0]).toContain(problem)
  })

  it('two rings of one name are refused at the second', () => {
    expect(problemsOf({ rings: [exampleRing(), exampleRing()] })).toEqual([
      'ticketring.rings[1].name: wanted a name other than that of ticketring.rings[0]; got "edge"',
    ])
  })

  it.each([undefined, null, [], 'rings', 7])('%j is no configuration at all', (value) => {
    expect(problemsOf(value)).toHaveLength(1)
  })
})

it('every problem is named at once, in the order of the file', () => {
  const problems = problemsOf({
    rings: [
      {
        ...exampleRing(),
        rotation: { every: '10m', ticketLifetime: '1h' },
        targets: { tag: 'aws:x', values: [] },
      },
      exampleRing({ name: 'inner', fleetRoles: [], servers: { nginx: { ...NGINX, keys: '/run/inner' } } }),
      exampleRing({ name: 'inner', fleetRoles: [], servers: { nginx: { ...NGINX, keys: 'relative' } } }),
    ],
    alarmTopic: 'ops',
  })
  expect(problems.map((problem) => problem.split(': wanted')[0])).toEqual([
    'targets.tag',
    'targets.values',
    'rotation.every',
    'rotation.ticketLifetime',
    'rotation.maxKeyAge',
    'ticketring.rings[2].servers.nginx.keys',
    'ticketring.rings[2].name',
    'ticketring.alarmTopic',
  ])
})
