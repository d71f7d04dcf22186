import { EventEmitter, once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent } from './agent.ts'
import { Lifecycle } from './lifecycle.ts'
import type { Instance, LifecycleTarget, Machine } from './machine.ts'

export type Delivery = 'delivered' | 'expired' | 'gone'

/** What every machine here runs. */
export const PLATFORM = { name: 'Debian GNU/Linux', version: '12' }

interface NodeParts {
  readonly machine: Machine
  readonly environment: Readonly<Record<string, string>>
  readonly region: string
  /** A session of a role, in this machine's name. */
  readonly session: (role: string) => ReturnType<Instance['credentials']>
  /** What runs documents in place of the agent's processes: for fleets too large to have any. */
  readonly agent?: NodeAgent
}

/** What a machine's agent does for Systems Manager. */
export type NodeAgent = Pick<Agent, 'run' | 'cancel' | 'reboot' | 'stop'>

/** A machine as Systems Manager knows it. */
export class ManagedNode implements Instance {
  readonly machine: Machine
  readonly environment: Readonly<Record<string, string>>
  readonly credentials: Instance['credentials']
  readonly agent: NodeAgent
  /** Its way through its Auto Scaling group. */
  readonly group: Lifecycle | undefined
  readonly registeredAt = Date.now()
  state: 'online' | 'lost' | 'gone' = 'online'
  readonly #region: string
  readonly #tags: { readonly at: number; readonly tags: Readonly<Record<string, string>> }[]
  readonly #session: NodeParts['session']
  #late = 0
  #commandsToLose = 0
  #repliesToLose = 0
  readonly #changes = new EventEmitter()

  constructor({ machine, environment, region, session, agent }: NodeParts) {
    this.credentials = () => session(machine.role)
    this.machine = machine
    this.#tags = [{ at: this.registeredAt, tags: machine.tags }]
    this.environment = environment
    this.#region = region
    this.#session = session
    this.agent = agent ?? new Agent(machine, () => ({ ...environment, ...this.#agentVariables() }))
    this.group = machine.group && new Lifecycle(machine.group, () => this.leave())
    this.#changes.setMaxListeners(0)
  }

  get id(): string {
    return this.machine.id
  }

  get workdir(): string {
    return this.machine.workdir
  }

  get tags(): Readonly<Record<string, string>> {
    return this.tagsAt(Date.now())
  }

  /** What can be seen of its tags while their changes take some time to get around. */
  tagsAt(horizon: number): Readonly<Record<string, string>> {
    return this.#tags.findLast(({ at }) => at <= horizon)?.tags ?? {}
  }

  retag(tags: Readonly<Record<string, string>>): void {
    this.#tags.push({ at: Date.now(), tags })
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

  get lifecycle(): string | undefined {
    return this.group?.state
  }

  bringTo(target: LifecycleTarget): void {
    this.group?.bringTo(target)
  }

  hooksTimeOut(result: 'CONTINUE' | 'ABANDON'): void {
    this.group?.timeOut(result)
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

  /** Waits for the agent to take a message in time; one that comes too late is held until all is over. */
  async receive(deadline: number, over = deadline): Promise<Delivery> {
    if (!(await this.#reachable(deadline))) return this.state === 'gone' ? 'gone' : this.#expire(over)
    if (this.#commandsToLose > 0) {
      this.#commandsToLose -= 1
      return this.#expire(over)
    }
    if (this.#late > 0) await sleep(Math.min(this.#late, deadline - Date.now()), undefined, { ref: false })
    // It may have been terminated meanwhile.
    if (this.state === 'gone') return 'gone'
    return Date.now() >= deadline ? this.#expire(over) : 'delivered'
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
