import { createHash } from 'node:crypto'
import { type Account, zoneOf } from './account.ts'
import { streamOutput } from './agent-output.ts'
import { type Execution, shownOutput } from './command-status.ts'
import type { CommandDocument } from './document.ts'
import { type ManagedNode, PLATFORM } from './managed-node.ts'
import type { Command } from './run-command.ts'

/** Bytes of a run's streams that GetCommandInvocation has. */
const [MAX_STDOUT, MAX_STDERR] = [24_000, 8000]

export function describeCommand(command: Command, shown: { status?: string; counted: boolean }) {
  const { request, counts } = command
  const { document, parameters, instances, targets } = request
  return {
    CommandId: request.id,
    DocumentName: document.name,
    DocumentVersion: '1',
    Comment: request.comment,
    Parameters: parameters,
    InstanceIds: instances,
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

export function describeInvocation({ request }: Command, execution: Execution, details: boolean) {
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

export function describeInstance({ id, state, machine, registeredAt }: ManagedNode) {
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

/** What the console shows of a machine. Source: API reference, InstanceProperty. */
export function describeProperties({ id, state, tags }: ManagedNode, account: Account) {
  return {
    InstanceId: id,
    Name: tags.Name ?? '',
    PingStatus: state === 'online' ? 'Online' : 'ConnectionLost',
    PlatformType: 'Linux',
    PlatformName: PLATFORM.name,
    PlatformVersion: PLATFORM.version,
    ComputerName: id,
    ...(id.startsWith('mi-') ? {} : { AvailabilityZone: zoneOf(account) }),
  }
}

/** GetCommandInvocation: one run with its whole streams, as far as the agent keeps them. */
export function describeRun({ request }: Command, execution: Execution) {
  const { instance, status, statusDetails, exitCode, startedAt, endedAt } = execution
  const unheard = statusDetails === 'DeliveryTimedOut'
  const iso = (time: number | undefined) => (time === undefined ? '' : new Date(time).toISOString())
  return {
    CommandId: request.id,
    InstanceId: instance,
    Comment: request.comment,
    DocumentName: request.document.name,
    DocumentVersion: '1',
    PluginName: request.document.content.mainSteps[0].name,
    ResponseCode: exitCode,
    ExecutionStartDateTime: iso(startedAt),
    ExecutionElapsedTime:
      startedAt === undefined || endedAt === undefined ? '' : `PT${(endedAt - startedAt) / 1000}S`,
    ExecutionEndDateTime: iso(startedAt === undefined ? undefined : endedAt),
    Status: status,
    StatusDetails: statusDetails,
    StandardOutputContent: unheard ? '' : streamOutput(execution.stdout, MAX_STDOUT),
    StandardOutputUrl: '',
    StandardErrorContent: unheard ? '' : streamOutput(execution.stderr, MAX_STDERR),
    StandardErrorUrl: '',
    CloudWatchOutputConfig: { CloudWatchLogGroupName: '', CloudWatchOutputEnabled: false },
  }
}

export function describeDocument({ name, content, text }: CommandDocument, { id }: Account) {
  return {
    Hash: createHash('sha256').update(text).digest('hex'),
    HashType: 'Sha256',
    Name: name,
    Owner: id,
    Status: 'Active',
    DocumentVersion: '1',
    DefaultVersion: '1',
    LatestVersion: '1',
    ...(content.description === undefined ? {} : { Description: content.description }),
    Parameters: Object.entries(content.parameters).map(([Name, { type, description, default: value }]) => ({
      Name,
      Type: type,
      ...(description === undefined ? {} : { Description: description }),
      ...(value === undefined ? {} : { DefaultValue: value }),
    })),
    PlatformTypes: ['Linux'],
    DocumentType: 'Command',
    SchemaVersion: content.schemaVersion,
    DocumentFormat: 'JSON',
    Tags: [],
  }
}
