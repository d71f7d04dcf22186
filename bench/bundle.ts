import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ROTATION_VARIABLE, serialiseRotationConfiguration } from '../lambda/ring/configuration.ts'
import { STAPLES_VARIABLE, serialiseStapleConfiguration } from '../lambda/staples/configuration.ts'
import { configurationOf } from '../test/fakes/world.ts'
import { bundleOf, importTime } from './bundles.ts'
import { type Bench, size } from './measurement.ts'
import { stapleConfiguration } from './staple-world.ts'
import { inKilobytes, inMilliseconds, times } from './statistics.ts'
import { atMost, type Row } from './table.ts'

const RUNS = 10

interface Bundled {
  readonly name: string
  readonly entry: string
  /** kB */
  readonly limit: number
  readonly environment: Readonly<Record<string, string>>
}

const FUNCTIONS: readonly Bundled[] = [
  {
    name: 'rotation function',
    entry: 'lambda/handlers/rotate.ts',
    limit: 285,
    environment: { [ROTATION_VARIABLE]: serialiseRotationConfiguration(configurationOf()) },
  },
  {
    name: 'staple function',
    entry: 'lambda/handlers/staple.ts',
    limit: 330,
    environment: { [STAPLES_VARIABLE]: serialiseStapleConfiguration(stapleConfiguration([])) },
  },
]

export async function measure(bench: Bench): Promise<readonly Row[]> {
  const rows: Row[] = []
  for (const each of FUNCTIONS) rows.push(await measureBundle(each, bench))
  return rows
}

async function measureBundle({ name, entry, limit, environment }: Bundled, bench: Bench): Promise<Row> {
  const what = `bundle of the ${name}, minified; time to import it, more than an empty module`
  const directory = mkdtempSync(join(tmpdir(), 'ticketring-bench-'))
  bench.scope.defer(() => rmSync(directory, { recursive: true, force: true }))
  const runs = size(bench, RUNS, 2)
  const measured = async (how: 'pruned' | 'unpruned') => {
    bench.progress.say(`bundle: ${name}, ${how}: import in ${2 * runs} processes`)
    const file = join(directory, `${how}.mjs`)
    return {
      bytes: await bundleOf(entry, file, how),
      time: await importTime(file, directory, { AWS_REGION: 'eu-central-1', ...environment }, runs),
    }
  }
  const [ours, whole] = [await measured('pruned'), await measured('unpruned')]
  return {
    what,
    ours: `${inKilobytes(ours.bytes)}, ${inMilliseconds(ours.time)}`,
    others: [
      `with esbuild's defaults: ${inKilobytes(whole.bytes)}, ${inMilliseconds(whole.time)}: ` +
        `${times(whole.bytes, ours.bytes)} the size, ${times(whole.time, ours.time)} the time`,
    ],
    target: atMost(limit, 'kB', ours.bytes / 1000),
  }
}
