import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Instrumenter } from '@stryker-mutator/instrumenter'
import type { Choice } from './choice.ts'
import type { Folder } from './folders.ts'

/** One change to one place of a source. */
export interface Mutant {
  readonly id: string
  /** From the project's root. */
  readonly file: string
  readonly line: number
  readonly mutator: string
  readonly original: string
  readonly replacement: string
  /** The whole source with this change. */
  readonly changed: string
}

export interface Instrumented {
  /** Sources that hold all their mutants behind switches, by file. */
  readonly sources: ReadonlyMap<string, string>
  readonly mutants: readonly Mutant[]
}

/** Texts are for people, and the words that programs read are literals of types: see docs/decisions. */
const EXCLUDED = ['StringLiteral']

const QUIET = { isDebugEnabled: () => false, debug: () => {}, info: () => {} }

/** All mutants that StrykerJS makes of these sources. */
export async function instrument({ folder, files }: Choice): Promise<Instrumented> {
  const chosen = files.length > 0 ? files : filesOf(folder)
  const texts = new Map(chosen.map((file) => [file, readFileSync(file, 'utf8')]))
  const { files: made, mutants } = await new Instrumenter(QUIET as never).instrument(
    [...texts].map(([name, content]) => ({ name, content, mutate: true })),
    { plugins: null, excludedMutations: EXCLUDED, ignorers: [] },
  )
  return {
    sources: new Map(made.map(({ name, content }) => [name, content])),
    mutants: mutants
      .filter(({ status }) => status === undefined)
      .map(({ id, fileName, location, mutatorName, replacement }) => {
        const text = texts.get(fileName) ?? ''
        const [start, end] = [offsetOf(text, location.start), offsetOf(text, location.end)]
        return {
          id,
          file: fileName,
          line: location.start.line + 1,
          mutator: mutatorName,
          original: text.slice(start, end),
          replacement,
          changed: text.slice(0, start) + replacement + text.slice(end),
        }
      }),
  }
}

function filesOf(folder: Folder): readonly string[] {
  const names = readdirSync(join('lambda', folder)).filter((name) => name.endsWith('.ts'))
  return names.sort().map((name) => join('lambda', folder, name))
}

function offsetOf(
  text: string,
  { line, column }: { readonly line: number; readonly column: number },
): number {
  const lines = text.split('\n').slice(0, line)
  return lines.reduce((sum, each) => sum + each.length + 1, 0) + column
}
