import { z } from 'zod'
import type { Account } from './account.ts'
import { LoopbackError } from './aws-error.ts'
import type { Output } from './cloud-formation.ts'
import { inCreationOrder } from './creation-order.ts'
import { type Identity, identify } from './resource-identity.ts'
import { CONDITIONAL, holds, refuseValues } from './template-conditions.ts'

const TEMPLATE = z.object({
  ...CONDITIONAL,
  Mappings: z.record(z.string(), z.record(z.string(), z.record(z.string(), z.unknown()))).default({}),
  Resources: z.record(
    z.string(),
    z.object({
      Type: z.string(),
      Condition: z.string().optional(),
      Properties: z.record(z.string(), z.unknown()).default({}),
      DeletionPolicy: z.enum(['Delete', 'Retain', 'RetainExceptOnCreate']).default('Delete'),
      DependsOn: z
        .union([z.string(), z.array(z.string())])
        .default([])
        .transform((ids) => [ids].flat()),
    }),
  ),
  Outputs: z
    .record(z.string(), z.object({ Value: z.unknown(), Description: z.string().default('') }))
    .default({}),
})
type Template = z.infer<typeof TEMPLATE>

/** A resource of the template with every intrinsic function worked out. */
export interface TemplateResource {
  readonly logicalId: string
  readonly type: string
  readonly identity: Identity
  readonly properties: Record<string, unknown>
  readonly deletionPolicy: 'Delete' | 'Retain' | 'RetainExceptOnCreate'
}

/** `AWS::NoValue`: the property that holds it does not exist. */
const NO_VALUE = Symbol('AWS::NoValue')

/**
 * Reads a synthesised template as CloudFormation would create it, in that order.
 * @param known what is there already: a resource keeps its identity while it keeps its name
 * @throws LoopbackError for anything it does not know: a type, an attribute, an intrinsic function.
 */
export function readTemplate(
  template: unknown,
  account: Account,
  parameters: Readonly<Record<string, string>> = {},
  known: ReadonlyMap<string, TemplateResource> = new Map(),
): TemplateResource[] {
  return readWholeTemplate(template, account, parameters, known).resources
}

/** The same, with the outputs. Pseudo parameters such as `AWS::StackName` may be given too. */
export function readWholeTemplate(
  template: unknown,
  account: Account,
  parameters: Readonly<Record<string, string>> = {},
  known: ReadonlyMap<string, TemplateResource> = new Map(),
): { readonly resources: TemplateResource[]; readonly outputs: readonly Output[] } {
  const parsed = TEMPLATE.safeParse(template)
  if (!parsed.success) throw new LoopbackError(`not a template: ${z.prettifyError(parsed.error)}`)
  const { Outputs } = parsed.data
  const resolver = new Resolver(parsed.data, account, parameters, known)
  refuseValues(parsed.data, resolver.valueOf)
  const Resources = Object.fromEntries(
    Object.entries(parsed.data.Resources).filter(([, { Condition }]) => resolver.isMade(Condition)),
  )
  const resources = inCreationOrder(Resources).flatMap((logicalId) => {
    const resource = Resources[logicalId]
    if (!resource) return []
    return {
      logicalId,
      type: resource.Type,
      identity: resolver.identity(logicalId),
      properties: resolver.resolve(resource.Properties, logicalId) as Record<string, unknown>,
      deletionPolicy: resource.DeletionPolicy,
    }
  })
  const outputs = Object.entries(Outputs).map(([key, { Value, Description }]) => ({
    key,
    value: String(resolver.resolve(Value, `Outputs.${key}`)),
    description: Description,
  }))
  return { resources, outputs }
}

class Resolver {
  readonly #template: Template
  readonly #account: Account
  readonly #parameters: Readonly<Record<string, string>>
  readonly #known: ReadonlyMap<string, TemplateResource>
  readonly #identities = new Map<string, Identity>()

  constructor(
    template: Template,
    account: Account,
    parameters: Readonly<Record<string, string>>,
    known: ReadonlyMap<string, TemplateResource>,
  ) {
    this.#known = known
    this.#template = template
    this.#account = account
    this.#parameters = parameters
  }

  /** Names may refer to other resources, so each is worked out when first asked for. */
  identity(logicalId: string): Identity {
    const known = this.#identities.get(logicalId)
    if (known) return known
    const resource = this.#template.Resources[logicalId]
    if (!resource) throw new LoopbackError(`the template has no resource ${logicalId}`)
    const property = (name: string) => {
      const value = resource.Properties[name]
      return value === undefined ? undefined : this.resolve(value, `${logicalId}.${name}`)
    }
    const made = this.#known.get(logicalId)
    const fresh = identify(
      { type: resource.Type, logicalId, stack: this.#stackName, property },
      this.#account,
    )
    const identity = made?.type === resource.Type && made.identity.name === fresh.name ? made.identity : fresh
    this.#identities.set(logicalId, identity)
    return identity
  }

  /** @returns what the parameter was given, else its default. */
  readonly valueOf = (parameter: string): string => {
    const value = this.#parameters[parameter] ?? this.#template.Parameters[parameter]?.Default
    if (value === undefined) throw new LoopbackError(`the parameter ${parameter} has no value`)
    return value
  }

  /** Whether what is made under this condition is: without one it always is. */
  isMade(condition: string | undefined): boolean {
    if (condition === undefined) return true
    const { Conditions } = this.#template
    if (!(condition in Conditions)) throw new LoopbackError(`the template has no condition ${condition}`)
    return holds(Conditions[condition], this.valueOf)
  }

  resolve(value: unknown, where: string): unknown {
    if (Array.isArray(value)) {
      return value.map((item) => this.resolve(item, where)).filter((item) => item !== NO_VALUE)
    }
    if (typeof value !== 'object' || value === null) return value
    const [name, ...others] = Object.keys(value)
    if (name !== undefined && others.length === 0 && (name === 'Ref' || name.startsWith('Fn::'))) {
      return this.#call(name, (value as Record<string, unknown>)[name], where)
    }
    const entries = Object.entries(value).map(([key, item]) => [key, this.resolve(item, where)] as const)
    return Object.fromEntries(entries.filter(([, item]) => item !== NO_VALUE))
  }

  #call(name: string, argument: unknown, where: string): unknown {
    switch (name) {
      case 'Ref':
        return this.#ref(String(argument))
      case 'Fn::GetAtt':
        return this.#attribute(argument)
      case 'Fn::Join': {
        const [separator, items] = this.#list(argument, where)
        return this.#list(items, where).map(String).join(String(separator))
      }
      case 'Fn::Sub':
        return this.#substitute(argument, where)
      case 'Fn::Select': {
        const [index, items] = this.#list(argument, where)
        return this.#list(items, where)[Number(index)]
      }
      case 'Fn::Split': {
        const [separator, text] = this.#list(argument, where)
        return String(text).split(String(separator))
      }
      case 'Fn::FindInMap': {
        const [map, first, second] = this.#list(argument, where).map(String)
        const found = this.#template.Mappings[map ?? '']?.[first ?? '']?.[second ?? '']
        if (found === undefined) throw new LoopbackError(`${where}: no mapping ${map}.${first}.${second}`)
        return found
      }
      case 'Fn::If': {
        const [condition, whole, otherwise] = Array.isArray(argument) ? argument : []
        return this.resolve(this.isMade(String(condition)) ? whole : otherwise, where)
      }
      default:
        throw new LoopbackError(`${where}: ${name} is not modelled here`)
    }
  }

  get #stackName(): string {
    return this.#parameters['AWS::StackName'] ?? 'loopback'
  }

  #list(value: unknown, where: string): unknown[] {
    const list = this.resolve(value, where)
    if (!Array.isArray(list)) throw new LoopbackError(`${where}: wanted a list, got ${JSON.stringify(list)}`)
    return list
  }

  #ref(name: string): unknown {
    const { region, id } = this.#account
    const stack = this.#stackName
    const pseudo: Record<string, unknown> = {
      'AWS::AccountId': id,
      'AWS::Region': region,
      'AWS::Partition': 'aws',
      'AWS::URLSuffix': 'amazonaws.com',
      'AWS::StackName': stack,
      'AWS::StackId': `arn:aws:cloudformation:${region}:${id}:stack/${stack}/0`,
      'AWS::NoValue': NO_VALUE,
    }
    if (name in pseudo) return pseudo[name]
    return name in this.#template.Parameters ? this.valueOf(name) : this.identity(name).ref
  }

  #attribute(argument: unknown): unknown {
    const path = Array.isArray(argument) ? argument.map(String) : String(argument).split('.')
    const [logicalId = '', ...rest] = path
    const attribute = rest.join('.')
    const value = this.identity(logicalId).attributes[attribute]
    if (value === undefined)
      throw new LoopbackError(`the attribute ${logicalId}.${attribute} is not modelled here`)
    return value
  }

  #substitute(argument: unknown, where: string): string {
    const [text, variables] = Array.isArray(argument) ? argument : [argument, {}]
    return String(text).replace(/\$\{(!?)([^}]+)\}/g, (_, literal: string, name: string) => {
      if (literal) return `\${${name}}`
      if (name in variables) return String(this.resolve(variables[name], where))
      return String(name.includes('.') ? this.#attribute(name) : this.#ref(name))
    })
  }
}
