import { describe, expect, it } from 'vitest'
import { exampleRing } from '../app/example.ts'
import { synthesiseTemplate } from '../app/synthesis.ts'

const synthesised = (changes: object) => synthesiseTemplate({ rings: [{ ...exampleRing(), ...changes }] })
const leaving = synthesised({ offboard: true })
const staying = synthesised({})

/** Documents by their names' heads. */
const documents = ({ resources }: typeof leaving) =>
  resources
    .all('AWS::SSM::Document')
    .map(({ Properties }) => Properties.Name.replace(/-[0-9a-f]{12}$/, ''))
    .sort()

describe('a ring that is taken off its machines', () => {
  it('is woken by no schedule any more, and State Manager runs nothing', () => {
    const states = leaving.resources.all('AWS::Scheduler::Schedule').map(({ Properties }) => Properties.State)
    expect(states).toEqual(['DISABLED', 'DISABLED'])
    expect(leaving.resources.all('AWS::SSM::Association')).toEqual([])
  })

  it('is turned by Secrets Manager no more', () => {
    const rotation = { trigger: 'secrets-manager', every: '4h' }
    const { resources } = synthesised({ offboard: true, rotation })
    expect(resources.all('AWS::SecretsManager::RotationSchedule')).toEqual([])
    expect(synthesised({ rotation }).resources.all('AWS::SecretsManager::RotationSchedule').length).toBe(1)
  })

  it('keeps its secret, its key and its functions, and has a document that removes what was delivered', () => {
    const kept = ['AWS::SecretsManager::Secret', 'AWS::KMS::Key', 'AWS::Lambda::Function']
    for (const type of kept)
      expect(leaving.resources.all(type).length, type).toBe(staying.resources.all(type).length)
    expect(documents(leaving)).toEqual(['ticketring-edge', 'ticketring-edge_offboard'])
  })

  it('tells the document and the tag of its machines', () => {
    const { EdgeOffboard, EdgeTargets, EdgeServers } = leaving.template.Outputs as Record<
      string,
      { Value: unknown }
    >
    expect(EdgeOffboard?.Value).toEqual({ Ref: expect.stringContaining('Offboard') })
    expect([EdgeTargets?.Value, EdgeServers?.Value]).toEqual(['ticketring = edge', 'haproxy,nginx'])
  })
})

describe('a ring that stays', () => {
  it('has its schedules and its association, and of documents those that bring and look', () => {
    const states = staying.resources.all('AWS::Scheduler::Schedule').map(({ Properties }) => Properties.State)
    expect(states).toEqual([undefined, undefined])
    expect(staying.resources.all('AWS::SSM::Association').length).toBe(1)
    expect(documents(staying)).toEqual(['ticketring-edge', 'ticketring_preflight'])
  })
})
