import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { placesOf } from '../../../cli/aws/places.ts'
import type { LoopbackAws } from '../../../local/aws/loopback.ts'
import { joinMachine, machineId, removeFolders, startAccount } from '../../local/aws/fixture.ts'
import { withEnvironment } from '../operator.ts'

let aws: LoopbackAws
beforeAll(async () => {
  aws = await startAccount()
  joinMachine(aws, { id: machineId(1), tags: { Name: 'web 1', ring: 'edge' } })
  joinMachine(aws, { id: machineId(2), tags: { Name: ` web\n  ${machineId(1)}\tsound <&> ` } })
  joinMachine(aws, { id: machineId(3) })
  joinMachine(aws, { id: machineId(4) }).leave()
  joinMachine(aws, { id: 'mi-0123456789abcdef0', tags: { Name: 'in the cellar' } })
})
afterAll(async () => {
  await aws.close()
  removeFolders()
})

type Key = LoopbackAws['operator'] & { readonly sessionToken?: string }

/** As who holds this key. */
const placesFor = (ids: readonly string[], key: Key = aws.operator) =>
  withEnvironment(
    { endpoint: aws.endpoint, region: aws.region, ...key },
    { AWS_SESSION_TOKEN: key.sessionToken },
    () => placesOf({ profile: undefined, region: undefined }, ids),
  )

describe('what Systems Manager tells of machines', () => {
  it('is their tag Name, on one line, and their zone', async () => {
    expect(await placesFor([1, 2, 3].map(machineId))).toEqual({
      [machineId(1)]: { name: 'web 1', zone: 'us-east-1a' },
      [machineId(2)]: { name: `web ${machineId(1)} sound <&>`, zone: 'us-east-1a' },
      [machineId(3)]: { zone: 'us-east-1a' },
    })
  })

  it('is nothing of one that is gone or unknown, and all of the others; a hybrid one has no zone', async () => {
    const ids = [machineId(4), machineId(1), machineId(5), 'mi-0123456789abcdef0']
    expect(await placesFor(ids)).toEqual({
      [machineId(1)]: { name: 'web 1', zone: 'us-east-1a' },
      'mi-0123456789abcdef0': { name: 'in the cellar' },
    })
  })

  it('takes one call', async () => {
    const before = aws.history.calls.length
    await placesFor([1, 2, 3].map(machineId))
    const asked = aws.history.calls.slice(before).map(({ operation }) => operation)
    expect(asked).toEqual(['DescribeInstanceProperties'])
  })

  it('is nothing without the permission, which is named', async () => {
    const { credentials } = joinMachine(aws, { id: machineId(6) })
    await expect(placesFor([machineId(1)], credentials())).rejects.toMatchObject({
      message: expect.stringMatching(
        /^The key of the environment .* may not: .*ssm:DescribeInstanceProperties/,
      ),
      next: 'Give its role ssm:DescribeInstanceProperties on *',
    })
  })

  it('is nothing to who is not known', async () => {
    await expect(
      placesFor([machineId(1)], { ...aws.operator, accessKeyId: 'AKIAEXAMPLE' }),
    ).rejects.toMatchObject({
      message: expect.stringContaining('gives no access'),
    })
  })
})
