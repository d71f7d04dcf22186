import {
  CloudWatchLogsClient,
  FilterLogEventsCommand,
  type FilterLogEventsCommandOutput,
} from '@aws-sdk/client-cloudwatch-logs'
import { type Account, clientOptions, refusalOf } from '../aws/account.ts'
import { ServiceError } from '../service-error.ts'

/** What of a log was written between two times, of these kinds: their lines in the order of time, a page at a time. */
export interface LogQuery {
  readonly group: string
  /** ms */
  readonly from: number
  readonly to: number
  readonly kinds: readonly string[]
}

interface Page {
  readonly lines: readonly { readonly at: number; readonly text: string }[]
  readonly next: string | undefined
}

type ReadPage = (query: LogQuery, token: string | undefined) => Promise<Page>

/** A page has up to 10,000 lines or a megabyte, or none where nothing of that stretch is asked for. */
const MOST_PAGES = 2_000

/**
 * @param onPage is told how many lines were read, up to what time (ms).
 * @throws ServiceError where there is more than can be read, or the log cannot be.
 */
export async function readLog(
  query: LogQuery,
  readPage: ReadPage,
  onPage: (lines: number, upTo: number) => void,
): Promise<readonly string[]> {
  const texts: string[] = []
  let token: string | undefined
  for (let page = 0; page < MOST_PAGES; page++) {
    const { lines, next } = await readPage(query, token)
    for (const { text } of lines) texts.push(text)
    onPage(texts.length, lines.at(-1)?.at ?? query.from)
    if (next === undefined || next === token) return texts
    token = next
  }
  throw new ServiceError(`The log has more than ${MOST_PAGES} pages of it`, 'Ask for less by --since')
}

/** By the SDK, which waits and asks again where it is throttled. */
export function pagesOf(account: Account): ReadPage {
  const client = new CloudWatchLogsClient(clientOptions(account))
  return async ({ group, from, to, kinds }, nextToken) => {
    const command = new FilterLogEventsCommand({
      logGroupName: group,
      startTime: from,
      endTime: to,
      filterPattern: `{ ${kinds.map((kind) => `($.kind = "${kind}")`).join(' || ')} }`,
      nextToken,
    })
    const page = await client.send(command).catch((error) => {
      throw refusalOf(error, account, `logs:FilterLogEvents on ${group}`)
    })
    return pageOf(page)
  }
}

function pageOf({ events = [], nextToken }: FilterLogEventsCommandOutput): Page {
  const lines = events.map(({ timestamp = 0, message = '' }) => ({ at: timestamp, text: message }))
  return { lines, next: nextToken }
}
