import { createHash } from 'node:crypto'
import { z } from 'zod'
import { type Account, arn } from './account.ts'
import { AwsError } from './aws-error.ts'
import type { Caller, Operation } from './caller.ts'
import type { Functions } from './functions.ts'
import { parseInput } from './parse-input.ts'

// Source: CloudWatch Logs API reference, FilterLogEvents.
const INPUT = {
  logGroupName: z.string().min(1).max(512),
  startTime: z.number().int().min(0).default(0),
  endTime: z.number().int().min(0).default(Number.MAX_SAFE_INTEGER),
  filterPattern: z.string().max(1024).default(''),
  nextToken: z.string().optional(),
  limit: z.number().int().min(1).max(10_000).default(10_000),
}
/** Octets in one answer. */
const PAGE = 1_048_576

interface Line {
  readonly logStreamName: string
  readonly timestamp: number
  readonly message: string
}

/** CloudWatch Logs, as far as one asks for what functions printed. */
export class CloudWatchLogs {
  readonly #account: Account
  readonly #functions: Functions
  readonly operations: Readonly<Record<string, Operation>> = {
    FilterLogEvents: (input, caller) => this.#filter(input, caller),
  }

  constructor(account: Account, functions: Functions) {
    this.#account = account
    this.#functions = functions
  }

  async #filter(input: unknown, caller: Caller) {
    const { logGroupName, startTime, endTime, filterPattern, nextToken, limit } = parseInput(INPUT, input)
    await caller.need('logs:FilterLogEvents', arn(this.#account, 'logs', `log-group:${logGroupName}`))
    const matches = parsePattern(filterPattern)
    const lines = this.#linesOf(logGroupName).filter(
      ({ timestamp, message }) => timestamp >= startTime && timestamp <= endTime && matches(message),
    )
    const start = Number(nextToken ?? 0)
    const end = endOfPage(lines, start, limit)
    const events = lines.slice(start, end).map((line, at) => ({
      ...line,
      ingestionTime: line.timestamp,
      eventId: createHash('sha256')
        .update(`${start + at}`)
        .digest('hex'),
    }))
    return { events, searchedLogStreams: [], ...(end < lines.length ? { nextToken: `${end}` } : {}) }
  }

  /** @throws AwsError `ResourceNotFoundException` where no function writes to it. */
  #linesOf(group: string): readonly Line[] {
    const names = this.#functions.writersTo(group)
    if (names.length === 0)
      throw new AwsError('ResourceNotFoundException', 'The specified log group does not exist.')
    const own = this.#functions.logs.filter(({ functionName }) => names.includes(functionName))
    return own.flatMap(({ logStream, at, text }) =>
      text
        .split('\n')
        .filter((line) => line !== '')
        .map((message) => ({ logStreamName: logStream, timestamp: at, message })),
    )
  }
}

function endOfPage(lines: readonly Line[], start: number, limit: number): number {
  let [end, size] = [start, 0]
  while (end < Math.min(lines.length, start + limit)) {
    size += Buffer.byteLength(lines[end]?.message ?? '')
    if (size > PAGE && end > start) break
    end++
  }
  return end
}

const TERM = /^\(\$\.(\w+) = "([^"]*)"\)$/

/**
 * Of the filter pattern syntax, members of a line of JSON that are equal to texts, one or the other.
 * @throws AwsError `InvalidParameterException` for any other.
 */
function parsePattern(pattern: string): (message: string) => boolean {
  if (pattern === '') return () => true
  const [, inner] = /^\{ (.*) \}$/.exec(pattern) ?? []
  const terms = (inner ?? '').split(' || ').map((term) => TERM.exec(term))
  if (terms.includes(null)) throw new AwsError('InvalidParameterException', 'Invalid filter pattern')
  return (message) => {
    const value = parseObject(message)
    return terms.some((term) => value[term?.[1] ?? ''] === term?.[2])
  }
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(text))
  } catch {
    return {}
  }
}
