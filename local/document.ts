import { parseArgs } from 'node:util'
import { isRefusal } from '../lambda/kernel/errors.ts'
import { tolerateClosedPipes } from './closed-pipe.ts'
import { HELP } from './help-option.ts'

const USAGE = `npm run --silent document -- [NAME]

Prints what a document runs as root on a machine, to be read: the lines of sh with the settings, the installer, and the program's
files as they are delivered; and the hashes that result lines and directories name. Without a name, which documents there are.

  NAME        a ring or a set of cdk.json, or a document by its own name
  -h, --help  this text
`

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { help: HELP } })
  if (values.help === true) {
    process.stdout.write(USAGE)
    return
  }
  // Loading it takes longer than to say how it is asked for.
  const { configuredDocument, configuredDocuments, listOf } = await import('./configured-document.ts')
  const text = positionals.length === 0 ? listOf(configuredDocuments()) : configuredDocument(positionals).text
  process.stdout.write(`${text}\n`)
}

tolerateClosedPipes()
try {
  await main()
} catch (error) {
  process.stderr.write(`document: ${isRefusal(error) || error instanceof Error ? error.message : 'failed'}\n`)
  process.exitCode = 2
}
