import { z } from 'zod'
import { AwsError } from './aws-error.ts'
import type { Caller, Operation } from './caller.ts'
import {
  describeCommand,
  describeDocument,
  describeInstance,
  describeInvocation,
  describeProperties,
  describeRun,
} from './command-shapes.ts'
import { DocumentStore } from './document-store.ts'
import type { FaultPlan } from './faults.ts'
import { paginate } from './parameter-store.ts'
import { parseInput } from './parse-input.ts'
import type { Command } from './run-command.ts'
import { DOCUMENT, INSTANCE_ID, SendCommand, type SendCommandParts, VERSION } from './send-command.ts'

// Lengths and patterns are those of AWS's API reference.
const FILTER = z.strictObject({ Key: z.string().min(1), Values: z.array(z.string().min(1)).min(1).max(100) })
const COMMAND_ID = z.string().length(36)
const page = (least: number) => ({
  MaxResults: z.number().int().min(least).max(50).default(50),
  NextToken: z.string().optional(),
})
// One page holds as many as a filter names.
const PROPERTIES = {
  InstancePropertyFilterList: z.tuple([
    z.strictObject({ key: z.literal('InstanceIds'), valueSet: z.array(INSTANCE_ID).min(1).max(40) }),
  ]),
  MaxResults: z.number().int().min(40).max(1000),
}

interface SystemsManagerParts extends Omit<SendCommandParts, 'documents'> {
  readonly faults: FaultPlan
}

/** Run Command and the roll call, as Systems Manager's API reference describes them. */
export class SystemsManager {
  readonly documents: DocumentStore
  readonly #sending: SendCommand
  readonly #parts: SystemsManagerParts
  readonly operations: Readonly<Record<string, Operation>> = {
    SendCommand: (input, caller) => this.#sending.send(input, caller),
    ListCommands: (input, caller) => this.#list(input, caller),
    ListCommandInvocations: (input, caller) => this.#listInvocations(input, caller),
    GetCommandInvocation: (input, caller) => this.#getInvocation(input, caller),
    CancelCommand: (input, caller) => this.#cancel(input, caller),
    DescribeDocument: (input, caller) => this.#describeDocument(input, caller),
    DescribeInstanceInformation: (input, caller) => this.#describeInstances(input, caller),
    DescribeInstanceProperties: (input, caller) => this.#describeProperties(input, caller),
  }

  constructor(parts: SystemsManagerParts) {
    this.#parts = parts
    this.documents = new DocumentStore(parts.account)
    this.#sending = new SendCommand({ ...parts, documents: this.documents })
  }

  get commands(): readonly Command[] {
    return this.#sending.commands
  }

  async #list(input: unknown, caller: Caller) {
    const { CommandId, MaxResults, NextToken } = parseInput(
      { CommandId: COMMAND_ID.optional(), ...page(1) },
      input,
    )
    await caller.need('ssm:ListCommands', '*')
    const { page: some, next } = paginate(this.#listed(CommandId), MaxResults, NextToken)
    return { Commands: some.map((command) => describeCommand(command, { counted: true })), ...next }
  }

  async #listInvocations(input: unknown, caller: Caller) {
    const { CommandId, InstanceId, Details, MaxResults, NextToken } = parseInput(
      {
        CommandId: COMMAND_ID.optional(),
        InstanceId: INSTANCE_ID.optional(),
        Details: z.boolean().default(false),
        ...page(1),
      },
      input,
    )
    await caller.need('ssm:ListCommandInvocations', '*')
    const all = this.#listed(CommandId)
      .flatMap((command) => command.invocations.map((execution) => ({ command, execution })))
      .filter(({ execution }) => InstanceId === undefined || execution.instance === InstanceId)
    const { page: some, next } = paginate(all, MaxResults, NextToken)
    const CommandInvocations = some.map(({ command, execution }) =>
      describeInvocation(command, execution, Details),
    )
    return { CommandInvocations, ...next }
  }

  async #getInvocation(input: unknown, caller: Caller) {
    const { CommandId, InstanceId, PluginName } = parseInput(
      { CommandId: COMMAND_ID, InstanceId: INSTANCE_ID, PluginName: z.string().min(4).optional() },
      input,
    )
    await caller.need('ssm:GetCommandInvocation', '*')
    const [command] = this.#listed(CommandId)
    const execution = command?.invocations.find(({ instance }) => instance === InstanceId)
    if (!command || !execution) throw new AwsError('InvocationDoesNotExist', '')
    if (PluginName !== undefined && PluginName !== command.request.document.content.mainSteps[0].name)
      throw new AwsError('InvalidPluginName', '')
    return describeRun(command, execution)
  }

  async #cancel(input: unknown, caller: Caller) {
    const { CommandId, InstanceIds } = parseInput(
      { CommandId: COMMAND_ID, InstanceIds: z.array(INSTANCE_ID).max(50).default([]) },
      input,
    )
    await caller.need('ssm:CancelCommand', '*')
    const command = this.commands.find(({ id }) => id === CommandId)
    if (!command) throw new AwsError('InvalidCommandId', '')
    command.cancel(InstanceIds)
    return {}
  }

  async #describeDocument(input: unknown, caller: Caller) {
    const { Name, DocumentVersion } = parseInput(
      { Name: DOCUMENT, DocumentVersion: VERSION.optional() },
      input,
    )
    await caller.need('ssm:DescribeDocument', this.documents.arnOf(Name))
    return { Document: describeDocument(this.documents.find(Name, DocumentVersion), this.#parts.account) }
  }

  /** Right after SendCommand the lists are empty and the answer is 200. */
  #listed(id: string | undefined): Command[] {
    const horizon = Date.now() - this.#parts.faults.commandsLag
    const listed = this.commands.filter(({ requestedAt }) => requestedAt <= horizon)
    return id === undefined ? listed.toReversed() : listed.filter((command) => command.id === id)
  }

  async #describeInstances(input: unknown, caller: Caller) {
    const { Filters, MaxResults, NextToken } = parseInput(
      { Filters: z.array(FILTER).default([]), ...page(5) },
      input,
    )
    await caller.need('ssm:DescribeInstanceInformation', '*')
    const members = this.#parts.fleet.matching(
      Filters.map(({ Key, Values }) => ({ key: Key, values: Values })),
    )
    const { page: some, next } = paginate(members, MaxResults, NextToken)
    return { InstanceInformationList: some.map(describeInstance), ...next }
  }

  /** One id that is not known refuses them all. */
  async #describeProperties(input: unknown, caller: Caller) {
    const {
      InstancePropertyFilterList: [{ valueSet }],
    } = parseInput(PROPERTIES, input)
    await caller.need('ssm:DescribeInstanceProperties', '*')
    const { account, fleet } = this.#parts
    const found = fleet.members.filter(({ id }) => valueSet.includes(id))
    if (found.length < new Set(valueSet).size) throw new AwsError('InvalidInstanceId', '')
    return { InstanceProperties: found.map((node) => describeProperties(node, account)) }
  }
}
