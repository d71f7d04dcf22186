import { DescribeInstancePropertiesCommand, type InstanceProperty, SSMClient } from '@aws-sdk/client-ssm'
import { type Account, clientOptions, refusalOf } from './account.ts'

/** What Systems Manager tells of a machine beside what the roll call does. */
export interface Place {
  /** Its tag `Name`, on one line. */
  readonly name?: string
  /** Availability Zone. */
  readonly zone?: string
}

export type Places = Readonly<Record<string, Place>>

/** Values that a filter may have. Source: API reference, InstancePropertyFilter. */
const MOST = 40
/** It is told beside what was asked for, and must not keep that back (ms). */
const PATIENCE = { connectionTimeout: 2_000, requestTimeout: 5_000, throwOnRequestTimeout: true }

/**
 * By id; one that is not known any more is left out.
 * @param ids the first {@link MOST} are asked for
 * @throws ServiceError where it is not told.
 */
export async function placesOf(account: Account, ids: readonly string[]): Promise<Places> {
  const client = new SSMClient({ ...clientOptions(account), maxAttempts: 2, requestHandler: PATIENCE })
  try {
    const found = await propertiesOf(client, ids.slice(0, MOST))
    return Object.fromEntries(found.map((each) => [each.InstanceId ?? '', placeOf(each)]))
  } catch (error) {
    throw refusalOf(error, account, 'ssm:DescribeInstanceProperties on *')
  }
}

/** An id that Systems Manager does not know may make it refuse all that were named with it. */
async function propertiesOf(client: SSMClient, ids: readonly string[]): Promise<readonly InstanceProperty[]> {
  const InstancePropertyFilterList = [{ key: 'InstanceIds' as const, valueSet: [...ids] }]
  try {
    const asked = new DescribeInstancePropertiesCommand({ InstancePropertyFilterList, MaxResults: MOST })
    return (await client.send(asked)).InstanceProperties ?? []
  } catch (error) {
    if ((error as Error).name !== 'InvalidInstanceId') throw error
    if (ids.length === 1) return []
    const half = Math.ceil(ids.length / 2)
    return [
      ...(await propertiesOf(client, ids.slice(0, half))),
      ...(await propertiesOf(client, ids.slice(half))),
    ]
  }
}

/** A tag may have lines, of which one could read as another machine's. */
function placeOf({ Name = '', AvailabilityZone = '' }: InstanceProperty): Place {
  const name = Name.replace(/\s+/g, ' ').trim()
  return {
    ...(name === '' ? {} : { name }),
    ...(AvailabilityZone === '' ? {} : { zone: AvailabilityZone }),
  }
}
