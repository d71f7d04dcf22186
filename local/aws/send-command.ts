import { z } from 'zod'
import { type Account, arn, uuid } from './account.ts'
import { AwsError, codeOf } from './aws-error.ts'
import type { CallBook, Caller } from './caller.ts'
import { describeCommand } from './command-shapes.ts'
import { roleSession } from './credentials.ts'
import { bindParameters } from './document.ts'
import type { DocumentStore } from './document-store.ts'
import { type Fleet, INSTANCE } from './fleet.ts'
import type { ManagedNode } from './managed-node.ts'
import { resolveReferences } from './parameter-references.ts'
import type { ParameterStore } from './parameter-store.ts'
import { parseInput } from './parse-input.ts'
import { Command, type CommandRequest } from './run-command.ts'

// Lengths and patterns are those of AWS's API reference.
const TARGET = z.strictObject({ Key: z.string().min(1).max(163), Values: z.array(z.string()).min(1).max(50) })
const SHARE = z.string().regex(/^([1-9][0-9]*|[1-9][0-9]%|[1-9]%|100%)$/)
const ERRORS = z.string().regex(/^([1-9][0-9]*|[0]|[1-9][0-9]%|[0-9]%|100%)$/)
export const DOCUMENT = z.string().regex(/^[a-zA-Z0-9_\-.:/]{3,128}$/)
export const VERSION = z.string().regex(/^([$]LATEST|[$]DEFAULT|[1-9][0-9]*)$/)
export const INSTANCE_ID = z.string().regex(INSTANCE)

export interface SendCommandParts {
  readonly account: Account
  readonly fleet: Fleet
  readonly calls: CallBook
  readonly parameters: ParameterStore
  readonly documents: DocumentStore
  /** TimeoutSeconds may not be less: 30 on AWS, 1 where durations are declared short. */
  readonly minimumTimeout: number
  readonly background: (work: Promise<unknown>) => void
}

/** SendCommand: who may send what to which machines, and the command that comes of it. */
export class SendCommand {
  /** Every command that was sent. */
  readonly commands: Command[] = []
  readonly #parts: SendCommandParts

  constructor(parts: SendCommandParts) {
    this.#parts = parts
  }

  async send(input: unknown, caller: Caller) {
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
    await caller.need('ssm:SendCommand', this.#parts.documents.arnOf(request.DocumentName))
    const nodes = this.#resolve(InstanceIds, Targets)
    for (const node of nodes) await this.#needNode(node, caller)
    const document = this.#parts.documents.find(request.DocumentName, request.DocumentVersion)
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
}
