/** Documents that carry another program than ours, as if it had been built from other sources. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildProgram, ownProgram, type Program } from '../../infra/program/program.ts'
import { programText } from '../../infra/program/program-text.ts'
import { type Capability, programFor } from '../../infra/program/selection.ts'
import { altered } from '../agent/program.ts'
import { EXAMPLE_KINDS } from '../infra/app/example.ts'

/** A text of a file of the program, and what stands in its place. */
export interface Alteration {
  readonly file: string
  readonly text: string
  readonly other: string
}

/** The template whose documents carry the altered program, and whose functions expect it. */
export function withProgram(template: unknown, { file, text, other }: Alteration): unknown {
  const scratch = mkdtempSync(join(tmpdir(), 'ticketring-altered-'))
  const program = buildProgram(altered(scratch, file, text, other))
  rmSync(scratch, { recursive: true })
  const versions = CAPABILITIES.map((capability) =>
    [ownProgram(), program].map((whole) => programFor(capability, whole, EXAMPLE_KINDS).version),
  ) as [string, string][]
  const walk = (value: unknown): unknown => {
    if (typeof value === 'string')
      return versions.reduce((text, [before, after]) => text.replaceAll(before, after), value)
    if (Array.isArray(value)) return replaced(value.map(walk), program)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, walk(inner)]))
  }
  return walk(template)
}

const CAPABILITIES: readonly Capability[] = ['ring', 'staples']

/** The lines of a document with the other payload. */
function replaced(lines: readonly unknown[], program: Program): readonly unknown[] {
  const start = lines.findIndex((line) => typeof line === 'string' && isPayload(line))
  if (start < 0) return lines
  const isRing = lines.some((line) => typeof line === 'string' && line.startsWith('run("ring"'))
  const carried = payloadOf(program, isRing ? 'TICKETRING_RING' : 'TICKETRING_SET')
  return [...lines.slice(0, start), ...carried, ...lines.slice(lines.indexOf('""")') + 1)]
}

function payloadOf(program: Program, subject: 'TICKETRING_RING' | 'TICKETRING_SET'): readonly string[] {
  const parameter = { name: 'Told', description: '', default: '', allowedPattern: '' }
  const plan = { name: 'x', description: '', step: '', parameter, settings: {}, kinds: EXAMPLE_KINDS }
  const { lines } = programText({ ...plan, subject: [subject, 'x'] }, program)
  return lines.slice(lines.findIndex(isPayload), lines.indexOf('""")') + 1)
}

function isPayload(line: string): boolean {
  return line.startsWith('""", ')
}
