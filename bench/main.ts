import { parseArgs } from 'node:util'
import { tolerateClosedPipes } from '../local/closed-pipe.ts'
import { HELP } from '../local/help-option.ts'
import { listenForInterruption } from '../local/interruption.ts'
import { type Progress, progressOn } from '../local/rehearsal/progress.ts'
import { Scope } from '../local/scope.ts'
import type { Measurement } from './measurement.ts'
import { type Row, renderTable } from './table.ts'

const MEASUREMENTS: readonly Measurement[] = [
  {
    name: 'resumptions',
    about: 'resumptions lost during rolling rotations, side by side on real HAProxy and nginx',
    load: () => import('./resumptions.ts'),
  },
  {
    name: 'apply',
    about: 'time and programs of one run on a machine, on real HAProxy and nginx',
    load: () => import('./apply.ts'),
  },
  {
    name: 'kinds',
    about: 'one apply on each kind of server, beside HAProxy, and what its load does to open connections',
    load: () => import('./kinds.ts'),
  },
  {
    name: 'calls',
    about: 'AWS calls per rotation with 1, 100 and 10,000 machines, over the real SDK clients',
    load: () => import('./calls.ts'),
  },
  {
    name: 'large-fleet',
    about: '10,000 machines of which 3 % are gone, ten calls a second, in virtual time',
    load: () => import('./large-fleet.ts'),
  },
  {
    name: 'bundle',
    about: "size and import time of the functions' bundles",
    load: () => import('./bundle.ts'),
  },
  {
    name: 'staple-validation',
    about: 'validation of one OCSP response, beside an openssl ocsp process',
    load: () => import('./staple-validation.ts'),
  },
  {
    name: 'staple-requests',
    about: 'requests to the responder per day for 100 machines with 10 certificates (simulated)',
    load: () => import('./staple-requests.ts'),
  },
  {
    name: 'staple-burst',
    about: '1,000 certificates due at once, the responder 50 ms away: time and memory',
    load: () => import('./staple-burst.ts'),
  },
]

const USAGE = `Usage: npm run bench -- [options]

Measures, on loopback and with real servers, and prints a table at the end. Numbers are of this machine and this run:
compare within the table. Nothing is asserted: exit code 0 also where a target was missed.

  --only NAME   one measurement; may be given several times
  --quick       tiny sizes, to see that it works
  -h, --help    this text

Measurements:
${MEASUREMENTS.map(({ name, about }) => `  ${name.padEnd(19)} ${about}`).join('\n')}
`

interface Options {
  readonly chosen: readonly Measurement[]
  readonly quick: boolean
}

// The functions run on the newest Node; which one this machine has is no news of a measurement.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true'

process.exitCode = await main(process.argv.slice(2))

async function main(words: readonly string[]): Promise<number> {
  const options = parseOptions(words)
  if (typeof options === 'string') {
    tolerateClosedPipes()
    process.stdout.write(options)
    return options === USAGE ? 0 : 2
  }
  const scope = new Scope()
  closeOnTheWayOut(scope)
  const rows: Row[] = []
  const failures: string[] = []
  const progress = progressOn(process.stdout, Date.now)
  for (const each of options.chosen) {
    try {
      rows.push(...(await measured(each, progress, scope, options.quick)))
    } catch (error) {
      failures.push(
        `${each.name} could not be measured: ${error instanceof Error ? error.message : String(error)}`,
      )
    }
  }
  progress.end()
  const closing = options.quick
    ? 'Taken with tiny sizes: not to be believed.'
    : 'All taken in this run, on this machine.'
  process.stdout.write(['', renderTable(rows), closing, ...failures, ''].join('\n'))
  return failures.length === 0 ? 0 : 1
}

/** Nothing that was started outlives the bench, whatever ends it. */
function closeOnTheWayOut(scope: Scope): void {
  const leave = (code: number) => void scope.close().finally(() => process.exit(code))
  const interruption = listenForInterruption()
  interruption.signal.addEventListener('abort', () => leave(interruption.code))
  process.once('uncaughtException', (error) => {
    process.stderr.write(`${error.stack ?? error.message}\n`)
    leave(1)
  })
}

async function measured(
  { name, about, load }: Measurement,
  progress: Progress,
  scope: Scope,
  quick: boolean,
): Promise<readonly Row[]> {
  progress.say(`${name}: ${about}`)
  try {
    const { measure } = await load()
    return await measure({ progress, scope, quick })
  } finally {
    await scope.close()
  }
}

/** @returns the options, or the text to print instead. */
function parseOptions(words: readonly string[]): Options | string {
  const only = { type: 'string', multiple: true } as const
  const flag = { type: 'boolean' } as const
  try {
    const options = { only, quick: flag, help: HELP }
    const { values } = parseArgs({ args: [...words], options, strict: true, allowPositionals: false })
    if (values.help === true) return USAGE
    const chosen = values.only?.map(named) ?? MEASUREMENTS
    return { chosen, quick: values.quick === true }
  } catch (error) {
    return `${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`
  }
}

function named(name: string): Measurement {
  const found = MEASUREMENTS.find((each) => each.name === name)
  if (found !== undefined) return found
  const names = MEASUREMENTS.map((each) => each.name).join(', ')
  throw new Error(`--only takes one of ${names}; it was given ${JSON.stringify(name)}`)
}
