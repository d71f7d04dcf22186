import { LoopbackError } from './aws-error.ts'

interface Declared {
  readonly DependsOn: readonly string[]
  readonly Properties: unknown
}

/** The order in which CloudFormation makes resources: each after all that it refers to or depends on. */
export function inCreationOrder(resources: Readonly<Record<string, Declared>>): string[] {
  const ordered = new Set<string>()
  const visit = (id: string, path: readonly string[]): void => {
    const resource = resources[id]
    if (resource === undefined || ordered.has(id)) return
    if (path.includes(id))
      throw new LoopbackError(`Circular dependency between resources: ${path.join(', ')}`)
    const { DependsOn, Properties } = resource
    for (const other of [...DependsOn, ...references(Properties)]) visit(other, [...path, id])
    ordered.add(id)
  }
  for (const id of Object.keys(resources)) visit(id, [])
  return [...ordered]
}

/** Names that `Ref`, `Fn::GetAtt` and `Fn::Sub` speak of, parameters and pseudo parameters among them. */
function references(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) => {
    if (key === 'Ref') return [String(inner)]
    if (key === 'Fn::GetAtt') return [String([inner].flat()[0]).replace(/\..*$/, '')]
    if (key === 'Fn::Sub') return [...substituted([inner].flat()[0]), ...references(inner)]
    return references(inner)
  })
}

function substituted(text: unknown): string[] {
  return [...String(text).matchAll(/\$\{([^!}.]+)[^}]*\}/g)].map(([, name = '']) => name)
}
