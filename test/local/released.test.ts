import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { unzipSync } from 'fflate'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Synthesis } from '../../infra/app/build-app.ts'
import { STACK_NAME } from '../../infra/app/stack-names.ts'
import { buildRelease } from '../../infra/release/build.ts'
import { readTemplate } from '../../local/aws/template.ts'
import type { Faults } from '../../local/rehearsal/faults.ts'
import { rehearseWith, synthesiseOnce } from './rehearsing.ts'

type Template = Synthesis['template']
type Ring = Synthesis['rings'][number]

const GIVEN = {
  FleetRole: 'terminators',
  // What a rehearsal's own stack is in, whatever is configured.
  Mode: 'enforce',
  PageTopic: 'arn:aws:sns:eu-west-1:123456789012:page',
  CodeBucket: 'releases',
  ServerName: 'www.example.com',
  CanaryTag: 'canary',
  CanaryValues: 'yes',
  StopOnAlarms: 'edge-5xx',
  AccessWatch: 'on',
  AccessReaders: 'audit',
}

const ACCOUNT = {
  id: '123456789012',
  region: 'eu-central-1',
  now: () => 0,
  random: (bytes: number) => new Uint8Array(bytes),
}

let synthesis: Synthesis
let forget: () => void
let released: Template
beforeAll(async () => {
  ;({ synthesis, forget } = await synthesiseOnce())
  const files = await buildRelease()
  for (const { name, data } of files) {
    if (/\d\.template\.json$/.test(name)) released = JSON.parse(Buffer.from(data).toString('utf8'))
    if (name.endsWith('.zip')) unpack(name, data)
  }
})
afterAll(() => forget())

/** Where the loopback's Lambda finds what the bucket holds. */
function unpack(name: string, data: Uint8Array): void {
  const directory = join(synthesis.assembly, `asset.${name.replace(/\.zip$/, '')}`)
  mkdirSync(directory)
  for (const [file, bytes] of Object.entries(unzipSync(data))) writeFileSync(join(directory, file), bytes)
}

/** The released ring with these parameters, and the set of staples that the rehearsal needs beside it. */
function withReleasedRing(template: Template): Template {
  const ids = Object.entries(template.Resources).filter(([id]) => id.startsWith('WebStaples'))
  const declared = Object.entries(released.Parameters as Readonly<Record<string, object>>)
  const parameters = declared.map(([name, parameter]) => [
    name,
    name in GIVEN ? { ...parameter, Default: GIVEN[name as keyof typeof GIVEN] } : parameter,
  ])
  return {
    ...released,
    Parameters: { ...(template.Parameters as object), ...Object.fromEntries(parameters) },
    Resources: { ...released.Resources, ...Object.fromEntries(ids) },
  }
}

/** Clients know a delivery by its document, whose name CloudFormation makes up here; a machine is tagged for the canary. */
function watching({ rings, ...rest }: Synthesis, template: Template): Synthesis {
  const made = readTemplate(template, ACCOUNT, { 'AWS::StackName': STACK_NAME })
  const name = made.find(
    ({ type, logicalId }) => type === 'AWS::SSM::Document' && logicalId in released.Resources,
  )
  if (name === undefined) throw new Error('wanted a document in the released template')
  const document = (ring: Ring) => ({ ...ring.document, name: name.identity.name })
  const canary = { tag: GIVEN.CanaryTag, values: [GIVEN.CanaryValues], soak: 900, stopOnAlarms: [] }
  return { ...rest, rings: rings.map((ring) => ({ ...ring, document: document(ring), canary })) }
}

describe('the released template', { timeout: 600_000 }, () => {
  it('turns the ring of a real fleet by its canary, and loses nothing', async () => {
    const template = withReleasedRing(synthesis.template)
    const faults: Faults = {
      synthesis: watching(synthesis, template),
      template: () => template,
      onStart: ({ aws }) => aws.setAlarm(GIVEN.StopOnAlarms, 'OK'),
    }
    const { report, problems, incidents } = await rehearseWith(faults, 2)
    expect(report.apiCalls).toHaveProperty('DescribeAlarms')
    expect(incidents.examples).toEqual([])
    expect(problems).toEqual([])
    expect(report).toMatchObject({ ok: true, rotations: 2, generation: 3, keyBytesFound: 0 })
  })
})
