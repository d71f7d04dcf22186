import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type BuildOptions, build } from 'esbuild'
import { BUNDLING } from '../infra/fleet/bundle.ts'
import { run } from './processes.ts'
import { median } from './statistics.ts'

/** Bundles an entry file of this project as the functions are: `pruned`, or with all that the SDK could ever load. */
export async function bundleOf(entry: string, outfile: string, how: 'pruned' | 'unpruned'): Promise<number> {
  const { mainFields, external, plugins, ...kept } = BUNDLING
  const pruned: BuildOptions = { mainFields, external, plugins }
  await build({
    ...kept,
    entryPoints: [entry],
    outfile,
    logLevel: 'error',
    // CommonJS packages that were bundled into a module still ask for require.
    ...(how === 'pruned' ? pruned : { banner: { js: REQUIRE } }),
  })
  return readFileSync(outfile).length
}

const REQUIRE = "import{createRequire as c}from'node:module';const require=c(import.meta.url);"

const CLOCK = `const start = performance.now()
await import(process.argv[2])
console.log(performance.now() - start)
process.exit()
`

/** ms that importing a module takes in a fresh process, more than importing an empty one: medians of `runs`. */
export async function importTime(
  module: string,
  directory: string,
  environment: Readonly<Record<string, string>>,
  runs: number,
): Promise<number> {
  const [clock, empty] = [join(directory, 'clock.mjs'), join(directory, 'empty.mjs')]
  writeFileSync(clock, CLOCK)
  writeFileSync(empty, '')
  const spent: Record<string, number[]> = { [module]: [], [empty]: [] }
  // In turns, so that both meet the same machine.
  for (let turn = 0; turn < runs; turn += 1)
    for (const each of [module, empty])
      spent[each]?.push(Number(await run(process.execPath, [clock, each], { environment })))
  return median(spent[module] ?? []) - median(spent[empty] ?? [])
}
