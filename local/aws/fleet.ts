import { EventEmitter, once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent } from './agent.ts'
import { AwsError } from './aws-error.ts'
import type { Instance, Machine } from './contract.ts'

export type Delivery = 'delivered' | 'expired' | 'gone'

/** What every machine here runs. */
export const PLATFORM = { name: 'Debian GNU/Linux', version: '12' }

export interface NodeParts {
  readonly machine: Machine
  readonly environment: Readonly<Record<string, string>>
  readonly region: string
  /** A session of a role, in this machine's name. */
  readonly session: (role: string) => ReturnType<Instance['credentials']>
}

/** A machine as Systems Manager knows it. */
export class ManagedNode implements Instance {
  readonly machine: Machine
  readonly environment: Readonly<Record<string, string>>
  readonly credentials: Instance['credentials']
  readonly agent: Agent
  readonly registeredAt = Date.now()
  state: 'online' | 'lost' | 'gone' = 'online'
  readonly #region: string
  readonly #session: NodeParts['session']
  #late = 0
  #commandsToLose = 0
  #repliesToLose = 0
  readonly #changes = new EventEmitter()

  constructor({ machine, environment, region, session }: NodeParts) {
    this.credentials = () => session(machine.role)
    this.machine = machine
    this.environment = environment
    this.#region = region
    this.#session = session
    this.agent = new Agent(machine, () => ({ ...environment, ...this.#agentVariables() }))
    this.#changes.setMaxListeners(0)
  }

  get id(): string {
    return this.machine.id
  }

  get workdir(): string {
    return this.machine.workdir
  }

  get tags(): Readonly<Record<string, string>> {
    return this.machine.tags
  }

  leave(): void {
    void this.agent.stop()
    this.#become('gone')
  }

  lose(): void {
    this.#become('lost')
  }

  restore(): void {
    this.#become('online')
  }

  reboot(): void {
    this.agent.reboot()
  }

  delay(milliseconds: number): void {
    this.#late = milliseconds
  }

  loseCommands(count: number): void {
    this.#commandsToLose = count
  }

  loseReplies(count: number): void {
    this.#repliesToLose = count
  }

  /** Waits for the agent to take a message, at most until the deadline. */
  async receive(deadline: number): Promise<Delivery> {
    if (!(await this.#reachable(deadline))) return this.state === 'gone' ? 'gone' : 'expired'
    if (this.#commandsToLose > 0) {
      this.#commandsToLose -= 1
      return this.#expire(deadline)
    }
    if (this.#late === 0) return 'delivered'
    await sleep(Math.min(this.#late, deadline - Date.now()), undefined, { ref: false })
    // It may have been terminated meanwhile.
    if (this.state === 'gone') return 'gone'
    return Date.now() >= deadline ? 'expired' : 'delivered'
  }

  /** Waits for the agent's answer to get through; false if it never does. */
  async reply(deadline: number): Promise<boolean> {
    if (this.#repliesToLose > 0) {
      this.#repliesToLose -= 1
      await this.#expire(deadline)
      return false
    }
    if (await this.#reachable(deadline)) return true
    await this.#expire(deadline)
    return false
  }

  /** What the agent tells every script: who it is, and where it shares credentials. */
  #agentVariables(): Record<string, string> {
    const { id, workdir, role, hostManagementRole } = this.machine
    const shares = id.startsWith('mi-') || hostManagementRole !== undefined
    const file = join(workdir, 'credentials')
    if (shares) share(file, this.#session(hostManagementRole ?? role))
    return {
      AWS_SSM_INSTANCE_ID: id,
      AWS_SSM_REGION_NAME: this.#region,
      AWS_SSM_PLATFORM_NAME: PLATFORM.name,
      AWS_SSM_PLATFORM_VERSION: PLATFORM.version,
      ...(shares ? { AWS_SHARED_CREDENTIALS_FILE: file } : {}),
    }
  }

  async #reachable(deadline: number): Promise<boolean> {
    while (this.state === 'lost' && Date.now() < deadline) await this.#change(deadline)
    return this.state === 'online'
  }

  async #change(deadline: number): Promise<void> {
    const stop = new AbortController()
    const options = { signal: stop.signal }
    const timer = sleep(Math.max(0, deadline - Date.now()), undefined, { ...options, ref: false })
    await Promise.race([timer, once(this.#changes, 'change', options)]).finally(() => {
      timer.catch(() => {})
      stop.abort()
    })
  }

  async #expire(deadline: number): Promise<'expired'> {
    await sleep(Math.max(0, deadline - Date.now()), undefined, { ref: false })
    return 'expired'
  }

  #become(state: ManagedNode['state']): void {
    if (this.state === 'gone') return
    this.state = state
    this.#changes.emit('change')
  }
}

/** The credentials file of the AWS tools, as the agent keeps it for others. */
function share(file: string, session: ReturnType<Instance['credentials']>): void {
  const settings = Object.entries({
    aws_access_key_id: session.accessKeyId,
    aws_secret_access_key: session.secretAccessKey,
    aws_session_token: session.sessionToken,
  })
  const lines = settings.map(([name, value]) => `${name} = ${value}\n`)
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  writeFileSync(file, `[default]\n${lines.join('')}`, { mode: 0o600 })
}

/** Every machine that ever registered. */
export class Fleet {
  readonly #nodes = new Map<string, ManagedNode>()

  add(node: ManagedNode): void {
    this.#nodes.set(node.id, node)
  }

  find(id: string): ManagedNode | undefined {
    return this.#nodes.get(id)
  }

  /** The roll call: without machines that are terminated. */
  get members(): ManagedNode[] {
    return [...this.#nodes.values()].filter(({ state }) => state !== 'gone')
  }

  /** @throws AwsError `InvalidInstanceId`. */
  byId(ids: readonly string[]): ManagedNode[] {
    return ids.map((id) => {
      const node = this.members.find((member) => member.id === id)
      if (node) return node
      throw new AwsError('InvalidInstanceId', `Instances [[${id}]] not in a valid state for account`)
    })
  }

  /** Members that match every key by one of its values, as targets and filters name them. */
  matching(keys: readonly { readonly key: string; readonly values: readonly string[] }[]): ManagedNode[] {
    return this.members.filter((node) => keys.every(({ key, values }) => has(node, key, values)))
  }

  async close(): Promise<void> {
    for (const node of this.#nodes.values()) node.leave()
    await Promise.all([...this.#nodes.values()].map(({ agent }) => agent.stop()))
  }
}

/** @throws AwsError `InvalidTarget` for a key that is not modelled. */
function has(node: ManagedNode, key: string, values: readonly string[]): boolean {
  if (key === 'InstanceIds') return values.includes(node.id)
  if (key === 'PingStatus') return values.includes(node.state === 'online' ? 'Online' : 'ConnectionLost')
  if (key === 'tag-key') return values.some((value) => value in node.tags)
  if (!key.startsWith('tag:')) throw new AwsError('InvalidTarget', `The key ${key} is not modelled here.`)
  const tag = node.tags[key.slice('tag:'.length)]
  return tag !== undefined && values.includes(tag)
}
