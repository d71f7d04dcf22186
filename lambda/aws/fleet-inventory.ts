import {
  DescribeInstanceInformationCommand,
  type InstanceInformationStringFilter,
  type SSMClient,
} from '@aws-sdk/client-ssm'
import type { FleetTarget } from '../fleet/configuration.ts'
import type { Member } from '../fleet/membership.ts'
import type { FleetInventory } from '../fleet/ports.ts'
import { following } from '../kernel/paging.ts'
import { isNamed, refusal } from './refusal.ts'

/** Instances on a page, the most there is. */
const PAGE = 50
/** Told by the machine's agent, and printed on an operator's terminal. Source: RFC 1123 §2.1, and underscores. */
const NAME = /^[A-Za-z0-9_.-]{1,255}$/

type Tag = Pick<FleetTarget, 'tag' | 'values'>

/** The managed instances that carry each of these tags. Stopped and terminated ones are not listed. */
export class TaggedInstances implements FleetInventory {
  readonly #client: SSMClient
  readonly #tags: readonly Tag[]

  constructor(client: SSMClient, ...tags: readonly Tag[]) {
    this.#client = client
    this.#tags = tags
  }

  async members(): Promise<readonly Member[]> {
    // By id: a page may repeat what an earlier one listed.
    const members = new Map<string, Member>()
    const seen = new Set<string>()
    let next: string | undefined
    do {
      const page = await this.#page(next)
      for (const { InstanceId, PingStatus, ComputerName } of page.InstanceInformationList ?? []) {
        const named = ComputerName !== InstanceId && NAME.test(ComputerName ?? '')
        const name = named && ComputerName !== undefined ? { name: ComputerName } : {}
        if (InstanceId) members.set(InstanceId, { id: InstanceId, online: PingStatus === 'Online', ...name })
      }
      next = following(page.NextToken, seen)
    } while (next !== undefined)
    return [...members.values()]
  }

  async countListed(ids: readonly string[]): Promise<number> {
    let count = 0
    for (let from = 0; from < ids.length; from += PAGE)
      count += await this.#countListed(ids.slice(from, from + PAGE))
    return count
  }

  /** An id that Systems Manager never knew, or knows no more, may make it refuse all that were named with it. */
  async #countListed(ids: readonly string[]): Promise<number> {
    try {
      const { InstanceInformationList } = await this.#describe([{ Key: 'InstanceIds', Values: [...ids] }])
      return InstanceInformationList?.length ?? 0
    } catch (error) {
      if (!isNamed(error, 'InvalidInstanceId'))
        throw refusal(error, `which of ${ids.length} instances are listed`)
      if (ids.length === 1) return 0
      const half = Math.ceil(ids.length / 2)
      return (await this.#countListed(ids.slice(0, half))) + (await this.#countListed(ids.slice(half)))
    }
  }

  async #page(next: string | undefined) {
    const filters = this.#tags.map(({ tag, values }) => ({ Key: `tag:${tag}`, Values: [...values] }))
    try {
      return await this.#describe(filters, next)
    } catch (error) {
      throw refusal(error, `the instances with the tag ${this.#tags.map(({ tag }) => tag).join(' and ')}`)
    }
  }

  #describe(filters: InstanceInformationStringFilter[], next?: string) {
    return this.#client.send(
      new DescribeInstanceInformationCommand({
        Filters: filters,
        MaxResults: PAGE,
        ...(next === undefined ? {} : { NextToken: next }),
      }),
    )
  }
}
