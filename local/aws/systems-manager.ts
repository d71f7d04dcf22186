import { z } from 'zod'
import { type Account, arn, uuid } from './account.ts'
import { AwsError } from './aws-error.ts'
import type { Caller, Operation } from './caller.ts'
import { bindParameters, type CommandDocument } from './document.ts'
import type { FaultPlan } from './faults.ts'
import { type Fleet, type ManagedNode, PLATFORM } from './fleet.ts'
import { parseInput } from './input.ts'
import { paginate } from './parameter-store.ts'
import { Command, type CommandRequest, type Execution, shownOutput } from './run-command.ts'

const TARGET = z.strictObject({ Key: z.string(), Values: z.array(z.string()).min(1).max(50) })
const SHARE = z.string().regex(/^([1-9][0-9]*|[1-9][0-9]%|[1-9]%|100%)$/)
const ERRORS = z.string().regex(/^([1-9][0-9]*|[0]|[1-9][0-9]%|[0-9]%|100%)$/)
const PAGE = { MaxResults: z.number().int().min(1).max(50).default(50), NextToken: z.string().optional() }

export interface SystemsManagerParts {
  readonly account: Account
  readonly documents: readonly CommandDocument[]
  readonly fleet: Fleet
  readonly faults: FaultPlan
  /** TimeoutSeconds may not be less: 30 on AWS, 1 where durations are declared short. */
  readonly minimumTimeout: number
  readonly background: (work: Promise<unknown>) => void
}

/** Run Command and the roll call, as Systems Manager's API reference describes them. */
export class SystemsManager {
  readonly commands: Command[] = []
  readonly #parts: SystemsManagerParts
  readonly operations: Readonly<Record<string, Operation>> = {
    SendCommand: (input, caller) => this.#send(input, caller),
    ListCommands: (input, caller) => this.#list(input, caller),
    ListCommandInvocations: (input, caller) => this.#listInvocations(input, caller),
    DescribeInstanceInformation: (input, caller) => this.#describeInstances(input, caller),
  }

  constructor(parts: SystemsManagerParts) {
    this.#parts = parts
  }

  async #send(input: unknown, caller: Caller) {
    const request = parseInput(
      {
        DocumentName: z.string(),
        DocumentVersion: z.string().optional(),
        InstanceIds: z.array(z.string()).max(50).default([]),
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
    const targets = InstanceIds.length > 0 ? [{ Key: 'InstanceIds', Values: InstanceIds }] : Targets
    if (targets.length === 0)
      throw new AwsError('ValidationException', 'InstanceIds or Targets must be given.')
    await caller.need('ssm:SendCommand', this.#documentArn(request.DocumentName))
    const nodes = this.#resolve(targets)
    for (const node of nodes) await this.#needNode(node, caller)
    const document = this.#document(request.DocumentName, request.DocumentVersion)
    const command = this.#start({
      id: uuid(this.#parts.account),
      document,
      parameters: Parameters,
      bound: bindParameters(document, Parameters),
      targets,
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
  #resolve(targets: CommandRequest['targets']): ManagedNode[] {
    const { fleet } = this.#parts
    const ids = targets.find(({ Key }) => Key === 'InstanceIds')
    if (ids) return fleet.byId(ids.Values)
    return fleet.matching(targets.map(({ Key, Values }) => ({ key: Key, values: Values })))
  }

  /** The document and every instance are resources of their own; a tag is the instance's, not the request's. */
  async #needNode({ id, tags }: ManagedNode, caller: Caller): Promise<void> {
    const { account } = this.#parts
    const resource = id.startsWith('mi-')
      ? arn(account, 'ssm', `managed-instance/${id}`)
      : arn(account, 'ec2', `instance/${id}`)
    const context = Object.entries(tags).flatMap(([key, value]) => [
      [`ssm:resourceTag/${key}`, value] as const,
      [`aws:ResourceTag/${key}`, value] as const,
    ])
    await caller.need('ssm:SendCommand', resource, Object.fromEntries(context))
  }

  #document(id: string, version = '$DEFAULT'): CommandDocument {
    const document = this.#parts.documents.find(({ name }) => id === name || this.#documentArn(name) === id)
    if (!document) throw new AwsError('InvalidDocument', `document with name ${id} does not exist.`)
    if (['1', '$DEFAULT', '$LATEST'].includes(version)) return document
    throw new AwsError('InvalidDocumentVersion', `the document version ${version} does not exist.`)
  }

  #documentArn(id: string): string {
    return id.startsWith('arn:') ? id : arn(this.#parts.account, 'ssm', `document/${id}`)
  }

  #start(request: CommandRequest): Command {
    const command = new Command(request)
    this.commands.push(command)
    this.#parts.background(command.run())
    return command
  }

  async #list(input: unknown, caller: Caller) {
    const { CommandId, MaxResults, NextToken } = parseInput(
      { CommandId: z.string().optional(), ...PAGE },
      input,
    )
    await caller.need('ssm:ListCommands', '*')
    const { page, next } = paginate(this.#chosen(CommandId), MaxResults, NextToken)
    return { Commands: page.map((command) => describeCommand(command, { counted: true })), ...next }
  }

  async #listInvocations(input: unknown, caller: Caller) {
    const { CommandId, InstanceId, Details, MaxResults, NextToken } = parseInput(
      {
        CommandId: z.string().optional(),
        InstanceId: z.string().optional(),
        Details: z.boolean().default(false),
        ...PAGE,
      },
      input,
    )
    await caller.need('ssm:ListCommandInvocations', '*')
    // Right after SendCommand the list is empty and the answer 200.
    const horizon = Date.now() - this.#parts.faults.commandsLag
    const all = this.#chosen(CommandId)
      .filter(({ requestedAt }) => requestedAt <= horizon)
      .flatMap((command) => command.invocations.map((execution) => ({ command, execution })))
      .filter(({ execution }) => InstanceId === undefined || execution.instance === InstanceId)
    const { page, next } = paginate(all, MaxResults, NextToken)
    const CommandInvocations = page.map(({ command, execution }) =>
      describeInvocation(command, execution, Details),
    )
    return { CommandInvocations, ...next }
  }

  #chosen(id: string | undefined): Command[] {
    if (id === undefined) return this.commands.toReversed()
    const command = this.commands.find((one) => one.id === id)
    return command ? [command] : []
  }

  async #describeInstances(input: unknown, caller: Caller) {
    const { Filters, MaxResults, NextToken } = parseInput(
      { Filters: z.array(TARGET).default([]), ...PAGE },
      input,
    )
    await caller.need('ssm:DescribeInstanceInformation', '*')
    const members = this.#parts.fleet.matching(
      Filters.map(({ Key, Values }) => ({ key: Key, values: Values })),
    )
    const { page, next } = paginate(members, MaxResults, NextToken)
    return { InstanceInformationList: page.map(describeInstance), ...next }
  }
}

function describeCommand(command: Command, shown: { status?: string; counted: boolean }) {
  const { request, counts } = command
  const { document, parameters, targets } = request
  return {
    CommandId: request.id,
    DocumentName: document.name,
    DocumentVersion: '1',
    Comment: request.comment,
    Parameters: parameters,
    InstanceIds: targets.flatMap(({ Key, Values }) => (Key === 'InstanceIds' ? Values : [])),
    Targets: targets,
    RequestedDateTime: request.requestedAt / 1000,
    ExpiresAfter: command.expiresAt / 1000,
    Status: shown.status ?? command.status,
    StatusDetails: shown.status ?? command.statusDetails,
    MaxConcurrency: request.maxConcurrency,
    MaxErrors: request.maxErrors,
    TimeoutSeconds: request.timeoutSeconds,
    // SendCommand's own answer counts nothing yet.
    TargetCount: shown.counted ? command.invocations.length : 0,
    CompletedCount: shown.counted ? counts.completed : 0,
    ErrorCount: shown.counted ? counts.errors : 0,
    DeliveryTimedOutCount: shown.counted ? counts.deliveryTimedOut : 0,
  }
}

function describeInvocation({ request }: Command, execution: Execution, details: boolean) {
  const { status, statusDetails, startedAt, endedAt } = execution
  const plugin = {
    Name: request.document.content.mainSteps[0].name,
    Status: status,
    StatusDetails: statusDetails,
    ResponseCode: execution.exitCode,
    ...(startedAt === undefined ? {} : { ResponseStartDateTime: startedAt / 1000 }),
    ...(endedAt === undefined ? {} : { ResponseFinishDateTime: endedAt / 1000 }),
    Output: shownOutput(execution),
  }
  return {
    CommandId: request.id,
    InstanceId: execution.instance,
    InstanceName: '',
    Comment: request.comment,
    DocumentName: request.document.name,
    DocumentVersion: '1',
    RequestedDateTime: request.requestedAt / 1000,
    Status: status,
    StatusDetails: statusDetails,
    CommandPlugins: details ? [plugin] : [],
  }
}

function describeInstance({ id, state, machine, registeredAt }: ManagedNode) {
  return {
    InstanceId: id,
    PingStatus: state === 'online' ? 'Online' : 'ConnectionLost',
    LastPingDateTime: (state === 'online' ? Date.now() : registeredAt) / 1000,
    AgentVersion: machine.agent === 'current' ? '3.3.2746.0' : '3.2.2222.0',
    IsLatestVersion: machine.agent === 'current',
    PlatformType: 'Linux',
    PlatformName: PLATFORM.name,
    PlatformVersion: PLATFORM.version,
    ResourceType: id.startsWith('mi-') ? 'ManagedInstance' : 'EC2Instance',
    ComputerName: id,
  }
}
