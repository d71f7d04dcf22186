import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Synthesis, synthesise } from '../../../infra/app/build-app.ts'

export interface Resource {
  readonly Type: string
  // biome-ignore lint/suspicious/noExplicitAny: a template's properties are read by path in assertions
  readonly Properties: any
  readonly DeletionPolicy?: string
  readonly UpdateReplacePolicy?: string
  readonly DependsOn?: string | readonly string[]
}

/** Synthesises without bundling: the template alone. */
export function synthesiseTemplate(
  configuration: unknown,
): Synthesis & { readonly resources: Resources; readonly watched: Resources } {
  const outdir = mkdtempSync(join(tmpdir(), 'ticketring-infra-'))
  try {
    const synthesis = synthesise(configuration, outdir, { bundle: false })
    const resources = new Resources(synthesis.template.Resources)
    return { ...synthesis, resources, watched: new Resources(synthesis.watch.Resources) }
  } finally {
    rmSync(outdir, { recursive: true })
  }
}

/** A template's resources, found by type. */
export class Resources {
  readonly #all: Readonly<Record<string, Resource>>

  constructor(all: Readonly<Record<string, unknown>>) {
    this.#all = all as Readonly<Record<string, Resource>>
  }

  entries(): readonly (readonly [string, Resource])[] {
    return Object.entries(this.#all)
  }

  /** All but the dashboard, which shows every ring and set, and the document that looks for every ring. */
  unshared(): readonly (readonly [string, Resource])[] {
    return this.entries().filter(
      ([id, { Type }]) => Type !== 'AWS::CloudWatch::Dashboard' && !id.startsWith('TicketringPreflight'),
    )
  }

  all(type: string): readonly Resource[] {
    return this.entries()
      .map(([, resource]) => resource)
      .filter((resource) => resource.Type === type)
  }

  /** The function of this name. */
  lambda(name: string): Resource {
    const found = this.all('AWS::Lambda::Function').find(({ Properties }) => Properties.FunctionName === name)
    if (found === undefined) throw new Error(`wanted a function ${name}`)
    return found
  }

  /** Where the function of this name logs. */
  logGroupOf(name: string): Resource {
    const { Ref } = this.lambda(name).Properties.LoggingConfig.LogGroup
    const [, found] = this.entries().find(([id]) => id === Ref) ?? []
    if (found === undefined) throw new Error(`wanted a log group of ${name}`)
    return found
  }

  /** The document whose name is this and a hash. */
  document(head: string): Resource {
    const isNamed = ({ Properties: { Name } }: Resource) => Name.replace(/-[0-9a-f]{12}$/, '') === head
    const [found, ...others] = this.all('AWS::SSM::Document').filter(isNamed)
    if (found === undefined || others.length > 0) throw new Error(`wanted one document ${head}`)
    return found
  }

  /** The only resource of its type. */
  one(type: string): Resource {
    const [found, ...others] = this.all(type)
    if (found === undefined || others.length > 0) throw new Error(`wanted one ${type}`)
    return found
  }
}

/** A template value with its references written as `<Name>`, so that an ARN reads as one. */
export function flat(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(flat)
  if (typeof value !== 'object' || value === null) return value
  const [[operator, operand] = ['', undefined], ...others] = Object.entries(value)
  if (others.length === 0 && operator === 'Ref') return `<${nameOf(String(operand))}>`
  if (others.length === 0 && operator === 'Fn::GetAtt')
    return `<${(operand as string[]).map(nameOf).join('.')}>`
  if (others.length === 0 && operator === 'Fn::Join')
    return (flat((operand as unknown[])[1]) as string[]).join('')
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, flat(each)]))
}

/** A logical id without the hash that CDK appends. */
function nameOf(logicalId: string): string {
  return logicalId.replace(/[0-9A-F]{8}$/, '')
}
