import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Mutant } from './mutants.ts'

/** Lines of the compiler that begin with a file. */
const AT_FILE = /^(\S+?\.ts)\(\d+,\d+\): error TS/gm

/**
 * The mutants that do not compile, which `npm run check` refuses. Each stands as a file of its own beside the unchanged
 * ones. What the compiler says of names that are no longer used is left out: it is about style, not types.
 * @throws Error where the compiler does not take the unchanged files.
 */
export function refusedByTypes(mutants: readonly Mutant[]): ReadonlySet<string> {
  const scratch = mkdtempSync(join(tmpdir(), 'ticketring-mutants-'))
  try {
    cpSync('package.json', join(scratch, 'package.json'))
    cpSync('lambda', join(scratch, 'lambda'), { recursive: true })
    const places = new Map(mutants.map((mutant) => [placeOf(mutant), mutant]))
    for (const [place, { changed }] of places) writeFileSync(join(scratch, place), changed)
    writeFileSync(join(scratch, 'tsconfig.json'), JSON.stringify(settings()))
    const { stdout } = spawnSync(resolve('node_modules/.bin/tsc'), ['-p', scratch], {
      encoding: 'utf8',
      cwd: scratch,
      maxBuffer: 2 ** 28,
    })
    const files = new Set([...stdout.matchAll(AT_FILE)].map(([, file = '']) => file))
    const refused = mutants.filter((mutant) => files.delete(placeOf(mutant))).map(({ id }) => id)
    if (files.size > 0) throw new Error(`unchanged files do not compile: ${[...files].join(', ')}`)
    return new Set(refused)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

function placeOf({ file, id }: Mutant): string {
  return file.replace(/\.ts$/, `.mutant-${id}.ts`)
}

/** The project's own, for the five folders alone. */
function settings(): object {
  return {
    extends: resolve('tsconfig.json'),
    compilerOptions: {
      noUnusedLocals: false,
      noUnusedParameters: false,
      pretty: false,
      typeRoots: [resolve('node_modules/@types')],
    },
    include: ['kernel', 'fleet', 'ring', 'ocsp', 'staples'].map((folder) => `lambda/${folder}`),
  }
}
