/** The copy of a user's configuration on a machine of the rehearsal. */
import { join } from 'node:path'
import type { Machine } from '../machines/machine.ts'
import { RehearsalError } from '../rehearsal-error.ts'
import type { Findings } from './findings.ts'
import type { Places } from './places.ts'

/** More than these say that it is another kind of file. */
const MOST_REFUSED = 20

/**
 * What is to be said of a configuration before it is rehearsed.
 * @throws RehearsalError with all that keeps it from that.
 */
export function settled(file: string, findings: Findings): readonly string[] {
  const { refused, added, said, leftOut } = findings
  const shown = refused.slice(0, MOST_REFUSED)
  const more = refused.length > MOST_REFUSED ? [`and ${refused.length - MOST_REFUSED} more`] : []
  if (refused.length > 0)
    throw new RehearsalError(
      `${file} cannot be rehearsed as it is:\n${indented([...shown, ...more]).join('\n')}`,
      'Change that in a copy, and name the copy. What is not known to make no connection is refused',
    )
  const lines = added.length === 0 ? [] : ['lines that it lacks, which the copy has:', ...indented(added)]
  return [
    `${file}: its addresses are moved to loopback, every backend is a server of the rehearsal's`,
    ...leftOut,
    ...said,
    ...lines,
  ]
}

function indented(lines: readonly string[]): readonly string[] {
  return lines.map((line) => `  ${line}`)
}

export function placesOf(machine: Machine, keys: string): Places {
  const { own, directory, pki } = machine
  if (own === undefined) throw new Error(`${machine.id} has no configuration of the user's`)
  return {
    ports: own.ports,
    backend: own.backend,
    file: (name) => join(directory, name),
    keys,
    certificate: (names) => pki.issue(names),
    root: pki.root,
  }
}

/** A file of the copy, and which of the user's it comes from. */
export interface Copied {
  readonly copy: string
  readonly file: string
  /** By line of the copy: of another file where it says so. */
  readonly lines: readonly { readonly line?: number; readonly file?: string }[]
}

/** What a server's own test says of a copy, with the user's files and lines in place of the copy's. */
export function inUsersLines(said: string, copies: readonly Copied[]): string {
  return copies.reduce((text, { copy, file, lines }) => {
    const [first = '', ...others] = text.split(copy)
    return others.reduce((before, part) => {
      const [number = ''] = /^:\d+/.exec(part) ?? []
      const { line, file: included = file } = lines[Number(number.slice(1)) - 1] ?? {}
      return `${before}${included}${line === undefined ? '' : `:${line}`}${part.slice(number.length)}`
    }, first)
  }, said)
}
