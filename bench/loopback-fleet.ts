import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { isRefusal } from '../lambda/kernel/errors.ts'
import type { Removable } from '../lambda/ring/labels.ts'
import type { ManualClock } from '../test/fakes/clock.ts'
import { SimulatedFleet } from '../test/fakes/fleet.ts'
import { MemoryRecord } from '../test/fakes/record.ts'
import { MemorySecret } from '../test/fakes/secret.ts'

type Input = Readonly<Record<string, unknown>>
type Output = Readonly<Record<string, unknown>>

/** Rows on a page: the most that Systems Manager gives. */
export const PAGE = 50
/** How long a ramped command takes to its end, in ms of the story's own clock: four waves of a quarter. */
export const COMMAND = 20_000

/** The calls of the rotation over the wire, answered by the fakes of a secret and of a fleet that applies what it is told. */
export class LoopbackFleet {
  readonly secret = new MemorySecret()
  readonly fleet: SimulatedFleet
  /** How often each operation was called, and each as a page after the first. */
  readonly counts = new Map<string, number>()
  readonly #record = new MemoryRecord()
  readonly #clock: ManualClock
  readonly #ends = new Map<string, number>()
  readonly #server = createServer((request, response) => void this.#serve(request, response))

  constructor(machines: number, clock: ManualClock) {
    this.#clock = clock
    const id = (index: number) => `i-${index.toString(16).padStart(17, '0')}`
    this.fleet = new SimulatedFleet(
      this.secret,
      'edge',
      Array.from({ length: machines }, (_, index) => id(index)),
    )
  }

  /** Resolves with the endpoint's URL. */
  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const operation = String(request.headers['x-amz-target']).split('.')[1] ?? ''
    const input = JSON.parse((await text(request)) || '{}') as Input
    const counted = input.NextToken === undefined ? operation : `${operation}, further page`
    this.counts.set(counted, (this.counts.get(counted) ?? 0) + 1)
    const { status, body } = await this.#answer(operation, input)
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(body))
  }

  async #answer(operation: string, input: Input): Promise<{ status: number; body: Output }> {
    try {
      const body = await this.#operations[operation]?.(input)
      return body === undefined ? failure('UnknownOperationException') : { status: 200, body }
    } catch (error) {
      if (error instanceof Missing) return failure(error.message)
      return failure(isRefusal(error) ? 'InvalidRequestException' : 'ValidationException')
    }
  }

  async #listed(ids: readonly string[]): Promise<Output> {
    const members = await this.fleet.members()
    const found = members.filter(({ id }) => ids.includes(id))
    return { InstanceInformationList: found.map(({ id }) => ({ InstanceId: id, PingStatus: 'Online' })) }
  }

  async #results(command: string, instance: unknown, token: unknown) {
    if (typeof instance === 'string') {
      const one = await this.fleet.resultOf(command, instance)
      return { rows: one === undefined ? [] : [one], more: {} }
    }
    const { invocations, next } = await this.fleet.results(command, token as string | undefined)
    return { rows: invocations, more: next === undefined ? {} : { NextToken: next } }
  }

  readonly #operations: Readonly<Record<string, (input: Input) => Promise<Output>>> = {
    DescribeSecret: async () => {
      const stages = new Map<string, string[]>()
      for (const [label, version] of this.secret.holders)
        stages.set(version, [...(stages.get(version) ?? []), label])
      return { RotationEnabled: this.secret.rotationEnabled, VersionIdsToStages: Object.fromEntries(stages) }
    },
    GetSecretValue: async ({ VersionId }) => {
      const found = await this.secret.read(
        typeof VersionId === 'string' ? { version: VersionId } : 'AWSCURRENT',
      )
      return found === undefined
        ? Promise.reject(new Missing('ResourceNotFoundException'))
        : { VersionId: found.version, SecretString: found.value }
    },
    PutSecretValue: async ({ ClientRequestToken, SecretString, VersionStages }) => {
      const [label] = VersionStages as ['AWSPENDING']
      await this.secret.stage(String(ClientRequestToken), String(SecretString), { label })
      return {}
    },
    UpdateSecretVersionStage: async ({ VersionStage, MoveToVersionId, RemoveFromVersionId }) => {
      const from = String(RemoveFromVersionId)
      if (MoveToVersionId !== undefined) await this.secret.promote(String(MoveToVersionId), from)
      else if (!(await this.secret.unlabel(VersionStage as Removable, from)))
        throw new Missing('InvalidParameterException')
      return {}
    },
    RotateSecret: async ({ ClientRequestToken }) => {
      await this.secret.start(String(ClientRequestToken))
      return {}
    },
    GetParameter: async () => {
      const value = await this.#record.read()
      return value === undefined
        ? Promise.reject(new Missing('ParameterNotFound'))
        : { Parameter: { Value: value } }
    },
    PutParameter: async ({ Value }) => {
      await this.#record.write(String(Value))
      return { Version: 1 }
    },
    DescribeInstanceInformation: async ({ Filters, NextToken }) => {
      const [filter] = Filters as { Key: string; Values: string[] }[]
      if (filter?.Key === 'InstanceIds') return this.#listed(filter.Values)
      const { rows, more } = page(await this.fleet.members(), NextToken)
      const list = rows.map(({ id, online }) => ({
        InstanceId: id,
        PingStatus: online ? 'Online' : 'ConnectionLost',
      }))
      return { InstanceInformationList: list, ...more }
    },
    SendCommand: async ({ Parameters, Targets, MaxConcurrency, TimeoutSeconds }) => {
      const { Generation } = Parameters as { Generation: [string] }
      const [target] = Targets as { Key: string; Values: string[] }[]
      const to = target?.Key === 'InstanceIds' ? target.Values : 'all'
      const order = { generation: Number(Generation[0]), to, ramp: MaxConcurrency !== '100%' } as const
      const [id = ''] = await this.fleet.send({ ...order, timeout: Number(TimeoutSeconds) })
      this.#ends.set(id, this.#clock.now().getTime() + COMMAND)
      return { Command: { CommandId: id } }
    },
    ListCommands: async ({ CommandId }) => {
      const ended = this.#clock.now().getTime() >= (this.#ends.get(String(CommandId)) ?? 0)
      const { targets } = await this.fleet.progress(String(CommandId))
      const Status = ended ? 'Success' : 'InProgress'
      return { Commands: [{ Status, TargetCount: targets, CompletedCount: ended ? targets : 0 }] }
    },
    ListCommandInvocations: async ({ CommandId, InstanceId, NextToken }) => {
      const { rows, more } = await this.#results(String(CommandId), InstanceId, NextToken)
      const list = rows.map(({ id, status, output }) => ({
        InstanceId: id,
        StatusDetails: status,
        CommandPlugins: [{ Output: output, ResponseFinishDateTime: this.#clock.now().getTime() / 1000 }],
      }))
      return { CommandInvocations: list, ...more }
    },
  }
}

/** Its message is the wire's name for what is not there. */
class Missing extends Error {}

function failure(type: string): { status: number; body: Output } {
  return { status: 400, body: { __type: type, message: type } }
}

function page<T>(all: readonly T[], token: unknown): { rows: readonly T[]; more: { NextToken?: string } } {
  const from = token === undefined ? 0 : Number(token)
  const next = from + PAGE
  return { rows: all.slice(from, next), more: next < all.length ? { NextToken: String(next) } : {} }
}
