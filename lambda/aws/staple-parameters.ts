import { GetParametersCommand, type SSMClient } from '@aws-sdk/client-ssm'
import type { Stored } from '../app/staple-ports.ts'
import { refusal } from './refusal.ts'

/** Names in a call, the most there are. */
const BATCH = 10
/** Calls at the same time: Parameter Store answers 40 a second to an account that has not asked for more. */
const LANES = 8

/** Parameters that exist, by name, in as few calls as there can be. */
export async function readParameters(
  client: SSMClient,
  names: readonly string[],
): Promise<ReadonlyMap<string, Stored>> {
  const unique = [...new Set(names)]
  const batches = Array.from({ length: Math.ceil(unique.length / BATCH) }, (_, index) =>
    unique.slice(index * BATCH, (index + 1) * BATCH),
  )
  const found = new Map<string, Stored>()
  const queue = batches.values()
  const lane = async () => {
    for (const batch of queue)
      for (const [name, stored] of await readBatch(client, batch)) found.set(name, stored)
  }
  await Promise.all(Array.from({ length: Math.min(LANES, batches.length) }, lane))
  return found
}

async function readBatch(client: SSMClient, names: readonly string[]): Promise<[string, Stored][]> {
  try {
    const command = new GetParametersCommand({ Names: [...names], WithDecryption: true })
    const { Parameters = [] } = await client.send(command)
    return Parameters.flatMap(({ Name, Value, Version }) =>
      Name === undefined || Value === undefined ? [] : [[Name, { text: Value, version: Version ?? 1 }]],
    )
  } catch (error) {
    throw refusal(error, `the parameters ${names.join(', ')}`)
  }
}
