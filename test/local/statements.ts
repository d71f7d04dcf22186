import { isDeepStrictEqual } from 'node:util'
import { expect } from 'vitest'
import type { Synthesis } from '../../infra/app/build-app.ts'
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

export type Day = Readonly<Record<string, unknown>>

/** What is seen of a day, in its order. Of a day that is to differ from a usual one, the first difference is enough. */
export class Diary {
  readonly #usual: Day | undefined
  #seen: Day = {}

  constructor(usual?: Day) {
    this.#usual = usual
  }

  get seen(): Day {
    return this.#seen
  }

  note(what: string, value: unknown): void {
    this.#seen = { ...this.#seen, [what]: value }
    if (this.#usual !== undefined && !isDeepStrictEqual(value, this.#usual[what])) throw new Difference(what)
  }

  /** As the usual day goes on from there. */
  get outcome(): Day {
    return { ...this.#usual, ...this.#seen }
  }
}

class Difference extends Error {}

/** What becomes of a day once a statement is taken away. */
export async function outcomeWithout(
  { path, text }: Statement,
  { template }: Synthesis,
  usual: Day,
  day: (template: unknown, diary: Diary) => Promise<void>,
): Promise<Day> {
  if (OUT_OF_REACH.test(text)) {
    expect(path[0]).toMatch(/Undelivered/)
    return { notPlayed: true }
  }
  const diary = new Diary(usual)
  try {
    await day(without(template, path), diary)
  } catch (error) {
    if (!(error instanceof Difference)) return { refused: String(error) }
  }
  return diary.outcome
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

/** A schedule's event cannot be handed over. @returns how many such events are kept for an operator to see. */
export async function loseAnEvent(aws: LoopbackAws): Promise<number> {
  aws.faults.add({ operation: 'Invoke', when: 'before', effect: 'fail', times: 1000 })
  const [schedule] = aws.schedules.filter(({ kind }) => kind === 'schedule')
  await schedule?.fire().catch(() => {})
  return aws.history.failedEvents.length
}
