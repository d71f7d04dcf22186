import { AwsError, LoopbackError } from './aws-error.ts'
import type { FaultPlan } from './faults.ts'
import type { ManagedNode } from './managed-node.ts'

/** An EC2 machine's id, or a hybrid one's. */
export const INSTANCE = /^(i-(\w{8}|\w{17})|mi-\w{17})$/

/** Every machine that ever registered. */
export class Fleet {
  readonly #faults: FaultPlan
  readonly #nodes = new Map<string, ManagedNode>()

  constructor(faults: FaultPlan) {
    this.#faults = faults
  }

  /** @throws LoopbackError for an id that no machine has on AWS. */
  add(node: ManagedNode): void {
    if (!INSTANCE.test(node.id)) throw new LoopbackError(`${node.id} is no id of a machine`)
    this.#nodes.set(node.id, node)
  }

  find(id: string): ManagedNode | undefined {
    return this.#nodes.get(id)
  }

  /** The roll call: without machines that are terminated. */
  get members(): ManagedNode[] {
    return [...this.#nodes.values()].filter(({ state }) => state !== 'gone')
  }

  /** Every one of them has to run an agent. @throws AwsError `InvalidInstanceId`. */
  byId(ids: readonly string[]): ManagedNode[] {
    const nodes = ids.map((id) => this.#nodes.get(id))
    const invalid = ids.filter((_, index) => nodes[index]?.state !== 'online')
    if (invalid.length === 0) return nodes.flatMap((node) => node ?? [])
    throw new AwsError(
      'InvalidInstanceId',
      `Instances [[${invalid.join(', ')}]] not in a valid state for account`,
    )
  }

  /** Members that match every key by one of its values, as targets and filters name them. */
  matching(keys: readonly { readonly key: string; readonly values: readonly string[] }[]): ManagedNode[] {
    return this.members.filter((node) => keys.every(({ key, values }) => this.#has(node, key, values)))
  }

  /** The tags of a machine as services see them. */
  tagsOf(node: ManagedNode): Readonly<Record<string, string>> {
    return node.tagsAt(Date.now() - this.#faults.tagsLag)
  }

  /** @throws AwsError `InvalidTarget` for a key that is not modelled. */
  #has(node: ManagedNode, key: string, values: readonly string[]): boolean {
    if (key === 'InstanceIds') return values.includes(node.id)
    if (key === 'PingStatus') return values.includes(node.state === 'online' ? 'Online' : 'ConnectionLost')
    const tags = this.tagsOf(node)
    if (key === 'tag-key') return values.some((value) => value in tags)
    if (!key.startsWith('tag:')) throw new AwsError('InvalidTarget', `The key ${key} is not modelled here.`)
    const tag = tags[key.slice('tag:'.length)]
    return tag !== undefined && values.includes(tag)
  }

  async close(): Promise<void> {
    for (const node of this.#nodes.values()) node.leave()
    await Promise.all([...this.#nodes.values()].map(({ agent }) => agent.stop()))
  }
}
