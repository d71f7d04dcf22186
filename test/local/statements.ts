import { expect } from 'vitest'
import type { Synthesis } from '../../infra/build-app.ts'
import type { LoopbackAws } from '../../local/aws/loopback.ts'

type Resources = Synthesis['template']['Resources']

/** A statement of a policy, or a permission of a function, in a template. */
export interface Statement {
  readonly path: readonly string[]
  /** Its path in words, for a test's name. */
  readonly where: string
  readonly text: string
}

export function statementsOf({ template: { Resources } }: Pick<Synthesis, 'template'>): readonly Statement[] {
  const paths: string[][] = []
  const walk = (value: unknown, path: string[]): void => {
    if (typeof value !== 'object' || value === null) return
    for (const [key, inner] of Object.entries(value)) {
      if (key === 'Statement' && Array.isArray(inner))
        paths.push(...inner.map((_, n) => [...path, key, String(n)]))
      else walk(inner, [...path, key])
    }
  }
  walk(Resources, [])
  const permissions = Object.entries(Resources).filter(([, each]) => {
    return (each as { Type: string }).Type === 'AWS::Lambda::Permission'
  })
  return [...paths, ...permissions.map(([id]) => [id])].map((path) => ({
    path,
    where: path.join('/'),
    text: JSON.stringify(path.reduce<unknown>((value, step) => (value as Resources)[step], Resources)),
  }))
}

/** A queue's demand for TLS cannot be met or broken over a loopback's plain HTTP: test/infra asserts it. */
const OUT_OF_REACH = /sqs:\*/

/** What becomes of a day once a statement is taken away. */
export async function outcomeWithout(
  { path, text }: Statement,
  { template }: Synthesis,
  day: (template: unknown) => Promise<Record<string, unknown>>,
): Promise<Record<string, unknown>> {
  if (OUT_OF_REACH.test(text)) {
    expect(path[0]).toMatch(/Undelivered/)
    return { notPlayed: true }
  }
  return day(without(template, path)).catch((error: Error) => ({ refused: error.message }))
}

function without(template: Synthesis['template'], path: readonly string[]): unknown {
  const copy = structuredClone(template)
  let parent = copy.Resources as Record<string, unknown> | unknown[]
  for (const step of path.slice(0, -1)) parent = parent[step as keyof typeof parent] as typeof parent
  const last = path.at(-1) ?? ''
  if (Array.isArray(parent)) parent.splice(Number(last), 1)
  else delete parent[last]
  return copy
}

/** Whether a function could not write its log. */
export function isSilenced({ history }: LoopbackAws): boolean {
  return history.logs.some(({ text }) => text.includes('may not write'))
}

/** A schedule's event cannot be handed over. @returns how many such events are kept for somebody to see. */
export async function loseAnEvent(aws: LoopbackAws): Promise<number> {
  aws.faults.add({ operation: 'Invoke', when: 'before', effect: 'fail', times: 1000 })
  const [schedule] = aws.schedules.filter(({ kind }) => kind === 'schedule')
  await schedule?.fire().catch(() => {})
  return aws.history.failedEvents.length
}
