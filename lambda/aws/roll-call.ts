import { DescribeInstanceInformationCommand, type SSMClient } from '@aws-sdk/client-ssm'
import type { RollCall } from '../app/ports.ts'
import type { FleetTarget } from '../core/fleet-configuration.ts'
import type { Member } from '../core/gate.ts'
import { refusal } from './refusal.ts'

/** Instances on a page, the most there is. */
const PAGE = 50

/** The managed instances that carry the ring's tag. Stopped and terminated ones are not listed. */
export class TaggedInstances implements RollCall {
  readonly #client: SSMClient
  readonly #target: FleetTarget

  constructor(client: SSMClient, target: FleetTarget) {
    this.#client = client
    this.#target = target
  }

  async members(): Promise<readonly Member[]> {
    const members: Member[] = []
    let next: string | undefined
    do {
      const page = await this.#page(next)
      for (const { InstanceId, PingStatus } of page.InstanceInformationList ?? []) {
        if (InstanceId !== undefined) members.push({ id: InstanceId, online: PingStatus === 'Online' })
      }
      next = page.NextToken
    } while (next !== undefined)
    return members
  }

  async #page(next: string | undefined) {
    const { tag, values } = this.#target
    try {
      return await this.#client.send(
        new DescribeInstanceInformationCommand({
          Filters: [{ Key: `tag:${tag}`, Values: [...values] }],
          MaxResults: PAGE,
          ...(next === undefined ? {} : { NextToken: next }),
        }),
      )
    } catch (error) {
      throw refusal(error, `the instances with the tag ${tag}`)
    }
  }
}
