import { parseArgs } from 'node:util'
import { parseConfiguration } from '../infra/app/configuration.ts'
import { readContext } from '../infra/app/context.ts'
import type { FleetDocument } from '../infra/fleet/document.ts'
import { readableDocument } from '../infra/fleet/readable-document.ts'
import { ownProgram } from '../infra/program/program.ts'
import { buildRingDocument } from '../infra/ring/document.ts'
import { buildStapleDocument } from '../infra/stapling/document.ts'
import { isRefusal, TicketringError } from '../lambda/kernel/errors.ts'
import { tolerateClosedPipes } from './closed-pipe.ts'
import { HELP } from './rehearsal/options.ts'

const USAGE = `npm run --silent document -- NAME

Prints what the document of a ring or of a set of staples runs as root on a machine, to be read: the lines of sh with the
settings, the installer, and the program's files as they are delivered; and the hashes that result lines and directories name.

  NAME        a ring or a set of cdk.json
  -h, --help  this text
`

function main(): void {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { help: HELP } })
  if (values.help === true) {
    process.stdout.write(USAGE)
    return
  }
  process.stdout.write(`${readableDocument(documentOf(positionals))}\n`)
}

function documentOf(names: readonly string[]): FleetDocument {
  const { rings, stapling } = parseConfiguration(readContext().ticketring)
  const [name, ...more] = names
  const ring = rings.find((each) => each.name === name)
  const set = stapling.find((each) => each.name === name)
  if (ring !== undefined && more.length === 0) return buildRingDocument(ring, ownProgram())
  if (set !== undefined && more.length === 0) return buildStapleDocument(set, ownProgram())
  throw new TicketringError('request-invalid', {
    wanted: `one of ${[...rings, ...stapling].map((each) => each.name).join(', ')}`,
    came: names.length === 0 ? 'no name' : JSON.stringify(names.join(' ').slice(0, 64)),
    fix: 'See --help',
  })
}

tolerateClosedPipes()
try {
  main()
} catch (error) {
  process.stderr.write(`document: ${isRefusal(error) || error instanceof Error ? error.message : 'failed'}\n`)
  process.exitCode = 2
}
