import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { spawnGroup } from '../process-group.ts'
import { HOME } from './project-root.ts'
import type { TestbedParts } from './testbed-parts.ts'

/** What a command printed, and its exit code. */
export interface Typed {
  readonly code: number | null
  readonly output: string
}

/** What an operator types: `npx ticketring` with these words, by credentials of the loopback AWS. */
export async function typeTicketring(
  { aws, trace, workspace }: Pick<TestbedParts, 'aws' | 'trace' | 'workspace'>,
  words: readonly string[],
): Promise<Typed> {
  const { endpoint, region, operator } = aws
  const argv = trace.wrap([process.execPath, `${HOME}/bin/ticketring.mjs`, ...words], 'an operator')
  const child = spawnGroup(argv, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env.PATH ?? '/usr/bin:/bin',
      HOME: workspace.disk,
      AWS_ENDPOINT_URL: endpoint,
      AWS_REGION: region,
      AWS_ACCESS_KEY_ID: operator.accessKeyId,
      AWS_SECRET_ACCESS_KEY: operator.secretAccessKey,
    },
  })
  const printed = [child.stdout, child.stderr].map((stream) => (stream === null ? '' : text(stream)))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, output: (await Promise.all(printed)).join('') }
}
