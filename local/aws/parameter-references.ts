import { AwsError } from './aws-error.ts'
import { bindParameters, type CommandDocument, REFERENCE } from './document.ts'

/** Values of parameters by their names, as far as they are there. */
export type GetParameters = (names: readonly string[]) => Promise<ReadonlyMap<string, string>>

/**
 * What a run's values stand for: the agent asks for the parameters that they name, by the machine's own rights, and then
 * holds what came against the document's patterns.
 * @throws AwsError where it may not read one, where one is not there, or where its value does not fit.
 */
export async function resolveReferences(
  document: CommandDocument,
  bound: Readonly<Record<string, string>>,
  getParameters: GetParameters,
): Promise<Record<string, string>> {
  const references = Object.values(bound).flatMap((value) => [...value.matchAll(REFERENCE)])
  if (references.length === 0) return { ...bound }
  const found = await getParameters([...new Set(references.map(([, name = '']) => name))])
  const resolve = (_: string, name: string) => {
    const value = found.get(name)
    if (value === undefined) throw new AwsError('ParameterNotFound', '')
    return value
  }
  const given = Object.entries(bound).map(([name, value]) => [name, [value.replace(REFERENCE, resolve)]])
  return bindParameters(document, Object.fromEntries(given))
}
