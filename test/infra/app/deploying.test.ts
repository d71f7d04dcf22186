import { describe, expect, it } from 'vitest'
import { evaluateIdentity } from '../fleet/access.ts'
import { policiesOf } from '../fleet/policies.ts'
import { exampleRing, exampleSet } from './example.ts'
import { flat, type Resource, type Resources, synthesiseTemplate } from './synthesis.ts'

const SECRET = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:ticketring/edge-AbCdEf'
const KEY = 'arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab'
const BOTH = { rings: [exampleRing()], stapling: [exampleSet()] }
const { resources } = synthesiseTemplate(BOTH)

/** What CloudFormation creates or updates before a resource: whatever it depends on or refers to, however far. */
function precedingOf(all: Resources, id: string): ReadonlySet<string> {
  const byId = new Map(all.entries())
  const found = new Set<string>()
  const visit = (from: string): void => {
    const { DependsOn = [], ...resource } = byId.get(from) as Resource
    const text = JSON.stringify(resource)
    const referred = [...text.matchAll(/"(?:Ref|Fn::GetAtt)":\[?"([A-Za-z0-9]+)"/g)].map(([, to = '']) => to)
    for (const to of [...[DependsOn].flat(), ...referred]) {
      if (!byId.has(to) || found.has(to)) continue
      found.add(to)
      visit(to)
    }
  }
  visit(id)
  return found
}

const idsOf = (all: Resources, type: string) =>
  all.entries().flatMap(([id, { Type }]) => (Type === type ? [id] : []))

describe('a first deploy that fails', () => {
  it("fails at a fleet's role that is unknown before the ring's secret is made", () => {
    const [secret = ''] = idsOf(resources, 'AWS::SecretsManager::Secret')
    const first = [...precedingOf(resources, secret)].map((id) => flat(new Map(resources.entries()).get(id)))
    expect(first).toContainEqual(
      expect.objectContaining({
        Type: 'AWS::IAM::Policy',
        Properties: expect.objectContaining({ Roles: ['terminators'] }),
      }),
    )
  })

  it('looks for every role of the ring, each once', () => {
    const fleetRoles = ['terminators', 'hybrid']
    const all = synthesiseTemplate({ rings: [exampleRing({ fleetRoles })] }).resources
    const [secret = ''] = idsOf(all, 'AWS::SecretsManager::Secret')
    const byId = new Map(all.entries())
    const looked = [...precedingOf(all, secret)].flatMap((id) => byId.get(id)?.Properties.Roles ?? [])
    expect(looked.sort()).toEqual(['hybrid', 'terminators'])
  })

  it('leaves nothing behind: all that is retained is so on update and deletion alone', () => {
    const kept = resources.entries().flatMap(([, { DeletionPolicy }]) => DeletionPolicy ?? [])
    expect(kept.filter((policy) => policy !== 'Delete')).toEqual(Array(7).fill('RetainExceptOnCreate'))
  })
})

describe('a deploy onto what an earlier stack retained', () => {
  const existing = { secretArn: SECRET, keyArn: KEY }
  const again = synthesiseTemplate({ rings: [{ ...exampleRing(), existing }] }).resources

  it('makes neither secret nor key, and guards the secret as before', () => {
    expect(again.all('AWS::SecretsManager::Secret')).toEqual([])
    expect(again.all('AWS::KMS::Key')).toEqual([])
    const { SecretId, ResourcePolicy } = again.one('AWS::SecretsManager::ResourcePolicy').Properties
    expect(SecretId).toBe(SECRET)
    expect(ResourcePolicy).toEqual(
      resources.one('AWS::SecretsManager::ResourcePolicy').Properties.ResourcePolicy,
    )
  })

  it('lets function and machines use this secret and this key, and says which to the function', () => {
    const policies = policiesOf(again)
    const actionsOn = (policy: string, arn: string) =>
      (policies[policy] ?? []).flatMap(({ Action, Resource }) => (Resource === arn ? Action : []))
    expect(actionsOn('EdgeRotationRole/rotate', SECRET)).toContain('secretsmanager:PutSecretValue')
    expect(actionsOn('EdgeRotationRole/rotate', KEY)).toEqual(['kms:Decrypt', 'kms:GenerateDataKey'])
    expect(actionsOn('terminators/fleet', SECRET)).toEqual(['secretsmanager:GetSecretValue'])
    expect(actionsOn('terminators/fleet', KEY)).toEqual(['kms:Decrypt'])
    const { Environment } = again.lambda('ticketring-edge-rotation').Properties
    expect(JSON.stringify(Environment)).toContain(SECRET)
  })

  it("takes a key of the owner's for a new secret", () => {
    const owned = synthesiseTemplate({ rings: [{ ...exampleRing(), key: KEY }] }).resources
    expect(owned.all('AWS::KMS::Key')).toEqual([])
    expect(owned.one('AWS::SecretsManager::Secret').Properties.KmsKeyId).toBe(KEY)
  })
})

describe('a tick between two steps of a deploy', () => {
  const byId = new Map(resources.entries())
  // Those that only look send nothing.
  const functions = idsOf(resources, 'AWS::Lambda::Function').filter(
    (id) => byId.get(id)?.Properties.Handler === 'index.handler',
  )

  it('meets a function whose document is there', () => {
    expect(functions.length).toBeGreaterThan(1)
    for (const id of functions) {
      const { Properties } = new Map(resources.entries()).get(id) as Resource
      const told = JSON.stringify(Properties.Environment)
      const sent = resources
        .entries()
        .filter(([, { Type, Properties: own }]) => Type === 'AWS::SSM::Document' && told.includes(own.Name))
      expect(sent).toHaveLength(1)
      expect([...precedingOf(resources, id)]).toContain(sent[0]?.[0])
    }
  })

  it('waits for nothing that a reference makes it wait for already', () => {
    for (const id of functions) {
      const { DependsOn = [] } = new Map(resources.entries()).get(id) as Resource
      for (const each of [DependsOn].flat()) expect(idsOf(resources, 'AWS::SSM::Document')).toContain(each)
    }
  })

  it('meets no machine that ran a document which the function does not know yet', () => {
    for (const id of idsOf(resources, 'AWS::SSM::Association')) {
      const earlier = precedingOf(resources, id)
      const document =
        [...earlier].find((each) => idsOf(resources, 'AWS::SSM::Document').includes(each)) ?? ''
      const sending = functions.filter((each) => precedingOf(resources, each).has(document))
      expect(sending.length).toBeGreaterThan(0)
      for (const each of sending) expect([...earlier]).toContain(each)
    }
  })

  it.each([
    ['the document before', 'ticketring-edge-0123456789ab', 'Allowed'],
    ['the document after', 'ticketring-edge-ba9876543210', 'Allowed'],
    ["another ring's", 'ticketring-edge-b-0123456789ab', 'ImplicitlyDenied'],
    ["a set's", 'ticketring-staples-edge-0123456789ab', 'ImplicitlyDenied'],
    ["AWS's own", 'AWS-RunShellScript', 'ImplicitlyDenied'],
  ])('finds the rotation function allowed to send %s: %s, %s', async (_, document, result) => {
    const statements = policiesOf(resources)['EdgeRotationRole/rotate']
    const resource = `arn:aws:ssm:eu-west-1:123456789012:document/${document}`
    expect(await evaluateIdentity(statements, { action: 'ssm:SendCommand', resource })).toBe(result)
  })
})
