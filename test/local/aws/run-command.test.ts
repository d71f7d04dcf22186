import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  DescribeInstanceInformationCommand,
  ListCommandInvocationsCommand,
  ListCommandsCommand,
  SendCommandCommand,
  type SendCommandCommandInput,
} from '@aws-sdk/client-ssm'
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import type { CommandRecord, LoopbackAws } from '../../../local/aws/loopback.ts'
import { clients, joinMachine, refusalOf, removeFolders, startAccount } from './fixture.ts'

let aws: LoopbackAws
beforeEach(async () => {
  aws = await startAccount()
})
afterEach(() => aws.close())
afterAll(removeFolders)

async function send(input: Partial<SendCommandCommandInput> = {}): Promise<string> {
  const Targets = input.InstanceIds ? {} : { Targets: [{ Key: 'tag:ring', Values: ['edge'] }] }
  const command = { DocumentName: 'apply-edge', MaxErrors: '100%', ...Targets, ...input }
  const { Command } = await clients(aws).ssm.send(new SendCommandCommand(command))
  return Command?.CommandId ?? ''
}

async function list(CommandId: string) {
  const { Commands } = await clients(aws).ssm.send(new ListCommandsCommand({ CommandId }))
  return Commands?.[0]
}

async function invocations(CommandId: string) {
  const command = new ListCommandInvocationsCommand({ CommandId, Details: true })
  const { CommandInvocations } = await clients(aws).ssm.send(command)
  return Object.fromEntries(
    (CommandInvocations ?? []).map(({ InstanceId = '', StatusDetails, CommandPlugins }) => [
      InstanceId,
      {
        details: StatusDetails,
        output: CommandPlugins?.[0]?.Output,
        code: CommandPlugins?.[0]?.ResponseCode,
      },
    ]),
  )
}

function record(id: string): CommandRecord {
  const found = aws.history.commands.find((command) => command.id === id)
  if (!found) throw new Error(`no command ${id}`)
  return found
}

test('a current agent gives the parameter as a variable, an old one puts it into the text', async () => {
  joinMachine(aws, { id: 'i-1', agent: 'current' })
  joinMachine(aws, { id: 'i-2', agent: 'old' })
  const id = await send({ Parameters: { Generation: ['7'] } })
  await aws.idle()
  expect(await invocations(id)).toEqual({
    'i-1': { details: 'Success', output: 'generation 7 by variable\n', code: 0 },
    'i-2': { details: 'Success', output: 'generation 7 by text\n', code: 0 },
  })
})

test('the script and its output stay in the orchestration folder', async () => {
  const { workdir } = joinMachine(aws, { id: 'i-1' })
  const id = await send({ Parameters: { Generation: ['7'] } })
  await aws.idle()
  const step = join(workdir, id, 'apply', '0.awsrunShellScript')
  expect(readdirSync(step).toSorted()).toEqual(['_script.sh', 'stderr', 'stdout'])
  expect(readFileSync(join(step, 'stdout'), 'utf8')).toBe('generation 7 by variable\n')
})

test("a script sees the machine's environment and nothing of this process", async () => {
  process.env.EXTRA = 'leaked'
  joinMachine(aws, { id: 'i-1' })
  joinMachine(aws, { id: 'i-2', environment: { EXTRA: 'its own' } })
  const id = await send()
  await aws.idle()
  delete process.env.EXTRA
  const { 'i-1': bare, 'i-2': own } = await invocations(id)
  expect(bare?.output).toBe('generation 1 by variable\n')
  expect(own?.output).toBe('generation 1 by variable its own\n')
})

test("standard error follows standard output behind the agent's separator", async () => {
  joinMachine(aws, { id: 'i-1', environment: { ASIDE: 'a warning', STATUS: '3' } })
  const id = await send()
  await aws.idle()
  expect((await invocations(id))['i-1']).toEqual({
    details: 'Failed',
    output:
      'generation 1 by variable\n\n----------ERROR-------\na warning\nfailed to run commands: exit status 3',
    code: 3,
  })
})

test("a value that does not match the parameter's pattern is refused", async () => {
  joinMachine(aws, { id: 'i-1' })
  for (const Generation of ['0', '$(id)', '1; id']) {
    expect(await refusalOf(send({ Parameters: { Generation: [Generation] } }))).toMatchObject({
      name: 'InvalidParameters',
    })
  }
  expect((await refusalOf(send({ Parameters: { Other: ['1'] } }))).name).toBe('InvalidParameters')
})

test('an unknown document, version or instance is refused', async () => {
  joinMachine(aws, { id: 'i-1' })
  expect((await refusalOf(send({ DocumentName: 'none' }))).name).toBe('InvalidDocument')
  expect((await refusalOf(send({ DocumentVersion: '2' }))).name).toBe('InvalidDocumentVersion')
  expect((await refusalOf(send({ InstanceIds: ['i-1', 'i-9'] }))).name).toBe('InvalidInstanceId')
  expect((await refusalOf(send({ InstanceIds: Array.from({ length: 51 }, () => 'i-1') }))).name).toBe(
    'ValidationException',
  )
})

test('the answer to SendCommand counts nothing; ListCommands counts every terminal node', async () => {
  joinMachine(aws, { id: 'i-1' })
  joinMachine(aws, { id: 'i-2', environment: { STATUS: '1' } })
  const command = new SendCommandCommand({
    DocumentName: 'apply-edge',
    Targets: [{ Key: 'tag:ring', Values: ['edge'] }],
    MaxErrors: '100%',
  })
  const { Command } = await clients(aws).ssm.send(command)
  expect(Command).toMatchObject({ Status: 'Pending', TargetCount: 0, CompletedCount: 0 })
  await aws.idle()
  expect(await list(Command?.CommandId ?? '')).toMatchObject({
    Status: 'Failed',
    StatusDetails: 'Incomplete',
    TargetCount: 2,
    CompletedCount: 2,
    ErrorCount: 1,
  })
})

test('a command for a tag that no machine has is terminal at once with no targets', async () => {
  joinMachine(aws, { id: 'i-1', tags: { ring: 'other' } })
  const id = await send()
  expect(await list(id)).toMatchObject({ StatusDetails: 'NoInstancesInTag', TargetCount: 0 })
})

test('a machine tagged after the command was sent is none of its targets', async () => {
  joinMachine(aws, { id: 'i-1' })
  const id = await send()
  joinMachine(aws, { id: 'i-2' })
  await aws.idle()
  expect(Object.keys(await invocations(id))).toEqual(['i-1'])
})

test('concurrency ramps up from one, doubling to the limit', async () => {
  for (let number = 1; number <= 12; number += 1)
    joinMachine(aws, { id: `i-${number}`, environment: { NAP: '0.15' } })
  const id = await send({ DocumentName: 'slow', MaxConcurrency: '4' })
  await aws.idle()
  const runs = record(id).invocations.map(({ startedAt = 0, endedAt = 0 }) => ({ startedAt, endedAt }))
  const endedBefore = (index: number) =>
    runs.filter(({ endedAt }) => endedAt <= (runs[index]?.startedAt ?? 0)).length
  const together = runs.map(
    ({ startedAt: at }) => runs.filter((run) => run.startedAt <= at && at < run.endedAt).length,
  )
  // The second and third wait for the first; the fourth for one of those, the fifth for both.
  expect(endedBefore(1)).toBe(1)
  expect(endedBefore(3)).toBeGreaterThanOrEqual(2)
  expect(endedBefore(4)).toBeGreaterThanOrEqual(3)
  expect(Math.max(...together)).toBe(4)
})

test('one error more than MaxErrors stops the rest', async () => {
  for (let number = 1; number <= 4; number += 1)
    joinMachine(aws, { id: `i-${number}`, environment: { STATUS: '1' } })
  const id = await send({ MaxErrors: '1', MaxConcurrency: '1' })
  await aws.idle()
  expect(Object.values(await invocations(id)).map(({ details }) => details)).toEqual([
    'Failed',
    'Failed',
    'Terminated',
    'Terminated',
  ])
  expect(await list(id)).toMatchObject({ Status: 'Failed', ErrorCount: 2 })
})

test("a script that runs past the document's limit is killed and timed out", async () => {
  joinMachine(aws, { id: 'i-1' })
  const id = await send({ DocumentName: 'slow' })
  await aws.idle()
  expect((await invocations(id))['i-1']).toMatchObject({ details: 'ExecutionTimedOut' })
})

test('a command waits for a machine that lost its connection', async () => {
  const machine = joinMachine(aws, { id: 'i-1' })
  machine.lose()
  const id = await send()
  expect((await invocations(id))['i-1']).toMatchObject({ details: 'Pending' })
  machine.restore()
  await aws.idle()
  expect((await invocations(id))['i-1']).toMatchObject({ details: 'Success' })
})

test('a command that reaches nobody before its time-out never runs there', async () => {
  const machine = joinMachine(aws, { id: 'i-1' })
  machine.lose()
  const id = await send({ TimeoutSeconds: 1 })
  await aws.idle()
  machine.restore()
  expect(await invocations(id)).toEqual({ 'i-1': { details: 'DeliveryTimedOut', output: '', code: -1 } })
  expect(await list(id)).toMatchObject({ DeliveryTimedOutCount: 1, ErrorCount: 0 })
  expect(existsSync(join(machine.workdir, id))).toBe(false)
})

test('a lost command times out though the machine is online', async () => {
  const machine = joinMachine(aws, { id: 'i-1' })
  machine.loseCommands(1)
  const [lost, next] = [await send({ TimeoutSeconds: 1 }), await send()]
  await aws.idle()
  expect((await invocations(lost))['i-1']).toMatchObject({ details: 'DeliveryTimedOut' })
  expect((await invocations(next))['i-1']).toMatchObject({ details: 'Success' })
})

test('a late command runs late', async () => {
  const machine = joinMachine(aws, { id: 'i-1' })
  machine.delay(400)
  const id = await send()
  machine.delay(0)
  const after = await send()
  await aws.idle()
  const [late, prompt] = [record(id).invocations[0], record(after).invocations[0]]
  expect(late?.startedAt).toBeGreaterThan(prompt?.endedAt ?? Number.POSITIVE_INFINITY)
})

test('a reply that is lost reads as a delivery time-out, though the script ran', async () => {
  const machine = joinMachine(aws, { id: 'i-1', environment: { NAP: '0' } })
  machine.loseReplies(1)
  const id = await send({ DocumentName: 'slow', TimeoutSeconds: 1 })
  await aws.idle()
  expect(await invocations(id)).toEqual({ 'i-1': { details: 'DeliveryTimedOut', output: '', code: -1 } })
  expect(record(id).invocations[0]?.stdout).toMatch(/^\d+\n$/)
})

test('one success among undeliverable machines makes the whole command a success', async () => {
  joinMachine(aws, { id: 'i-1' })
  const machine = joinMachine(aws, { id: 'i-2' })
  machine.lose()
  const id = await send()
  machine.leave()
  await aws.idle()
  expect((await invocations(id))['i-2']).toMatchObject({ details: 'Undeliverable' })
  expect(await list(id)).toMatchObject({ Status: 'Success', CompletedCount: 2 })
})

test('invocations are not listed before the lag has passed, with status 200', async () => {
  joinMachine(aws, { id: 'i-1' })
  aws.faults.commandsLag = 300
  const id = await send()
  expect(await invocations(id)).toEqual({})
  await expect.poll(async () => Object.keys(await invocations(id)), { interval: 50 }).toEqual(['i-1'])
})

test('invocations and the roll call come in pages', async () => {
  for (let number = 1; number <= 5; number += 1) joinMachine(aws, { id: `i-${number}` })
  const CommandId = await send()
  await aws.idle()
  const { ssm } = clients(aws)
  const sizes: number[] = []
  let NextToken: string | undefined
  do {
    const page = { CommandId, MaxResults: 2, ...(NextToken ? { NextToken } : {}) }
    const answer = await ssm.send(new ListCommandInvocationsCommand(page))
    sizes.push(answer.CommandInvocations?.length ?? 0)
    NextToken = answer.NextToken
  } while (NextToken)
  expect(sizes).toEqual([2, 2, 1])
})

test('the roll call has lost machines, not terminated ones, and knows tags', async () => {
  joinMachine(aws, { id: 'i-1' })
  joinMachine(aws, { id: 'i-2' }).lose()
  joinMachine(aws, { id: 'i-3' }).leave()
  joinMachine(aws, { id: 'mi-4', tags: { ring: 'other' } })
  const Filters = [{ Key: 'tag:ring', Values: ['edge'] }]
  const { InstanceInformationList } = await clients(aws).ssm.send(
    new DescribeInstanceInformationCommand({ Filters }),
  )
  expect(InstanceInformationList?.map(({ InstanceId, PingStatus }) => [InstanceId, PingStatus])).toEqual([
    ['i-1', 'Online'],
    ['i-2', 'ConnectionLost'],
  ])
})

test('an association runs at once on a machine that joins, and again when its interval comes', async () => {
  joinMachine(aws, { id: 'i-1', tags: { associated: 'yes' } })
  joinMachine(aws, { id: 'i-2' })
  await aws.idle()
  const ran = () => aws.history.associations.map(({ instance, status, stdout }) => [instance, status, stdout])
  expect(ran()).toEqual([['i-1', 'Success', 'generation 1 by variable\n']])
  await aws.schedules.find(({ kind }) => kind === 'association')?.fire()
  expect(ran()).toHaveLength(2)
})

test('without a declared override of durations a command may not time out before 30 seconds', async () => {
  await aws.close()
  const { timing: _, ...options } = { timing: {} }
  aws = await startAccount({ ...options, timing: undefined as never })
  joinMachine(aws, { id: 'i-1' })
  expect((await refusalOf(send({ TimeoutSeconds: 29 }))).name).toBe('ValidationException')
  await send({ TimeoutSeconds: 30 })
  await aws.idle()
})
