import { createHash, type Hash } from 'node:crypto'
import {
  cpSync,
  type Dirent,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Synthesis } from '../../infra/app/build-app.ts'
import { HOME } from './project-root.ts'
import type { StackPlan } from './stack-plan.ts'

/** What a synthesis reads of this project, besides the JSON files at its root. */
const SOURCES = ['agent', 'infra', 'lambda', 'local']
/** What Node, the CDK and the bundler are told by variables. */
const VARIABLES = /^(CDK|ESBUILD|JSII|NODE|TSX)_/
/** Stacks that are kept, of a megabyte each. */
const MOST = 8

/**
 * Stacks that were synthesised before, each under a digest of all that goes into one: of the same a rehearsal is spared
 * seconds of the CDK. Below node_modules, which `npm ci` makes anew.
 */
export class SynthesisCache {
  readonly #home: string
  readonly #folder: string

  constructor(home = HOME) {
    this.#home = home
    this.#folder = join(home, 'node_modules', '.cache', 'ticketring')
  }

  /** The stack of this plan with its assembly in `outdir`: one that is kept, or else the one that is made there. */
  async obtain(plan: StackPlan, outdir: string, make: () => Promise<Synthesis>): Promise<Synthesis> {
    const digest = this.#digestIfKnown(plan)
    const known = digest && this.find(digest, outdir)
    if (known) return known
    const made = await make()
    // What was changed meanwhile may have gone into it.
    if (digest && this.#digestIfKnown(plan) === digest) this.keep(digest, made)
    return made
  }

  /** Undefined where something cannot be looked at: another user's file, a link that leads nowhere or to a folder. */
  #digestIfKnown(plan: StackPlan): string | undefined {
    try {
      return this.digest(plan)
    } catch {
      return undefined
    }
  }

  /** Sources and configuration by their content, installed packages by size and time of change of each file. */
  digest(plan: StackPlan, variables: Readonly<NodeJS.ProcessEnv> = process.env): string {
    const told = Object.entries(variables).filter(([name]) => VARIABLES.test(name))
    const hash = createHash('sha256')
    hash.update(JSON.stringify([plan, process.version, process.arch, told.sort()]))
    for (const path of this.sources()) addContent(hash, path)
    for (const path of filesBelow(join(this.#home, 'node_modules'), ({ name }) => !name.startsWith('.')))
      addChange(hash, path)
    return hash.digest('hex')
  }

  /** What a synthesis may read of this project. */
  *sources(): Generator<string> {
    for (const entry of entriesOf(this.#home))
      if (entry.isFile() && entry.name.endsWith('.json')) yield join(this.#home, entry.name)
    for (const folder of SOURCES) yield* filesBelow(join(this.#home, folder))
  }

  /** The stack of this digest with its assembly in `outdir`, or undefined: then nothing is there. */
  find(digest: string, outdir: string): Synthesis | undefined {
    const entry = join(this.#folder, digest)
    if (!existsSync(entry)) return undefined
    try {
      cpSync(join(entry, 'cdk.out'), outdir, { recursive: true })
      return { ...JSON.parse(readFileSync(join(entry, 'synthesis.json'), 'utf8')), assembly: outdir }
    } catch {
      // Another rehearsal has just removed it.
      rmSync(outdir, { recursive: true, force: true })
      return undefined
    }
  }

  /** Does not throw: where it cannot be written, the next rehearsal synthesises again. */
  keep(digest: string, synthesis: Synthesis): void {
    try {
      this.#write(digest, synthesis)
      this.#prune()
    } catch {
      // A full disk, or another user's folder.
    }
  }

  /** Renamed once it is whole. */
  #write(digest: string, { assembly, ...synthesis }: Synthesis): void {
    mkdirSync(this.#folder, { recursive: true })
    const making = mkdtempSync(join(this.#folder, 'new-'))
    try {
      cpSync(assembly, join(making, 'cdk.out'), { recursive: true })
      writeFileSync(join(making, 'synthesis.json'), JSON.stringify(synthesis))
      renameSync(making, join(this.#folder, digest))
    } finally {
      rmSync(making, { recursive: true, force: true })
    }
  }

  #prune(): void {
    const made = entriesOf(this.#folder).map(({ name }) => {
      const path = join(this.#folder, name)
      return { path, at: lstatSync(path).mtimeMs }
    })
    const old = made.toSorted((one, other) => other.at - one.at).slice(MOST)
    for (const { path } of old) rmSync(path, { recursive: true, force: true })
  }
}

/** By name: the order of a folder's entries is the file system's. */
function entriesOf(folder: string): readonly Dirent[] {
  if (!existsSync(folder)) return []
  const entries = readdirSync(folder, { withFileTypes: true })
  return entries.toSorted((one, other) => (one.name < other.name ? -1 : 1))
}

/** Without what Python and a rehearsal leave beside the sources. @param taken which of the folder's own entries count. */
function* filesBelow(folder: string, taken = (_: Dirent) => true): Generator<string> {
  for (const entry of entriesOf(folder).filter(taken)) {
    if (entry.name === '__pycache__' || entry.name === '.run') continue
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* filesBelow(path)
    else yield path
  }
}

function addContent(hash: Hash, path: string): void {
  const content = readFileSync(path)
  hash.update(`${path}\0${content.length}\0`).update(content)
}

function addChange(hash: Hash, path: string): void {
  const found = statSync(path)
  if (found.isDirectory()) throw new RangeError(`${path} is a link to a folder`)
  hash.update(`${path}\0${found.size}\0${found.ctimeMs}\0`)
}
