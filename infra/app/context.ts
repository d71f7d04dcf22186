import { readFileSync } from 'node:fs'

/** The context in cdk.json: the example configuration as `ticketring`, beside the feature flags. */
export function readContext(): Readonly<Record<string, unknown>> {
  return JSON.parse(readFileSync(new URL('../../cdk.json', import.meta.url), 'utf8')).context
}
