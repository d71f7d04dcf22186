import { type CommandDocument, parseDocument } from './document.ts'
import type { FunctionDeployment } from './function-environment.ts'
import {
  readAssociation,
  readFunction,
  readRotation,
  readSchedule,
  readSecret,
  retriesOf,
  type Surroundings,
} from './resource-readers.ts'
import type { Association } from './state-manager.ts'
import type { TemplateResource } from './template.ts'

export interface DeclaredSecret {
  readonly logicalId: string
  readonly name: string
  readonly arn: string
  readonly keyArn: string | undefined
  readonly value: string
  readonly tags: Record<string, string>
}

export interface DeclaredSchedule {
  readonly logicalId: string
  readonly name: string
  readonly enabled: boolean
  /** Seconds. */
  readonly period: number
  readonly window: number
  readonly group: string
  readonly target: {
    readonly arn: string
    readonly role: string
    readonly input: string
    readonly retryAttempts: number
    /** ARN of the queue for events that no retry could deliver. */
    readonly deadLetters: string | undefined
  }
}

export interface DeclaredRotation {
  readonly logicalId: string
  readonly secret: string
  readonly functionArn: string
  readonly expression: string | undefined
  readonly immediately: boolean
}

/** The part of a template that does something. */
export interface Stack {
  readonly secrets: readonly DeclaredSecret[]
  readonly functions: readonly FunctionDeployment[]
  readonly documents: readonly CommandDocument[]
  readonly associations: readonly Association[]
  readonly schedules: readonly DeclaredSchedule[]
  readonly rotations: readonly DeclaredRotation[]
  readonly parameters: readonly { logicalId: string; name: string; type: string; value: string }[]
  readonly roles: readonly { logicalId: string; name: string; arn: string }[]
}

/** @throws LoopbackError naming the resource that uses what is not modelled. */
export function readStack(resources: readonly TemplateResource[], around: Surroundings): Stack {
  const of = (type: string) => resources.filter((resource) => resource.type === type)
  const documents = of('AWS::SSM::Document').map(({ logicalId, identity, properties }) =>
    parseDocument(logicalId, identity.name, properties.Content),
  )
  return {
    documents,
    secrets: of('AWS::SecretsManager::Secret').map((resource) => readSecret(resource, around.account)),
    functions: of('AWS::Lambda::Function').map((resource) =>
      readFunction(resource, around, retriesOf(resource, of('AWS::Lambda::EventInvokeConfig'))),
    ),
    associations: of('AWS::SSM::Association').map((resource) => readAssociation(resource, documents)),
    schedules: of('AWS::Scheduler::Schedule').map(readSchedule),
    rotations: of('AWS::SecretsManager::RotationSchedule').map(readRotation),
    parameters: of('AWS::SSM::Parameter').map(({ logicalId, identity }) => {
      const { Type = '', Value = '' } = identity.attributes
      return { logicalId, name: identity.name, type: Type, value: Value }
    }),
    roles: of('AWS::IAM::Role').map(({ logicalId, identity }) => ({
      logicalId,
      name: identity.name,
      arn: identity.attributes.Arn ?? '',
    })),
  }
}
