import { spawnSync } from 'node:child_process'
import { App, Stack } from 'aws-cdk-lib'
import { RE2JS } from 're2js'
import { describe, expect, it } from 'vitest'
import { parseConfiguration } from '../../../infra/app/configuration.ts'
import { MOST_BYTES } from '../../../infra/fleet/document.ts'
import { ownProgram } from '../../../infra/program/program.ts'
import { checkFor, programFor } from '../../../infra/program/selection.ts'
import { ringSettings } from '../../../infra/ring/document.ts'
import { preflightContent, preflightDocuments } from '../../../infra/ring/preflight.ts'
import { TicketKeyRing } from '../../../infra/ring/ticket-key-ring.ts'
import { EXAMPLE_KINDS, exampleRing, HAPROXY, OTHER_SERVERS } from '../app/example.ts'
import { flat, synthesiseTemplate } from '../app/synthesis.ts'

/** A ring of this name, whose machines have a role of their own. */
const named = (name: string, more = {}) =>
  JSON.parse(JSON.stringify(exampleRing({ fleetRoles: ['edge-machines'], ...more })).replaceAll('edge', name))
const PREFLIGHT = 'ticketring_preflight'
const two = synthesiseTemplate({ rings: [named('edge'), named('api')] })

function linesOf(rings: readonly object[]) {
  const content = preflightContent(parseConfiguration({ rings }).rings)
  return { content, lines: content.mainSteps[0].inputs.runCommand }
}

describe('the document that looks at machines before a ring is on them', () => {
  const { content, lines } = linesOf([named('edge'), named('api')])

  it('is one for all rings of a stack, and told with the tag of the machines of each', () => {
    const { Properties } = two.resources.document(PREFLIGHT)
    expect(Properties).toMatchObject({ DocumentType: 'Command', TargetType: '/', UpdateMethod: 'Replace' })
    expect(Properties.Content).toEqual(JSON.parse(JSON.stringify(content)))
    const { EdgePreflight, ApiPreflight, EdgeTargets, ApiTargets } = flat(two.template.Outputs) as Record<
      string,
      { Value: string }
    >
    expect(EdgePreflight?.Value).toBe('<TicketringPreflightDocument>')
    expect(ApiPreflight?.Value).toBe('<TicketringPreflightDocument>')
    expect([EdgeTargets?.Value, ApiTargets?.Value]).toEqual(['ticketring = edge', 'ticketring = api'])
  })

  it('is another one where anything in it is another', () => {
    const nameIn = (rings: readonly object[]) =>
      synthesiseTemplate({ rings }).resources.document(PREFLIGHT).Properties.Name
    const hour = { rotation: { ticketLifetime: '1h' } }
    const names = [[named('edge')], [named('api')], [named('edge', hour)]].map(nameIn)
    expect(new Set(names).size).toBe(3)
    expect(names[0]).toMatch(/^ticketring_preflight-[0-9a-f]{12}$/)
  })

  it('begins with the settings that deliveries of the ring begin with', () => {
    const [edge] = parseConfiguration({ rings: [named('edge')] }).rings
    if (edge === undefined) throw new Error('no ring')
    const start = lines.indexOf('"edge": """\\')
    const settings = Object.entries(ringSettings(edge)).map(([key, value]) => `${key}=${value}`)
    expect(lines.slice(start + 1, start + 1 + settings.length + 1)).toEqual([...settings, '""",'])
  })

  it('takes the names of its rings alone, as the agent reads the pattern', () => {
    const pattern = RE2JS.compile(content.parameters.Ring?.allowedPattern ?? '')
    const taken = ['edge', 'api', 'edgy', '', 'edge|api', 'edge\n', "edge'; id #"].filter((each) =>
      pattern.matcher(each).find(),
    )
    expect(taken).toEqual(['edge', 'api'])
    expect(new Set(JSON.stringify(content).match(/\{\{[^}]*\}?\}?/g))).toEqual(new Set(['{{Ring}}']))
  })

  it('is valid sh of printable ASCII', () => {
    expect(lines.join('')).toMatch(/^[ -~]+$/)
    expect(spawnSync('sh', ['-n'], { input: lines.join('\n'), encoding: 'utf8' })).toMatchObject({
      status: 0,
      stderr: '',
    })
  })

  it('carries what a delivery does and the check, and no other kind of server', () => {
    const pathsOf = (program: { readonly sources: readonly { readonly path: string }[] }) =>
      program.sources.map(({ path }) => path)
    const looking = pathsOf(checkFor(ownProgram(), EXAMPLE_KINDS))
    const brought = pathsOf(programFor('ring', ownProgram(), EXAMPLE_KINDS))
    expect(looking.filter((path) => !brought.includes(path))).toEqual([
      'ticketring/check.py',
      'ticketring/releases.py',
    ])
  })

  it('may be sent by no function: a ring whose name begins like it would need a sign that none has', () => {
    for (const { Properties } of two.resources.all('AWS::IAM::Policy'))
      expect(JSON.stringify(Properties)).not.toContain(PREFLIGHT)
  })

  it('has room for rings of every kind of server', () => {
    const servers = { haproxy: HAPROXY, ...OTHER_SERVERS }
    const rings = Array.from({ length: 10 }, (_, at) => named(`edge${at}`, { servers }))
    const bytes = Buffer.byteLength(JSON.stringify(linesOf(rings).content))
    expect(bytes).toBeLessThan(MOST_BYTES)
  })
})

describe('rings that one document has no room for', () => {
  const label = 'long-name-of-a-listener'
  const verify = Array.from({ length: 20 }, (_, at) => ({
    address: `127.0.0.1:${10_000 + at}`,
    serverName: `${`${label}.`.repeat(8)}${at}.example.com`,
  }))
  /** With twenty long listeners of each of so many kinds of server. */
  const wide = (name: string, count: number) => {
    const kinds = Object.entries({ haproxy: HAPROXY, ...OTHER_SERVERS }).slice(0, count)
    return named(name, {
      servers: Object.fromEntries(kinds.map(([kind, each]) => [kind, { ...each, verify }])),
    })
  }

  it('share several, each told of its own', () => {
    const { template, resources } = synthesiseTemplate({
      rings: [wide('edge', 3), wide('api', 3), named('web')],
    })
    const documents = preflightDocuments(
      parseConfiguration({ rings: [wide('edge', 3), wide('api', 3), named('web')] }).rings,
    )
    const deployed = resources.all('AWS::SSM::Document').map(({ Properties }) => Properties.Name)
    expect(documents.map(({ name }) => name)).toEqual(
      deployed.filter((name) => String(name).startsWith(PREFLIGHT)),
    )
    expect(documents).toHaveLength(2)
    const told = flat(template.Outputs) as Record<string, { Value: string }>
    expect([told.EdgePreflight?.Value, told.ApiPreflight?.Value, told.WebPreflight?.Value]).toEqual([
      '<TicketringPreflightDocument>',
      '<TicketringPreflight2Document>',
      '<TicketringPreflightDocument>',
    ])
    const patterns = resources
      .all('AWS::SSM::Document')
      .flatMap(({ Properties }) => Properties.Content.parameters.Ring?.allowedPattern ?? [])
    expect(patterns).toEqual(['^(edge|web)$', '^(api)$'])
  })

  it('are refused where one alone has none', () => {
    const stack = new Stack(new App(), 'S')
    // Its own document is small, as the program is there.
    const { fleetRoles: _, ...props } = { ...wide('edge', 6), program: 'installed' }
    expect(() => new TicketKeyRing(stack, 'Ring', props)).toThrow(/settings of the ring edge/)
  })
})
