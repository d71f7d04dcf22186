import {
  type CommandInvocation,
  ListCommandInvocationsCommand,
  type ListCommandInvocationsCommandInput,
  type ListCommandInvocationsCommandOutput,
  ListCommandsCommand,
  SendCommandCommand,
  type SSMClient,
  type Target,
} from '@aws-sdk/client-ssm'
import { maxConcurrencyOf, maxFailuresOf } from '../fleet/configuration.ts'
import type { Invocation } from '../fleet/evidence.ts'
import type { CommandSender, Progress, ResultPage } from '../fleet/ports.ts'
import type { Address } from '../fleet/rollout.ts'
import type { RotationConfiguration } from '../ring/configuration.ts'
import type { Order } from '../ring/ports.ts'
import type { StapleConfiguration } from '../staples/configuration.ts'
import { messageOf } from '../staples/message.ts'
import type { StapleOrder } from '../staples/ports.ts'
import { isNamed, refusal } from './refusal.ts'

/** What is not ramped goes to all at once, and is not stopped by who fails. */
const ALL = '100%'
/** Invocations on a page, the most there is. */
const PAGE = 50
const TERMINAL = new Set(['Success', 'Cancelled', 'Failed', 'TimedOut'])

/** Which document runs where. */
type Channel = Pick<RotationConfiguration, 'document' | 'target' | 'canary'>

/** An order in the document's own words. */
interface Wording {
  readonly parameters: Readonly<Record<string, readonly string[]>>
  /** At most 100 characters, for an operator who reads the command history. */
  readonly comment: string
}

/** Run Command of AWS Systems Manager, in one Region, for whatever is to be brought. */
class RunCommandSender<O extends Address> implements CommandSender<O> {
  readonly #client: SSMClient
  readonly #channel: Channel
  readonly #word: (order: O) => Wording

  constructor(client: SSMClient, channel: Channel, word: (order: O) => Wording) {
    this.#client = client
    this.#channel = channel
    this.#word = word
  }

  async send(order: O): Promise<readonly string[]> {
    const { document, target } = this.#channel
    const { to, ramp, timeout } = order
    const { parameters, comment } = this.#word(order)
    const command = new SendCommandCommand({
      DocumentName: document.name,
      DocumentVersion: document.version,
      Targets: to === 'all' ? this.#tagged(order) : [{ Key: 'InstanceIds', Values: [...to] }],
      Parameters: Object.fromEntries(Object.entries(parameters).map(([name, values]) => [name, [...values]])),
      MaxConcurrency: ramp ? `${maxConcurrencyOf(target)}%` : ALL,
      MaxErrors: ramp ? `${maxFailuresOf(target)}%` : ALL,
      TimeoutSeconds: timeout,
      Comment: comment,
    })
    try {
      const { Command } = await this.#client.send(command)
      return Command?.CommandId === undefined ? [] : [Command.CommandId]
    } catch (error) {
      const codes = {
        InvalidDocument: 'document-unknown',
        InvalidDocumentVersion: 'document-unknown',
        InvalidInstanceId: 'instance-invalid',
      } as const
      throw refusal(error, `to send ${document.name}, version ${document.version}`, codes)
    }
  }

  /** Of two keys a machine has to have both. Source: Run Command, "Targeting multiple tags". */
  #tagged({ canary }: Address): Target[] {
    const tags = [this.#channel.target, ...(canary && this.#channel.canary ? [this.#channel.canary] : [])]
    return tags.map(({ tag, values }) => ({ Key: `tag:${tag}`, Values: [...values] }))
  }

  async progress(command: string): Promise<Progress> {
    try {
      const { Commands } = await this.#client.send(new ListCommandsCommand({ CommandId: command }))
      const [found] = Commands ?? []
      if (found === undefined) return UNKNOWN
      return {
        state: TERMINAL.has(found.Status ?? '') ? 'ended' : 'running',
        targets: found.TargetCount ?? 0,
        completed: found.CompletedCount ?? 0,
      }
    } catch (error) {
      if (isNamed(error, 'InvalidCommandId')) return UNKNOWN
      throw refusal(error, `the status of command ${command}`)
    }
  }

  async results(command: string, page?: string): Promise<ResultPage> {
    const asked = { MaxResults: PAGE, ...(page === undefined ? {} : { NextToken: page }) }
    const { CommandInvocations, NextToken } = await this.#list(command, asked)
    return {
      invocations: (CommandInvocations ?? []).flatMap(toInvocation),
      ...(NextToken ? { next: NextToken } : {}),
    }
  }

  async resultOf(command: string, instance: string): Promise<Invocation | undefined> {
    const { CommandInvocations } = await this.#list(command, { InstanceId: instance })
    return (CommandInvocations ?? []).flatMap(toInvocation).find(({ id }) => id === instance)
  }

  async #list(command: string, asked: Asked): Promise<Page> {
    try {
      return await this.#client.send(
        new ListCommandInvocationsCommand({ CommandId: command, Details: true, ...asked }),
      )
    } catch (error) {
      if (isNamed(error, 'InvalidCommandId')) return NO_PAGE
      throw refusal(error, `the results of command ${command}`)
    }
  }
}

/** Brings generations of a ring. */
export class RingCommandSender extends RunCommandSender<Order> {
  constructor(client: SSMClient, configuration: Channel & Pick<RotationConfiguration, 'ring'>) {
    super(client, configuration, ({ generation, program }) => ({
      parameters: {
        Generation: [String(generation)],
        ...(program === undefined ? {} : { Program: [program] }),
      },
      comment: `ticketring: ${configuration.ring}, generation ${generation} or later`,
    }))
  }
}

/** Brings staples to the machines of a set. */
export class StapleCommandSender extends RunCommandSender<StapleOrder> {
  constructor(client: SSMClient, configuration: Channel & Pick<StapleConfiguration, 'set'>) {
    super(client, configuration, ({ message }) => ({
      parameters: { Staples: [messageOf(message)] },
      comment: `ticketring: staples of ${configuration.set}, ${message === 'all' ? 'all' : message.length}`,
    }))
  }
}

type Asked = Pick<ListCommandInvocationsCommandInput, 'InstanceId' | 'MaxResults' | 'NextToken'>
type Page = Pick<ListCommandInvocationsCommandOutput, 'CommandInvocations' | 'NextToken'>

const NO_PAGE: Page = { CommandInvocations: [], NextToken: undefined }

const UNKNOWN: Progress = { state: 'unknown', targets: 0, completed: 0 }

function toInvocation({
  InstanceId,
  StatusDetails,
  Status,
  CommandPlugins,
}: CommandInvocation): Invocation[] {
  if (!InstanceId) return []
  const [plugin] = CommandPlugins ?? []
  const finishedAt = timeOf(plugin?.ResponseFinishDateTime)
  return [
    {
      id: InstanceId,
      status: StatusDetails ?? Status ?? 'Pending',
      output: plugin?.Output ?? '',
      ...(finishedAt === undefined ? {} : { finishedAt }),
    },
  ]
}

/** A time that is none must not keep a machine from being judged. */
function timeOf(time: Date | undefined): Date | undefined {
  return time === undefined || Number.isNaN(time.getTime()) ? undefined : time
}
