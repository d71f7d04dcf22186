import { setTimeout as sleep } from 'node:timers/promises'
import {
  DescribeInstanceInformationCommand,
  ListCommandInvocationsCommand,
  ListCommandsCommand,
  SendCommandCommand,
  SSMClient,
} from '@aws-sdk/client-ssm'
import type { Io } from '../command.ts'
import { ServiceError } from '../service-error.ts'
import { type Account, clientOptions, refusalOf } from './account.ts'
import { BEGIN_WITHIN, type Order, type SystemsManager, type Targets, type Watch } from './run-command.ts'

/** Machines or results on a page, the most there is. */
const PAGE = 50
const TERMINAL = new Set(['Success', 'Cancelled', 'Failed', 'TimedOut'])
/** Told by the machine's agent. Source: RFC 1123 §2.1, and underscores. */
const NAME = /^[A-Za-z0-9_.-]{1,255}$/

/** What an operator sees meanwhile. */
export function watchedOn({ state, now }: Pick<Io, 'state' | 'now'>): Watch {
  const start = now()
  const onProgress = (answered: number, asked: number) =>
    state(`${answered} of ${asked} machines have answered, ${Math.round((now() - start) / 1000)} s`)
  return { now, wait: sleep, onProgress }
}

/** By the SDK, which waits and asks again where it is throttled. */
export function systemsManager(account: Account): SystemsManager {
  const client = new SSMClient(clientOptions(account))
  const refused = (action: string) => (error: unknown) => {
    throw refusalOf(error, account, action)
  }
  return {
    machines: async (targets, page) => {
      const asked = { Filters: [tagged(targets)], MaxResults: PAGE, NextToken: page }
      const { InstanceInformationList = [], NextToken } = await client
        .send(new DescribeInstanceInformationCommand(asked))
        .catch(refused('ssm:DescribeInstanceInformation on *'))
      const items = InstanceInformationList.flatMap(({ InstanceId, PingStatus, ComputerName = '' }) => {
        if (!InstanceId) return []
        const name = ComputerName !== InstanceId && NAME.test(ComputerName) ? { name: ComputerName } : {}
        return [{ id: InstanceId, online: PingStatus === 'Online', ...name }]
      })
      return { items, next: NextToken }
    },
    send: async (order, to) => {
      const { Command } = await client.send(commandOf(order, to)).catch((error: Error) => {
        if (error.name === 'InvalidInstanceId') return { Command: undefined }
        throw error.name === 'InvalidDocument'
          ? missing(order, error)
          : refusalOf(error, account, sending(order))
      })
      return Command?.CommandId
    },
    progress: async (command) => {
      const { Commands: [found] = [] } = await client
        .send(new ListCommandsCommand({ CommandId: command }))
        .catch(unlessUnknown({ Commands: [] }, refused('ssm:ListCommands on *')))
      return { ended: TERMINAL.has(found?.Status ?? ''), completed: found?.CompletedCount ?? 0 }
    },
    results: async (command, page) => {
      const asked = { CommandId: command, Details: true, MaxResults: PAGE, NextToken: page }
      const { CommandInvocations = [], NextToken } = await client
        .send(new ListCommandInvocationsCommand(asked))
        .catch(
          unlessUnknown(
            { CommandInvocations: [], NextToken: undefined },
            refused('ssm:ListCommandInvocations on *'),
          ),
        )
      const items = CommandInvocations.map(
        ({ InstanceId = '', StatusDetails, Status, CommandPlugins = [] }) => {
          return {
            id: InstanceId,
            status: StatusDetails ?? Status ?? 'Pending',
            output: CommandPlugins[0]?.Output ?? '',
          }
        },
      )
      return { items, next: NextToken }
    },
  }
}

function tagged({ tag, values }: Targets) {
  return { Key: `tag:${tag}`, Values: [...values] }
}

/** To all at once, and stopped by none that fails. */
function commandOf({ document, parameters, targets, comment }: Order, to: 'all' | readonly string[]) {
  return new SendCommandCommand({
    DocumentName: document,
    Targets: [to === 'all' ? tagged(targets) : { Key: 'InstanceIds', Values: [...to] }],
    Parameters: Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, [value]])),
    MaxConcurrency: '100%',
    MaxErrors: '100%',
    TimeoutSeconds: BEGIN_WITHIN,
    Comment: comment,
  })
}

function sending({ document, targets: { tag } }: Order): string {
  return `ssm:SendCommand on the document ${document} and on machines with ssm:resourceTag/${tag}`
}

function missing({ document }: Order, cause: Error): ServiceError {
  return new ServiceError(
    `The document ${document} is not there any more`,
    'Deploy the stack again, then ask again',
    cause,
  )
}

/** A command is known everywhere some moments after it was sent. */
function unlessUnknown<T>(none: T, refuse: (error: unknown) => never) {
  return (error: Error): T => (error.name === 'InvalidCommandId' ? none : refuse(error))
}
