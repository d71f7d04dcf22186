import { RegionInfo } from 'aws-cdk-lib/region-info'
import { describe, expect, it } from 'vitest'
import { parseConfiguration } from '../../../infra/app/configuration.ts'
import { type ExampleRing, exampleRing, exampleSet, HAPROXY, NGINX, problemsIn } from '../app/example.ts'

const ACCOUNT = '123456789012'
const PREFIX = 'ticketring.'
const problemsOf = (value: unknown) => problemsIn(value, PREFIX)

/** The example's ring under another name, with files of its own. */
function another(replaced: ExampleRing & { readonly sharedRole?: unknown } = {}) {
  const ring = JSON.parse(JSON.stringify(exampleRing()).replaceAll('edge', 'quay'))
  return { ...ring, fleetRoles: ['quays'], ...replaced }
}

describe('two rings', () => {
  it('are refused a role of both, at each of them', () => {
    const rings = [exampleRing(), another({ fleetRoles: ['quays', 'terminators'] })]
    const wanted = (index: number) =>
      `a role other than ticketring.rings[${index}]'s, whose machines could read both rings; if they may, name it in the sharedRole of each`
    expect(problemsOf({ rings })).toEqual([
      `rings[0].fleetRoles[0]: wanted ${wanted(1)}; got "terminators"`,
      `rings[1].fleetRoles[1]: wanted ${wanted(0)}; got "terminators"`,
    ])
  })

  it.each([
    ['by name', 'terminators', 'terminators'],
    ['among others', ['terminators'], ['quays', 'terminators']],
  ])('may share a role that both say %s', (_, one, other) => {
    const second = another({ fleetRoles: ['quays', 'terminators'], sharedRole: other })
    const rings = [{ ...exampleRing(), sharedRole: one }, second]
    expect(problemsOf({ rings })).toEqual([])
    expect(parseConfiguration({ rings }).rings[0]?.sharedRole).toEqual(['terminators'])
  })

  it('share no role that one of them alone says', () => {
    const rings = [{ ...exampleRing(), sharedRole: 'terminators' }, another({ fleetRoles: ['terminators'] })]
    expect(problemsOf({ rings })).toEqual([expect.stringContaining('rings[1].fleetRoles[0]')])
  })

  it('a ring and a set may have one role: staples are public', () => {
    expect(problemsOf({ rings: [exampleRing()], stapling: [exampleSet()] })).toEqual([])
  })

  const onePlace = (servers: object, targets: object) => ({
    rings: [exampleRing(), another({ servers: servers as never, targets: targets as never })],
  })
  const target = (tag: string, ...values: string[]) => ({ tag, values, minInstances: 1 })

  it.each<[string, object, object, readonly string[]]>([
    ['of one tag value', { haproxy: HAPROXY }, target('ticketring', 'edge'), ['haproxy']],
    ['of one tag value among several', { nginx: NGINX }, target('ticketring', 'quay', 'edge'), ['nginx']],
    ['of two tags, which a machine may both have', { haproxy: HAPROXY }, target('role', 'quay'), ['haproxy']],
    [
      'by another name of the directory',
      { haproxy: { ...HAPROXY, keys: '/var/run/ticketring/edge/haproxy.keys' } },
      target('ticketring', 'edge'),
      ['haproxy'],
    ],
    [
      "where HAProxy's file is one of nginx's",
      { haproxy: { ...HAPROXY, keys: '/run/ticketring/edge/nginx.next.key' } },
      target('ticketring', 'edge'),
      ['haproxy'],
    ],
    [
      'with both servers',
      { haproxy: HAPROXY, nginx: NGINX },
      target('ticketring', 'edge'),
      ['haproxy', 'nginx'],
    ],
  ])('are refused one key file on a machine %s', (_, servers, targets, fields) => {
    expect(problemsOf(onePlace(servers, targets)).map((problem) => problem.split(';')[0])).toEqual(
      fields.map(
        (field) =>
          `rings[1].servers.${field}.keys: wanted another path than ticketring.rings[0]'s: a machine may be of both rings`,
      ),
    )
  })

  it('may name one key file on machines that no tag can bring together', () => {
    expect(problemsOf(onePlace({ haproxy: HAPROXY, nginx: NGINX }, target('ticketring', 'quay')))).toEqual([])
  })
})

describe('the Region', () => {
  const topic = (region: string) => `arn:aws:sns:${region}:${ACCOUNT}:ops`
  const inRegion = (region: string, more: object) => ({ rings: [exampleRing()], regions: [region], ...more })

  it.each(RegionInfo.regions.map(({ name }) => name))('%s is known', (name) => {
    expect(problemsOf(inRegion(name, {}))).toEqual([])
  })

  it('of an unknown partition is refused', () => {
    expect(problemsOf(inRegion('moon-sea-1', {}))).toEqual([
      expect.stringContaining('regions[0]: wanted a Region of one of the partitions'),
    ])
  })

  it('of a topic is the one deployed to, since an alarm of one Region tells none of another', () => {
    expect(problemsOf(inRegion('eu-west-1', { alarmTopic: topic('eu-west-1') }))).toEqual([])
    expect(problemsOf(inRegion('eu-west-1', { alarmTopic: topic('us-east-1') }))).toEqual([
      expect.stringContaining(
        'alarmTopic: wanted an ARN of eu-west-1, where everything else is; got "arn:aws:sns:us-',
      ),
    ])
  })

  it('of every other ARN too, and each is named', () => {
    const key = `arn:aws:kms:us-east-1:${ACCOUNT}:key/a-b`
    const chain = { secret: `arn:aws:secretsmanager:us-east-1:${ACCOUNT}:secret:tls-AbCdEf`, key }
    const stapling = [exampleSet({ certificates: [{ name: 'www', chain }] })]
    const rings = [{ ...exampleRing(), key }]
    const paths = problemsOf({ ...inRegion('eu-west-1', { stapling }), rings }).map(
      (each) => each.split(':')[0],
    )
    expect(paths).toEqual([
      'rings[0].key',
      'stapling[0].certificates[0].chain.secret',
      'stapling[0].certificates[0].chain.key',
    ])
  })

  it('is one for all ARNs even where the owner has not said which', () => {
    const key = `arn:aws:kms:us-east-1:${ACCOUNT}:key/a-b`
    const rings = [{ ...exampleRing(), key }]
    expect(problemsOf({ rings, alarmTopic: topic('us-east-1') })).toEqual([])
    expect(problemsOf({ rings, alarmTopic: topic('eu-west-1') })).toHaveLength(1)
  })

  it("is the CLI's where the configuration names none", () => {
    const read = (configuration: object, region: string) => () =>
      parseConfiguration(configuration, { region })
    const bare = { rings: [exampleRing()], alarmTopic: topic('eu-west-1') }
    expect(read(bare, 'eu-west-1')).not.toThrow()
    expect(read(bare, 'us-east-1')).toThrow(/alarmTopic: wanted an ARN of us-east-1/)
    expect(read({ ...bare, regions: ['eu-west-1'] }, 'us-east-1')).not.toThrow()
    expect(read({ rings: [exampleRing()] }, 'moon-sea-1')).toThrow(/wanted a Region of one of the partitions/)
  })
})
