import type { RotationConfiguration } from '../lambda/ring/configuration.ts'
import type { Principal } from '../local/aws/credentials.ts'
import { parseDocument } from '../local/aws/document.ts'
import { ManagedNode, type NodeAgent } from '../local/aws/managed-node.ts'
import { Secret } from '../local/aws/secret-store.ts'
import { addPlaceholder, detach, holderOf, putVersion } from '../local/aws/secret-versions.ts'
import { foundation, front, services } from '../local/aws/services.ts'
import type { Scope } from '../local/scope.ts'
import { ManualClock } from '../test/fakes/clock.ts'
import { SimulatedInstance } from '../test/fakes/fleet.ts'

/** Rows on a page: the most that Systems Manager gives. */
export const PAGE = 50
/** How long a command takes to its end, in ms of the story's own clock. */
export const COMMAND = 20_000

const REGION = 'eu-central-1'
const OPERATOR: Principal = {
  kind: 'operator',
  arn: 'arn:aws:iam::111122223333:user/operator',
  name: 'operator',
}
/** What the machines are sent: none of them runs its lines. */
const DOCUMENT = {
  schemaVersion: '2.2',
  parameters: { Generation: { type: 'String' } },
  mainSteps: [{ action: 'aws:runShellScript', name: 'apply', inputs: { runCommand: ['true'] } }],
}

/** The story's clock: what takes until a time of it ends in the sleep that gets there. */
class StoryClock extends ManualClock {
  /** What goes on in real time until nothing is under way any more. */
  settle: () => Promise<void> = async () => {}
  #waiting: { readonly at: number; readonly resolve: () => void }[] = []

  async until(at: number): Promise<void> {
    if (this.now().getTime() >= at) return
    await new Promise<void>((resolve) => this.#waiting.push({ at, resolve }))
  }

  override async sleep(milliseconds: number): Promise<void> {
    await super.sleep(milliseconds)
    const due = this.#waiting.filter(({ at }) => at <= this.now().getTime())
    if (due.length === 0) return
    this.#waiting = this.#waiting.filter((each) => !due.includes(each))
    for (const { resolve } of due) resolve()
    await this.settle()
  }
}

/** An account of the loopback AWS without a stack: one secret, one document, machines that apply a ring in memory. */
export class LoopbackAccount {
  readonly clock = new StoryClock()
  readonly #configuration: RotationConfiguration
  readonly #base: ReturnType<typeof foundation>
  readonly #parts: ReturnType<typeof services>
  readonly #secret: Secret
  /** When commands end, by id. */
  readonly #ends = new Map<string, number>()
  #endpoint = ''

  constructor(configuration: RotationConfiguration, machines: number) {
    this.#configuration = configuration
    const options = { template: {}, assembly: '', region: REGION, clock: () => this.clock.now().getTime() }
    this.#base = foundation(options)
    this.#parts = services(this.#base, options, () => this.#endpoint)
    this.clock.settle = () => this.#base.pending.idle()
    this.#secret = this.#makeSecret()
    for (const name of configuration.calendars ?? [])
      this.#parts.calendars.set(name, { type: 'DEFAULT_OPEN', events: [] })
    this.#parts.systemsManager.documents.put(parseDocument('Document', configuration.document.name, DOCUMENT))
    for (let index = 0; index < machines; index += 1) this.#join(index)
  }

  /** Listens on a free port of loopback. @returns what the SDK's clients are made of; they sign by the story's clock. */
  async open(scope: Scope) {
    const { credentials, account } = this.#base
    const wire = front(this.#base, this.#parts)
    this.#endpoint = await wire.listen()
    scope.defer(() => wire.close())
    return { endpoint: this.#endpoint, region: account.region, credentials: credentials.issueKey(OPERATOR) }
  }

  /** How often each operation was called since the last time that this was asked. */
  takeCounts(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>()
    for (const { operation } of this.#base.calls.calls.splice(0))
      counts.set(operation, (counts.get(operation) ?? 0) + 1)
    return counts
  }

  get calls(): number {
    return this.#base.calls.calls.length
  }

  /** What Secrets Manager does around the four steps of its own rotation. */
  async rotate(token: string, steps: () => Promise<void>): Promise<void> {
    this.#secret.update((versions) => addPlaceholder(versions, token, this.#base.account.now()))
    await steps()
    if (holderOf(this.#secret.versions, 'AWSPENDING')?.id === token)
      this.#secret.update((versions) => detach(versions, 'AWSPENDING'))
  }

  #makeSecret(): Secret {
    const { account, faults } = this.#base
    const { secret: arn, ring, trigger } = this.#configuration
    const secret = new Secret({ name: `ticketring/${ring}`, arn, tags: {} }, account, faults)
    const first = { id: 'first-0000-0000-0000-000000000000', value: '{}', labels: [], now: account.now() }
    secret.seed(putVersion(new Map(), first))
    if (trigger === 'secrets-manager') secret.rotation = { functionArn: '', expression: undefined }
    this.#parts.secrets.secrets.push(secret)
    return secret
  }

  #join(index: number): void {
    const id = `i-${index.toString(16).padStart(17, '0')}`
    const { tag, values } = this.#configuration.target
    const tags = { [tag]: values[0] as string }
    const machine = { id, tags, role: 'fleet', agent: 'current', environment: {}, workdir: '' } as const
    const session = () => this.#base.credentials.issueSession(OPERATOR)
    const agent = this.#agentOf(new SimulatedInstance(id))
    this.#parts.fleet.add(new ManagedNode({ machine, environment: {}, region: REGION, session, agent }))
  }

  /** A command ends on all machines together. */
  #agentOf(instance: SimulatedInstance): NodeAgent {
    return {
      run: async ({ id }, _, { Generation }) => {
        const end = this.#ends.get(id) ?? this.clock.now().getTime() + COMMAND
        this.#ends.set(id, end)
        await this.clock.until(end)
        const value = holderOf(this.#secret.versions, 'AWSCURRENT')?.value ?? '{}'
        const { status, output } = instance.apply(value, this.#configuration.ring, Number(Generation))
        const succeeded = status === 'Success'
        return {
          status: succeeded ? 'Success' : 'Failed',
          exitCode: succeeded ? 0 : 1,
          stdout: output,
          stderr: '',
        }
      },
      cancel() {},
      reboot() {},
      async stop() {},
    }
  }
}
