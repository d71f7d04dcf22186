import { isRefusal } from '../../lambda/kernel/errors.ts'
import type { ConfiguredDocument } from '../../local/configured-document.ts'
import type { Command } from '../command.ts'
import { read } from '../ring/words.ts'
import { UsageError } from '../usage-error.ts'

/** A package has the program alone. */
function refuseAPackage(error: unknown): never {
  if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error
  throw new UsageError(
    'document reads cdk.json of a checkout, which a package is not: `aws ssm get-document` has what is deployed',
  )
}

export const DOCUMENT: Command = {
  name: 'document',
  summary: 'what runs as root on machines, to be read: deliveries, preflight, offboard',
  usage: `Usage: ticketring document [NAME]

Prints a document of cdk.json as it would be deployed: the lines of sh with the settings, the installer, the program's files, and the
hashes that result lines and directories name. Without a name, which documents there are. Asks nothing of AWS.

  NAME               a ring or set, or a document by its own name
  --json             print it as JSON, with name and text
  -h, --help         this text

Exit code: 0 it is printed, 2 there is no such document.`,
  run: async (words, io) => {
    const { values, positionals } = read(words, { json: { type: 'boolean' } } as const)
    // Loading it takes longer than all other commands.
    const documents = await import('../../local/configured-document.ts').catch(refuseAPackage)
    const { configuredDocument, configuredDocuments, listOf } = documents
    try {
      if (positionals.length === 0) {
        const all = configuredDocuments()
        io.out(values.json === true ? JSON.stringify(all.map(withoutText)) : listOf(all))
      } else {
        const { text } = configuredDocument(positionals)
        io.out(values.json === true ? JSON.stringify({ name: positionals[0], text }) : text)
      }
    } catch (error) {
      if (!isRefusal(error)) throw error
      throw new UsageError(error.message)
    }
    return 0
  },
}

function withoutText({ name, delivers, description }: ConfiguredDocument) {
  return { name, delivers, description }
}
