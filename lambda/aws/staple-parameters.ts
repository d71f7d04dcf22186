import { GetParametersCommand, type SSMClient } from '@aws-sdk/client-ssm'
import { type ErrorCode, isRefusal, TicketringError } from '../kernel/errors.ts'
import { excerpt } from '../kernel/excerpt.ts'
import type { Stored } from '../staples/ports.ts'
import { refusal } from './refusal.ts'

/** Names in a call, the most there are. */
const BATCH = 10
/** Calls at the same time: Parameter Store answers 40 a second to an account that has not asked for more. */
const LANES = 8

/** What became of each name: a parameter, or why it cannot be read. Names that nothing is stored under are left out. */
export type Parameters = ReadonlyMap<string, Stored | TicketringError>

/** Parameters that exist, by name, in as few calls as there can be. Does not throw. */
export async function readParameters(client: SSMClient, names: readonly string[]): Promise<Parameters> {
  const unique = [...new Set(names)]
  const batches = Array.from({ length: Math.ceil(unique.length / BATCH) }, (_, index) =>
    unique.slice(index * BATCH, (index + 1) * BATCH),
  )
  const found = new Map<string, Stored | TicketringError>()
  const queue = batches.values()
  const lane = async () => {
    for (const batch of queue)
      for (const [name, stored] of await readBatch(client, batch)) found.set(name, stored)
  }
  await Promise.all(Array.from({ length: Math.min(LANES, batches.length) }, lane))
  return found
}

/** One name that may not be read, or that is none, makes AWS refuse the whole call: then each is asked for by itself. */
async function readBatch(client: SSMClient, names: readonly string[]): Promise<Parameters> {
  try {
    return await readTogether(client, names)
  } catch (error) {
    const [name = ''] = names
    if (names.length > 1 && !isCommon(error)) return readEach(client, names)
    const trouble = unreadable(
      error,
      names.length > 1 ? `the parameters ${names.join(', ')}` : `the parameter ${name}`,
    )
    return new Map(names.map((each) => [each, trouble]))
  }
}

async function readEach(client: SSMClient, names: readonly string[]): Promise<Parameters> {
  const found = new Map<string, Stored | TicketringError>()
  for (const name of names)
    for (const [key, stored] of await readBatch(client, [name])) found.set(key, stored)
  return found
}

async function readTogether(
  client: SSMClient,
  names: readonly string[],
): Promise<ReadonlyMap<string, Stored>> {
  const command = new GetParametersCommand({ Names: [...names], WithDecryption: true })
  const { Parameters = [] } = await client.send(command)
  return new Map(
    Parameters.flatMap(({ Name, Value, Version }) =>
      Name === undefined || Value === undefined ? [] : [[Name, { text: Value, version: Version ?? 1 }]],
    ),
  )
}

/** True for what no name in the call is to blame for: throttling, AWS's own faults, and a network that fails. */
function isCommon(error: unknown): boolean {
  const { $fault, code } = error as { readonly $fault?: string; readonly code?: unknown }
  return isRefusal(refusal(error, ''), 'throttled') || $fault === 'server' || typeof code === 'string'
}

/** Any error of a reading, with a code. */
export function unreadable(
  error: unknown,
  what: string,
  codes: Readonly<Record<string, ErrorCode>> = {},
): TicketringError {
  const known = refusal(error, what, codes)
  if (isRefusal(known)) return known
  const came = excerpt(error instanceof Error ? `${error.name}: ${error.message}` : String(error), 400)
  return new TicketringError('store-unreadable', { wanted: what, came, cause: error })
}
