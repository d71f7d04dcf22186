import { existsSync, writeFileSync } from 'node:fs'
import { secondsOf } from '../../lambda/kernel/durations.ts'
import type { Command, Io } from '../command.ts'
import { ACCOUNT, ACCOUNT_OPTIONS, type AccountValues, deployedOf, only, read } from '../ring/words.ts'
import { ServiceError } from '../service-error.ts'
import { UsageError } from '../usage-error.ts'
import { AUDIT_KINDS, parseAuditLine } from './audit-line.ts'
import { type Generation, historyOf, missingIn } from './history.ts'
import { historyText, machineText } from './history-text.ts'
import { pagesOf, readLog } from './log-reader.ts'

export const HISTORY: Command = {
  name: 'history',
  summary: 'who encrypted with which key, from when to when, and who asked for it',
  usage: `Usage: ticketring history RING [options]

Reads what the rotation function wrote when a generation was made and when machines proved it (logs:FilterLogEvents on its log
group).

  --since TIME       how far back, with its unit: 90m, 12h, 30d (default 7d)
  --instance ID      the keys of this machine alone
  --evidence FILE    write all of it for an audit, as JSON; a file that is there is not overwritten
${ACCOUNT}

Exit code: 0 it is whole, 1 a generation is missing from the log, 2 that cannot be told.`,
  run: async (words, io) => {
    const { values, positionals } = read(words, OPTIONS)
    const ring = only(positionals)
    const seconds = sinceOf(values.since ?? '7d')
    const { evidence, instance } = values
    if (evidence !== undefined && existsSync(evidence)) throw new UsageError(`${evidence} is there already`)
    const now = io.now()
    const found = await evidenceOf(ring, values, { from: now - seconds * 1000, to: now }, io)
    if (evidence !== undefined) write(evidence, found)
    if (values.json === true) io.out(JSON.stringify(found))
    else if (instance === undefined) io.out(historyText(ring, found.generations, found.missing))
    else io.out(machineText(instance, found.generations))
    return found.missing.length === 0 ? 0 : 1
  },
}

const OPTIONS = {
  ...ACCOUNT_OPTIONS,
  since: { type: 'string' },
  instance: { type: 'string' },
  evidence: { type: 'string' },
} as const

/** What an audit gets; names of keys are public, and no key is in it. */
interface Evidence {
  readonly schema: 1
  readonly ring: string
  readonly stack: string
  readonly logGroup: string
  /** Which part of the log was read. */
  readonly from: string
  readonly to: string
  /** The oldest first. */
  readonly generations: readonly Generation[]
  /** Numbers of generations that the log has nothing of, between others that it has. */
  readonly missing: readonly number[]
}

async function evidenceOf(
  name: string,
  values: AccountValues,
  { from, to }: { readonly from: number; readonly to: number },
  io: Io,
): Promise<Evidence> {
  const { account, stack } = await deployedOf(values)
  const { log } = stack.ring(name)
  if (log === undefined)
    throw new ServiceError(
      `The stack ${stack.name} does not tell where the ring's log is`,
      'Deploy this release: an output tells it',
    )
  const query = { group: log, from, to, kinds: AUDIT_KINDS }
  const texts = await readLog(query, pagesOf(account), (lines, upTo) =>
    io.state(`${lines} lines read, up to ${new Date(upTo).toISOString()}`),
  ).finally(() => io.endState())
  const generations = historyOf(texts.flatMap((text) => parseAuditLine(text) ?? []))
  return {
    schema: 1,
    ring: name,
    stack: stack.name,
    logGroup: log,
    from: new Date(from).toISOString(),
    to: new Date(to).toISOString(),
    generations,
    missing: missingIn(generations),
  }
}

function sinceOf(text: string): number {
  const seconds = secondsOf(text)
  if (seconds !== undefined) return seconds
  throw new UsageError(
    `--since wants a time with its unit, such as 90m, 12h or 30d, not ${JSON.stringify(text.slice(0, 64))}`,
  )
}

/** Another one may have come while the log was read: it stays. */
function write(file: string, evidence: Evidence): void {
  try {
    writeFileSync(file, `${JSON.stringify(evidence, null, 2)}\n`, { flag: 'wx' })
  } catch (error) {
    throw new UsageError(`${file} cannot be written: ${(error as Error).message}`)
  }
}
