import { z } from 'zod'
import { type Account, arn, uuid } from './account.ts'
import { AwsError, codeOf } from './aws-error.ts'
import type { CallBook, Caller, Operation } from './caller.ts'
import {
  describeCommand,
  describeDocument,
  describeInstance,
  describeInvocation,
  describeRun,
} from './command-shapes.ts'
import { roleSession } from './credentials.ts'
import { bindParameters, type CommandDocument } from './document.ts'
import type { FaultPlan } from './faults.ts'
import { type Fleet, INSTANCE } from './fleet.ts'
import { parseInput } from './input.ts'
import type { ManagedNode } from './managed-node.ts'
import { resolveReferences } from './parameter-references.ts'
import { type ParameterStore, paginate } from './parameter-store.ts'
import { Command, type CommandRequest } from './run-command.ts'

// Lengths and patterns are those of AWS's API reference.
const TARGET = z.strictObject({ Key: z.string().min(1).max(163), Values: z.array(z.string()).min(1).max(50) })
const FILTER = z.strictObject({ Key: z.string().min(1), Values: z.array(z.string().min(1)).min(1).max(100) })
const SHARE = z.string().regex(/^([1-9][0-9]*|[1-9][0-9]%|[1-9]%|100%)$/)
const ERRORS = z.string().regex(/^([1-9][0-9]*|[0]|[1-9][0-9]%|[0-9]%|100%)$/)
const COMMAND_ID = z.string().length(36)
const DOCUMENT = z.string().regex(/^[a-zA-Z0-9_\-.:/]{3,128}$/)
const VERSION = z.string().regex(/^([$]LATEST|[$]DEFAULT|[1-9][0-9]*)$/)
const INSTANCE_ID = z.string().regex(INSTANCE)
const page = (least: number) => ({
  MaxResults: z.number().int().min(least).max(50).default(50),
  NextToken: z.string().optional(),
})

export interface SystemsManagerParts {
  readonly account: Account
  readonly fleet: Fleet
  readonly faults: FaultPlan
  readonly calls: CallBook
  readonly parameters: ParameterStore
  /** TimeoutSeconds may not be less: 30 on AWS, 1 where durations are declared short. */
  readonly minimumTimeout: number
  readonly background: (work: Promise<unknown>) => void
}

/** Run Command and the roll call, as Systems Manager's API reference describes them. */
export class SystemsManager {
  readonly commands: Command[] = []
  readonly #documents = new Map<string, CommandDocument>()
  readonly #parts: SystemsManagerParts
  readonly operations: Readonly<Record<string, Operation>> = {
    SendCommand: (input, caller) => this.#send(input, caller),
    ListCommands: (input, caller) => this.#list(input, caller),
    ListCommandInvocations: (input, caller) => this.#listInvocations(input, caller),
    GetCommandInvocation: (input, caller) => this.#getInvocation(input, caller),
    CancelCommand: (input, caller) => this.#cancel(input, caller),
    DescribeDocument: (input, caller) => this.#describeDocument(input, caller),
    DescribeInstanceInformation: (input, caller) => this.#describeInstances(input, caller),
  }

  constructor(parts: SystemsManagerParts) {
    this.#parts = parts
  }

  put(document: CommandDocument): void {
    this.#documents.set(document.name, document)
  }

  remove(name: string): void {
    this.#documents.delete(name)
  }

  async #send(input: unknown, caller: Caller) {
    const request = parseInput(
      {
        DocumentName: DOCUMENT,
        DocumentVersion: VERSION.optional(),
        InstanceIds: z.array(INSTANCE_ID).max(50).default([]),
        Targets: z.array(TARGET).max(5).default([]),
        Parameters: z.record(z.string(), z.array(z.string())).default({}),
        MaxConcurrency: SHARE.default('50'),
        MaxErrors: ERRORS.default('0'),
        TimeoutSeconds: z.number().int().min(this.#parts.minimumTimeout).max(2_592_000).default(3600),
        Comment: z.string().max(100).default(''),
      },
      input,
    )
    const { InstanceIds, Targets, Parameters } = request
    if (InstanceIds.length + Targets.length === 0)
      throw new AwsError('ValidationException', 'InstanceIds or Targets must be given.')
    await caller.need('ssm:SendCommand', this.#documentArn(request.DocumentName))
    const nodes = this.#resolve(InstanceIds, Targets)
    for (const node of nodes) await this.#needNode(node, caller)
    const document = this.#document(request.DocumentName, request.DocumentVersion)
    const bound = bindParameters(document, Parameters)
    const command = this.#start({
      id: uuid(this.#parts.account),
      document,
      parameters: Parameters,
      valuesOn: (node) => resolveReferences(document, bound, (names) => this.#getParameters(names, node)),
      instances: InstanceIds,
      targets: Targets,
      nodes,
      comment: request.Comment,
      maxConcurrency: request.MaxConcurrency,
      maxErrors: request.MaxErrors,
      timeoutSeconds: request.TimeoutSeconds,
      requestedAt: Date.now(),
    })
    return { Command: describeCommand(command, { status: 'Pending', counted: false }) }
  }

  /** Tags are resolved now: who is tagged later is none of this command's business. */
  #resolve(instances: readonly string[], targets: CommandRequest['targets']): ManagedNode[] {
    const { fleet } = this.#parts
    const named = targets.find(({ Key }) => Key.toLowerCase() === 'instanceids')
    if (new Set(instances).size < instances.length) throw new AwsError('DuplicateInstanceId', '')
    if (instances.length > 0 || named) return fleet.byId(named?.Values ?? instances)
    return fleet.matching(targets.map(({ Key, Values }) => ({ key: Key, values: Values })))
  }

  /** The document and every instance are resources of their own; a tag is the instance's, not the request's. */
  async #needNode(node: ManagedNode, caller: Caller): Promise<void> {
    const { account, fleet } = this.#parts
    const { id } = node
    const resource = id.startsWith('mi-')
      ? arn(account, 'ssm', `managed-instance/${id}`)
      : arn(account, 'ec2', `instance/${id}`)
    const context = Object.entries(fleet.tagsOf(node)).flatMap(([key, value]) => [
      [`ssm:resourceTag/${key}`, value] as const,
      [`aws:ResourceTag/${key}`, value] as const,
    ])
    await caller.need('ssm:SendCommand', resource, Object.fromEntries(context))
  }

  #document(id: string, version = '$DEFAULT'): CommandDocument {
    const document = [...this.#documents.values()].find(
      ({ name }) => id === name || this.#documentArn(name) === id,
    )
    if (!document) throw new AwsError('InvalidDocument', `document with name ${id} does not exist.`)
    if (['1', '$DEFAULT', '$LATEST'].includes(version)) return document
    throw new AwsError('InvalidDocumentVersion', `the document version ${version} does not exist.`)
  }

  #documentArn(id: string): string {
    return id.startsWith('arn:') ? id : arn(this.#parts.account, 'ssm', `document/${id}`)
  }

  /** In the name of the machine's own role. */
  async #getParameters(Names: readonly string[], { id, machine }: ManagedNode): Promise<Map<string, string>> {
    const { account, calls, parameters } = this.#parts
    const session = roleSession(account, 'instance', machine.hostManagementRole ?? machine.role, id)
    const { call, caller } = calls.open('ssm', 'GetParameters', session)
    const { Parameters } = await parameters.getMany({ Names }, caller).catch((error: unknown) => {
      call.error = codeOf(error)
      throw error
    })
    return new Map(Parameters.map(({ Name, Value }) => [Name, Value]))
  }

  #start(request: CommandRequest): Command {
    const command = new Command(request)
    this.commands.push(command)
    this.#parts.background(command.run())
    return command
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
    await caller.need('ssm:DescribeDocument', this.#documentArn(Name))
    return { Document: describeDocument(this.#document(Name, DocumentVersion), this.#parts.account) }
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
}
