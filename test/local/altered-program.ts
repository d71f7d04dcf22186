/** Documents that carry another program than ours, as if it had been built from other sources. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildProgram } from '../../infra/program/program.ts'
import { withProgram } from '../../local/rehearsal/next-release.ts'
import { altered } from '../agent/program.ts'
import { EXAMPLE_KINDS } from '../infra/app/example.ts'

/** A text of a file of the program, and what stands in its place. */
export interface Alteration {
  readonly file: string
  readonly text: string
  readonly other: string
}

/** The template whose documents carry the altered program, and whose functions expect it. */
export function withAltered(template: unknown, { file, text, other }: Alteration): unknown {
  const scratch = mkdtempSync(join(tmpdir(), 'ticketring-altered-'))
  const program = buildProgram(altered(scratch, file, text, other))
  rmSync(scratch, { recursive: true })
  return withProgram(template, program, EXAMPLE_KINDS)
}
