import { readdirSync } from 'node:fs'

/** Folders below `lambda` whose code takes time and chance as arguments: their tests end the same way each time. */
export const FOLDERS = ['kernel', 'fleet', 'ring', 'ocsp', 'staples'] as const
export type Folder = (typeof FOLDERS)[number]

/** Whose tests are asked about a folder, nearest first. */
const ASKED: Readonly<Record<Folder, readonly Folder[]>> = {
  kernel: ['kernel', 'fleet', 'ring'],
  fleet: ['fleet', 'ring'],
  ring: ['ring'],
  ocsp: ['ocsp'],
  staples: ['staples'],
}

/** Take seconds, by programs that they start or by what they simulate, and would take them under every mutant. */
const SLOW = [
  'ring/exploration',
  'ring/garbled',
  'ring/invariants',
  'ring/large-fleet',
  'ocsp/explain',
  'ocsp/fuzz',
  'ocsp/matrix',
  'ocsp/openssl-verdicts',
  'ocsp/structure',
  'ocsp/vectors',
  'staples/id',
].map((name) => `test/${name}.test.ts`)

/** Files of the quick tests that are asked about a folder. */
export function testsOf(folder: Folder): readonly string[] {
  return ASKED[folder].flatMap((each) =>
    readdirSync(`test/${each}`)
      .filter((name) => name.endsWith('.test.ts'))
      .sort()
      .map((name) => `test/${each}/${name}`)
      .filter((path) => !SLOW.includes(path)),
  )
}
