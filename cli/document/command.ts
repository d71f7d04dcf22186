import { isRefusal } from '../../lambda/kernel/errors.ts'
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
  summary: 'what runs as root on the machines of a ring or set, to be read',
  usage: `Usage: ticketring document NAME

Prints the document of a ring or set of cdk.json as it would be delivered: the lines of sh with the settings, the installer, the
program's files, and the hashes that result lines and directories name. Asks nothing of AWS.

  --json             print it as JSON, with name and text
  -h, --help         this text

Exit code: 0 it is printed, 2 there is no such ring or set.`,
  run: async (words, io) => {
    const { values, positionals } = read(words, { json: { type: 'boolean' } } as const)
    // Loading it takes longer than all other commands.
    const { configuredDocument } = await import('../../local/configured-document.ts').catch(refuseAPackage)
    try {
      const text = configuredDocument(positionals)
      io.out(values.json === true ? JSON.stringify({ name: positionals[0], text }) : text)
    } catch (error) {
      if (!isRefusal(error)) throw error
      throw new UsageError(error.message)
    }
    return 0
  },
}
