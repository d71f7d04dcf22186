import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ownProgram } from '../infra/program/program.ts'
import { programFor } from '../infra/program/selection.ts'

/** Writes what a ring's document of these kinds of server brings: less than the sources, and quicker to start. */
export function writeDeliveredProgram(directory: string, kinds: readonly string[]): void {
  for (const { path, text } of programFor('ring', ownProgram(), kinds).sources) {
    mkdirSync(dirname(join(directory, path)), { recursive: true })
    writeFileSync(join(directory, path), text)
  }
}
