import { type Dirent, readdirSync, readFileSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Traced } from './exec-trace.ts'
import type { Place } from './key-search.ts'

/** Folders that hold other people's files by the thousand. */
const FOREIGN = new Set(['node_modules', '.git'])

/** The part of the loopback AWS that keeps what it was told. */
export interface Remains {
  readonly history: {
    readonly commands: readonly ({ readonly id: string; readonly invocations: readonly Output[] } & Fields)[]
    readonly associations: readonly Output[]
    readonly logs: readonly { readonly functionName: string; readonly text: string }[]
  }
  readonly resources: {
    readonly functions: readonly { readonly name: string; readonly environment: Fields }[]
  }
}

type Fields = object

interface Output {
  readonly instance: string
  readonly stdout: string
  readonly stderr: string
}

/** Everything that a run left outside Secrets Manager, the functions' memory and the tmpfs. */
export function* placesOf(
  aws: Remains,
  traced: readonly Traced[],
  folders: readonly string[],
  since: number,
): Generator<Place> {
  yield* historyPlaces(aws)
  for (const { label, text } of traced) {
    yield { kind: 'process argument or environment', where: label, content: text }
  }
  for (const folder of folders) yield* filesIn(folder, since)
  yield* temporaryFiles(since)
}

function* historyPlaces({ history, resources }: Remains): Generator<Place> {
  for (const { invocations, id, ...command } of history.commands) {
    yield { kind: 'command history', where: id, content: bytesOf(command) }
    for (const run of invocations) {
      yield {
        kind: 'command output',
        where: `${id} at ${run.instance}`,
        content: bytesOf(`${run.stdout}\n${run.stderr}`),
      }
    }
  }
  for (const run of history.associations) {
    yield {
      kind: 'command output',
      where: `association at ${run.instance}`,
      content: bytesOf(`${run.stdout}\n${run.stderr}`),
    }
  }
  for (const [index, { functionName, text }] of history.logs.entries()) {
    yield { kind: 'log', where: `line ${index + 1} of ${functionName}`, content: bytesOf(text) }
  }
  for (const { name, environment } of resources.functions) {
    yield { kind: 'function environment', where: name, content: bytesOf(environment) }
  }
}

function bytesOf(value: unknown): Buffer {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
}

/** Files under `folder` that were written since then: older ones cannot hold a key of this run. */
function* filesIn(folder: string, since: number): Generator<Place> {
  for (const entry of entriesOf(folder)) {
    const path = join(folder, entry.name)
    if (entry.isDirectory() && !FOREIGN.has(entry.name)) yield* filesIn(path, since)
    if (entry.isFile()) yield* fileAt(path, since)
  }
}

/** None of a folder that has gone meanwhile or is not ours to read. */
function entriesOf(folder: string): readonly Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch {
    return []
  }
}

/** Only the files at the top: the folders there belong to others, or are named by the caller. */
function* temporaryFiles(since: number): Generator<Place> {
  for (const entry of entriesOf(tmpdir())) {
    if (entry.isFile()) yield* fileAt(join(tmpdir(), entry.name), since)
  }
}

function* fileAt(path: string, since: number): Generator<Place> {
  const content = readRecent(path, since)
  if (content !== undefined) yield { kind: 'file', where: path, content }
}

/** Undefined for a file that is old, has gone meanwhile or is not ours to read. */
function readRecent(path: string, since: number): Buffer | undefined {
  try {
    return statSync(path).mtimeMs < since ? undefined : readFileSync(path)
  } catch {
    return undefined
  }
}
