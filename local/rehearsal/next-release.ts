/** Documents that carry another program than ours, as if it had been built from other sources. */
import type { SynthesisedRing } from '../../infra/app/build-app.ts'
import { ownProgram, type Program, programOf } from '../../infra/program/program.ts'
import { programText } from '../../infra/program/program-text.ts'
import { type Capability, programFor } from '../../infra/program/selection.ts'

const SUBJECTS = { ring: 'TICKETRING_RING', staples: 'TICKETRING_SET' } as const satisfies Record<
  Capability,
  string
>

/** Of a ring alone: no set's document has it. */
const MODULE = 'ticketring/ring.py'

export interface Release {
  readonly template: unknown
  /** What its ring's result lines name. */
  readonly script: string
}

/** As the next release of this project would be deployed: its ring's document has another program, and so another name. */
export function nextRelease(
  template: unknown,
  { servers, document }: Pick<SynthesisedRing, 'servers' | 'document'>,
): Release {
  const sources = ownProgram().sources.map(({ path, text }) => ({
    path,
    text: path === MODULE ? `${text}RELEASE = "next"\n` : text,
  }))
  const program = programOf(sources)
  const kinds = Object.keys(servers)
  const changed = JSON.stringify(withProgram(template, program, kinds))
  const name = `${document.name.slice(0, -12)}${program.hash.slice(-12)}`
  return {
    template: JSON.parse(changed.replaceAll(document.name, name)),
    script: programFor('ring', program, kinds).version,
  }
}

/** The template whose documents carry this program for these kinds of server, and whose functions expect it. */
export function withProgram(template: unknown, program: Program, kinds: readonly string[]): unknown {
  const changes = (['ring', 'staples'] as const).flatMap((capability) => {
    const [before, after] = [ownProgram(), program].map(
      (whole) => programFor(capability, whole, kinds).version,
    )
    return before === after ? [] : [{ capability, before: before as string, after: after as string }]
  })
  const replaced = (lines: readonly unknown[]): readonly unknown[] => {
    const change = changes.find(({ after }) => lines.some((line) => `${line}`.includes(after)))
    return change === undefined ? lines : carrying(lines, payloadOf(program, change.capability, kinds))
  }
  const walk = (value: unknown): unknown => {
    if (typeof value === 'string')
      return changes.reduce((text, { before, after }) => text.replaceAll(before, after), value)
    if (Array.isArray(value)) return replaced(value.map(walk))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, walk(inner)]))
  }
  return walk(template)
}

/** The lines of a document with the other payload; others as they are. */
function carrying(lines: readonly unknown[], payload: readonly string[]): readonly unknown[] {
  const start = lines.findIndex((line) => typeof line === 'string' && isPayload(line))
  if (start < 0) return lines
  return [...lines.slice(0, start), ...payload, ...lines.slice(lines.indexOf('""")') + 1)]
}

function payloadOf(program: Program, capability: Capability, kinds: readonly string[]): readonly string[] {
  const parameter = { name: 'Told', description: '', default: '', allowedPattern: '' }
  const plan = { name: 'x', description: '', step: '', parameter, settings: {}, kinds }
  const { lines } = programText({ ...plan, subject: [SUBJECTS[capability], 'x'] }, program)
  return lines.slice(lines.findIndex(isPayload), lines.indexOf('""")') + 1)
}

function isPayload(line: string): boolean {
  return line.startsWith('""", ')
}
