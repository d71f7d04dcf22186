import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { GetSecretValueCommand } from '@aws-sdk/client-secrets-manager'
import {
  DescribeInstanceInformationCommand,
  ListCommandInvocationsCommand,
  ListCommandsCommand,
  PutParameterCommand,
  SendCommandCommand,
  type SendCommandCommandInput,
} from '@aws-sdk/client-ssm'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { CommandRecord, LoopbackAws } from '../../../local/aws/loopback.ts'
import { clients, joinMachine, machineId, refusalOf, removeFolders, startAccount } from './fixture.ts'
import { template } from './template.ts'

let aws: LoopbackAws
beforeEach(async () => {
  aws = await startAccount()
})
afterEach(() => aws.close())
afterAll(removeFolders)

async function send(input: Partial<SendCommandCommandInput> = {}, account = aws): Promise<string> {
  const Targets = input.InstanceIds ? {} : { Targets: [{ Key: 'tag:ring', Values: ['edge'] }] }
  const command = { DocumentName: 'apply-edge', MaxErrors: '100%', ...Targets, ...input }
  const { Command } = await clients(account).ssm.send(new SendCommandCommand(command))
  return Command?.CommandId ?? ''
}

async function list(CommandId: string, account = aws) {
  const { Commands } = await clients(account).ssm.send(new ListCommandsCommand({ CommandId }))
  return Commands?.[0]
}

async function invocations(CommandId: string, account = aws) {
  const command = new ListCommandInvocationsCommand({ CommandId, Details: true })
  const { CommandInvocations } = await clients(account).ssm.send(command)
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

function record(id: string, account = aws): CommandRecord {
  const found = account.history.commands.find((command) => command.id === id)
  if (!found) throw new Error(`no command ${id}`)
  return found
}

test('a current agent gives the parameter as a variable, an old one puts it into the text', async () => {
  joinMachine(aws, { id: machineId(1), agent: 'current' })
  joinMachine(aws, { id: machineId(2), agent: 'old' })
  const id = await send({ Parameters: { Generation: ['7'] } })
  await aws.idle()
  expect(await invocations(id)).toEqual({
    [machineId(1)]: { details: 'Success', output: 'generation 7 by variable\n', code: 0 },
    [machineId(2)]: { details: 'Success', output: 'generation 7 by text\n', code: 0 },
  })
})

test('the script and its output stay in the orchestration folder', async () => {
  const { workdir } = joinMachine(aws, { id: machineId(1) })
  const id = await send({ Parameters: { Generation: ['7'] } })
  await aws.idle()
  const step = join(workdir, id, 'apply', '0.awsrunShellScript')
  expect(readdirSync(step).toSorted()).toEqual(['_script.sh', 'stderr', 'stdout'])
  expect(readFileSync(join(step, 'stdout'), 'utf8')).toBe('generation 7 by variable\n')
})

test("a script sees the machine's environment and nothing of this process", async () => {
  process.env.EXTRA = 'leaked'
  joinMachine(aws, { id: machineId(1) })
  joinMachine(aws, { id: machineId(2), environment: { EXTRA: 'its own' } })
  const id = await send()
  await aws.idle()
  delete process.env.EXTRA
  const { [machineId(1)]: bare, [machineId(2)]: own } = await invocations(id)
  expect(bare?.output).toBe('generation 1 by variable\n')
  expect(own?.output).toBe('generation 1 by variable its own\n')
})

test("standard error follows standard output behind the agent's separator", async () => {
  joinMachine(aws, { id: machineId(1), environment: { ASIDE: 'a warning', STATUS: '3' } })
  const id = await send()
  await aws.idle()
  expect((await invocations(id))[machineId(1)]).toEqual({
    details: 'Failed',
    output:
      'generation 1 by variable\n\n----------ERROR-------\na warning\nfailed to run commands: exit status 3',
    code: 3,
  })
})

test("a value that does not match the parameter's pattern is refused", async () => {
  joinMachine(aws, { id: machineId(1) })
  for (const Generation of ['0', '$(id)', '1; id']) {
    expect(await refusalOf(send({ Parameters: { Generation: [Generation] } }))).toMatchObject({
      name: 'InvalidParameters',
    })
  }
  expect((await refusalOf(send({ Parameters: { Other: ['1'] } }))).name).toBe('InvalidParameters')
})

test('an unknown document, version or instance is refused', async () => {
  joinMachine(aws, { id: machineId(1) })
  expect((await refusalOf(send({ DocumentName: 'none' }))).name).toBe('InvalidDocument')
  expect((await refusalOf(send({ DocumentVersion: '2' }))).name).toBe('InvalidDocumentVersion')
  expect((await refusalOf(send({ InstanceIds: [machineId(1), machineId(9)] }))).name).toBe(
    'InvalidInstanceId',
  )
  expect((await refusalOf(send({ InstanceIds: Array.from({ length: 51 }, () => machineId(1)) }))).name).toBe(
    'ValidationException',
  )
})

test('the answer to SendCommand counts nothing; ListCommands counts every terminal node', async () => {
  joinMachine(aws, { id: machineId(1) })
  joinMachine(aws, { id: machineId(2), environment: { STATUS: '1' } })
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
  joinMachine(aws, { id: machineId(1), tags: { ring: 'other' } })
  const id = await send()
  expect(await list(id)).toMatchObject({ StatusDetails: 'NoInstancesInTag', TargetCount: 0 })
})

test('a machine tagged after the command was sent is none of its targets', async () => {
  joinMachine(aws, { id: machineId(1) })
  const id = await send()
  joinMachine(aws, { id: machineId(2) })
  await aws.idle()
  expect(Object.keys(await invocations(id))).toEqual([machineId(1)])
})

test('concurrency ramps up from one, doubling to the limit', async () => {
  for (let number = 1; number <= 12; number += 1)
    joinMachine(aws, { id: machineId(number), environment: { NAP: '0.15' } })
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
    joinMachine(aws, { id: machineId(number), environment: { STATUS: '1' } })
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

test('a command waits for a machine that lost its connection', async () => {
  const machine = joinMachine(aws, { id: machineId(1) })
  machine.lose()
  const id = await send()
  expect((await invocations(id))[machineId(1)]).toMatchObject({ details: 'Delayed' })
  machine.restore()
  await aws.idle()
  expect((await invocations(id))[machineId(1)]).toMatchObject({ details: 'Success' })
})

test('a late command runs late', async () => {
  joinMachine(aws, { id: machineId(1) }).delay(400)
  const { requestedAt, invocations } = record(await send())
  await aws.idle()
  // A timer may be early by the millisecond that it is rounded to.
  expect(Number(invocations[0]?.startedAt) - requestedAt).toBeGreaterThanOrEqual(399)
})

test('a late command is overtaken by those sent after it', async () => {
  const machine = joinMachine(aws, { id: machineId(1) })
  machine.delay(600_000)
  const late = record(await send())
  machine.delay(0)
  const prompt = record(await send())
  await expect.poll(() => prompt.invocations[0]?.statusDetails).toBe('Success')
  expect(late.invocations[0]).toMatchObject({ statusDetails: 'Pending', startedAt: undefined })
})

test('one success among undeliverable machines makes the whole command a success', async () => {
  joinMachine(aws, { id: machineId(1) })
  const machine = joinMachine(aws, { id: machineId(2) })
  machine.lose()
  const id = await send()
  machine.leave()
  await aws.idle()
  expect((await invocations(id))[machineId(2)]).toMatchObject({ details: 'Undeliverable' })
  expect(await list(id)).toMatchObject({ Status: 'Success', CompletedCount: 2 })
})

/** Seconds in which a machine that is there begins, on a busy processor too. */
const IN_TIME = 5

/** An account of a test's own: what waits for a time-out does so beside others. */
async function lasting(): Promise<LoopbackAws & AsyncDisposable> {
  const account = await startAccount()
  return Object.assign(account, { [Symbol.asyncDispose]: () => account.close() })
}

describe.concurrent('a command that expires', () => {
  test('a command that reaches no machine before its time-out never runs there', async ({ expect }) => {
    await using account = await lasting()
    const machine = joinMachine(account, { id: machineId(1) })
    machine.lose()
    const id = await send({ TimeoutSeconds: 1 }, account)
    await account.idle()
    machine.restore()
    expect(await invocations(id, account)).toEqual({
      [machineId(1)]: { details: 'DeliveryTimedOut', output: '', code: -1 },
    })
    expect(await list(id, account)).toMatchObject({ DeliveryTimedOutCount: 1, ErrorCount: 0 })
    expect(existsSync(join(machine.workdir, id))).toBe(false)
  })

  test('a lost command times out though the machine is online', async ({ expect }) => {
    await using account = await lasting()
    const machine = joinMachine(account, { id: machineId(1) })
    machine.loseCommands(1)
    const [lost, next] = [await send({ TimeoutSeconds: 1 }, account), await send({}, account)]
    await account.idle()
    expect((await invocations(lost, account))[machineId(1)]).toMatchObject({ details: 'DeliveryTimedOut' })
    expect((await invocations(next, account))[machineId(1)]).toMatchObject({ details: 'Success' })
  })

  test('a reply that is lost reads as a delivery time-out, though the script ran', async ({ expect }) => {
    await using account = await lasting()
    const machine = joinMachine(account, { id: machineId(1), environment: { NAP: '0' } })
    machine.loseReplies(1)
    const id = await send({ DocumentName: 'slow', TimeoutSeconds: IN_TIME }, account)
    await account.idle()
    expect(await invocations(id, account)).toEqual({
      [machineId(1)]: { details: 'DeliveryTimedOut', output: '', code: -1 },
    })
    expect(record(id, account).invocations[0]?.stdout).toMatch(/^\d+\n$/)
  })

  test('a machine that holds its slot lets everything behind it expire', async ({ expect }) => {
    await using account = await lasting()
    joinMachine(account, { id: machineId(1) }).lose()
    for (const number of [2, 3]) joinMachine(account, { id: machineId(number) })
    const id = await send({ TimeoutSeconds: 1 }, account)
    await account.idle()
    const details = Object.values(await invocations(id, account)).map((each) => each.details)
    expect(details).toEqual(['DeliveryTimedOut', 'DeliveryTimedOut', 'DeliveryTimedOut'])
    expect(await list(id, account)).toMatchObject({
      Status: 'TimedOut',
      CompletedCount: 3,
      DeliveryTimedOutCount: 3,
    })
    expect(record(id, account).invocations.map(({ startedAt }) => startedAt)).toEqual([
      undefined,
      undefined,
      undefined,
    ])
  })

  test('a command that comes after its time to start does not start, and holds its slot until all is over', async ({
    expect,
  }) => {
    await using account = await lasting()
    const machine = joinMachine(account, { id: machineId(1) })
    joinMachine(account, { id: machineId(2) })
    machine.delay(2000)
    const id = await send({ TimeoutSeconds: 1 }, account)
    await account.idle()
    expect(record(id, account).invocations.map(({ startedAt }) => startedAt)).toEqual([undefined, undefined])
    expect(
      record(id, account).invocations.every(
        ({ endedAt = 0 }) => endedAt >= record(id, account).requestedAt + 6000,
      ),
    ).toBe(true)
  })

  test('one that expired beside one that succeeded makes the whole incomplete', async ({ expect }) => {
    await using account = await lasting()
    joinMachine(account, { id: machineId(1) })
    joinMachine(account, { id: machineId(2) }).lose()
    const id = await send({ TimeoutSeconds: IN_TIME }, account)
    await account.idle()
    expect(await list(id, account)).toMatchObject({
      Status: 'Failed',
      StatusDetails: 'Incomplete',
      ErrorCount: 0,
    })
  })

  test("a script that runs past the document's limit is killed and timed out", async ({ expect }) => {
    await using account = await lasting()
    joinMachine(account, { id: machineId(1) })
    const id = await send({ DocumentName: 'slow' }, account)
    await account.idle()
    expect((await invocations(id, account))[machineId(1)]).toMatchObject({ details: 'ExecutionTimedOut' })
  })
})

test('neither a command nor its invocations are listed before the lag has passed, with status 200', async () => {
  joinMachine(aws, { id: machineId(1) })
  aws.faults.commandsLag = 600_000
  const id = await send()
  expect([await list(id), await invocations(id)]).toEqual([undefined, {}])
  aws.faults.commandsLag = 0
  expect([(await list(id))?.CommandId, Object.keys(await invocations(id))]).toEqual([id, [machineId(1)]])
})

test("a machine's new tags are seen once their lag has passed, by a target and by a policy", async () => {
  const machine = joinMachine(aws, { id: machineId(1), tags: { ring: 'other' } })
  aws.faults.tagsLag = 600_000
  machine.retag({ ring: 'edge' })
  expect(await list(await send())).toMatchObject({ StatusDetails: 'NoInstancesInTag' })
  aws.faults.tagsLag = 0
  expect(await list(await send())).toMatchObject({ TargetCount: 1 })
  await aws.idle()
})

test('what has expired or ended without a script counts for nothing against MaxErrors', async () => {
  const machines = [1, 2, 3].map((number) => joinMachine(aws, { id: machineId(number) }))
  machines[0]?.lose()
  const id = await send({ MaxErrors: '0' })
  machines[0]?.leave()
  await aws.idle()
  const details = Object.values(await invocations(id)).map((each) => each.details)
  expect(details).toEqual(['Undeliverable', 'Success', 'Success'])
})

test('SendCommand to an id whose agent does not run is refused as a whole, by a tag it waits', async () => {
  joinMachine(aws, { id: machineId(1) })
  const lost = joinMachine(aws, { id: machineId(2) })
  lost.lose()
  const named = [machineId(1), machineId(2)]
  for (const input of [{ InstanceIds: named }, { Targets: [{ Key: 'InstanceIds', Values: named }] }]) {
    expect(await refusalOf(send(input))).toMatchObject({ name: 'InvalidInstanceId' })
  }
  expect(aws.history.commands).toEqual([])
  await send()
  lost.restore()
  await aws.idle()
})

test('a command shows instances and targets as they were asked for', async () => {
  joinMachine(aws, { id: machineId(1) })
  const [byId, byTag] = [await send({ InstanceIds: [machineId(1)] }), await send()]
  await aws.idle()
  expect(await list(byId)).toMatchObject({ InstanceIds: [machineId(1)], Targets: [] })
  const Targets = [{ Key: 'tag:ring', Values: ['edge'] }]
  expect(await list(byTag)).toMatchObject({ InstanceIds: [], Targets })
})

test('ids, names and page sizes are bounded as in the API reference', async () => {
  joinMachine(aws, { id: machineId(1) })
  const { ssm } = clients(aws)
  const CommandId = '0'.repeat(36)
  const refused = [
    send({ InstanceIds: ['i-1'] }),
    send({ DocumentName: 'an ill name' }),
    send({ DocumentVersion: 'latest' }),
    send({ Targets: [{ Key: 'tag:ring', Values: [] }] }),
    ssm.send(new ListCommandsCommand({ CommandId: 'short' })),
    ssm.send(new ListCommandsCommand({ CommandId, MaxResults: 51 })),
    ssm.send(new ListCommandInvocationsCommand({ CommandId, MaxResults: 0 })),
    ssm.send(new ListCommandInvocationsCommand({ CommandId, InstanceId: 'i-1' })),
    ssm.send(new DescribeInstanceInformationCommand({ MaxResults: 4 })),
    ssm.send(new DescribeInstanceInformationCommand({ MaxResults: 51 })),
  ].map(refusalOf)
  expect((await Promise.all(refused)).map(({ name }) => name)).toEqual(
    refused.map(() => 'ValidationException'),
  )
  expect(() => joinMachine(aws, { id: 'i-1' })).toThrow('no id of a machine')
  const twice = send({ InstanceIds: [machineId(1), machineId(1)] })
  expect((await refusalOf(twice)).name).toBe('DuplicateInstanceId')
})

test("a value that names a parameter is read by the machine's own rights, and then held against the pattern", async () => {
  const grant = { Effect: 'Allow', Action: 'ssm:GetParameters', Resource: '*' }
  const small = template()
  const policy = small.Resources.FleetPolicy?.Properties.PolicyDocument as { Statement: object[] } | undefined
  policy?.Statement.push(grant)
  await aws.close()
  aws = await startAccount({ template: small })
  for (const [Name, Value] of [
    ['/good', '7'],
    ['/bad', '7; id'],
  ])
    await clients(aws).ssm.send(new PutParameterCommand({ Name, Value, Type: 'String' }))
  joinMachine(aws, { id: machineId(1) })
  const outcome = async (value: string) => {
    const id = await send({ Parameters: { Generation: [value] } })
    await aws.idle()
    return (await invocations(id))[machineId(1)]
  }
  expect(await outcome('{{ssm:/good}}')).toMatchObject({
    details: 'Success',
    output: 'generation 7 by variable\n',
  })
  const refused = { details: 'Failed', output: '', code: -1 }
  for (const value of ['{{ ssm:/bad }}', '{{ssm:/none}}']) expect(await outcome(value)).toEqual(refused)
  const asked = aws.history.calls.filter(({ operation }) => operation === 'GetParameters')
  expect(new Set(asked.map(({ principal }) => principal.split(':').at(-1)))).toEqual(
    new Set([`assumed-role/terminators/${machineId(1)}`]),
  )
})

test('a document with its parameters has at most 64 KB', async () => {
  joinMachine(aws, { id: machineId(1) })
  const Generation = ['1'.repeat(65_000)]
  expect((await refusalOf(send({ Parameters: { Generation } }))).name).toBe('MaxDocumentSizeExceeded')
})

test('calls beyond a rate are throttled, until a second has passed', async () => {
  let now = Date.now()
  await aws.close()
  aws = await startAccount({ clock: () => now })
  aws.faults.limit(['ListCommands', 'SendCommand'], 2)
  const ask = () =>
    list('0'.repeat(36)).then(
      () => 'answered',
      (error: Error) => error.name,
    )
  const ThrottlingException = 'ThrottlingException'
  expect([await ask(), await ask(), await ask()]).toEqual(['answered', 'answered', ThrottlingException])
  expect((await refusalOf(send())).name).toBe(ThrottlingException)
  await clients(aws).ssm.send(new DescribeInstanceInformationCommand({}))
  now += 1000
  expect([await ask(), await ask(), await ask()]).toEqual(['answered', 'answered', ThrottlingException])
})

test('the agent of a hybrid machine, or under Default Host Management, shares the credentials it has', async () => {
  const hybrid = joinMachine(aws, { id: `m${machineId(1)}` })
  const managed = joinMachine(aws, { id: machineId(2), hostManagementRole: 'default-management' })
  joinMachine(aws, { id: machineId(3) })
  const id = await send()
  await aws.idle()
  const { [hybrid.id]: first, [managed.id]: second, [machineId(3)]: third } = await invocations(id)
  expect(third?.output).toBe('generation 1 by variable\n')
  const roleIn = async (output = '') => {
    const [, file = ''] = /shared (.*)/.exec(output) ?? []
    const [, accessKeyId = '', secretAccessKey = '', sessionToken = ''] =
      /^\[default\]\n.* = (.*)\n.* = (.*)\n.* = (.*)\n$/.exec(readFileSync(file, 'utf8')) ?? []
    const { secrets } = clients(aws, { accessKeyId, secretAccessKey, sessionToken })
    await secrets.send(new GetSecretValueCommand({ SecretId: 'rings/edge' })).catch(() => {})
    return aws.history.calls.at(-1)?.principal
  }
  expect(await roleIn(first?.output)).toContain(`assumed-role/terminators/${hybrid.id}`)
  expect(await roleIn(second?.output)).toContain(`assumed-role/default-management/${managed.id}`)
})

test('invocations and the roll call come in pages', async () => {
  for (let number = 1; number <= 5; number += 1) joinMachine(aws, { id: machineId(number) })
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
  joinMachine(aws, { id: machineId(1) })
  joinMachine(aws, { id: machineId(2) }).lose()
  joinMachine(aws, { id: machineId(3) }).leave()
  joinMachine(aws, { id: `m${machineId(4)}`, tags: { ring: 'other' } })
  const Filters = [{ Key: 'tag:ring', Values: ['edge'] }]
  const { InstanceInformationList } = await clients(aws).ssm.send(
    new DescribeInstanceInformationCommand({ Filters }),
  )
  expect(InstanceInformationList?.map(({ InstanceId, PingStatus }) => [InstanceId, PingStatus])).toEqual([
    [machineId(1), 'Online'],
    [machineId(2), 'ConnectionLost'],
  ])
})

test('an association runs at once on a machine that joins, and again when its interval comes', async () => {
  joinMachine(aws, { id: machineId(1), tags: { associated: 'yes' } })
  joinMachine(aws, { id: machineId(2) })
  await aws.idle()
  const ran = () => aws.history.associations.map(({ instance, status, stdout }) => [instance, status, stdout])
  expect(ran()).toEqual([[machineId(1), 'Success', 'generation 1 by variable\n']])
  await aws.schedules.find(({ kind }) => kind === 'association')?.fire()
  expect(ran()).toHaveLength(2)
})

/** The document's step, with another time-out. */
function step(timeoutSeconds: string): object {
  const content = template().Resources.Document?.Properties.Content as { mainSteps: { inputs: object }[] }
  const [first] = content.mainSteps
  return { ...first, inputs: { ...first?.inputs, timeoutSeconds } }
}

test('of associations an agent runs one at a time, and begins none again that has not ended', async () => {
  const { Resources } = template()
  const { Association } = Resources
  Object.assign(Resources.Document?.Properties.Content ?? {}, { mainSteps: [step('600')] })
  const other = { ...Association?.Properties, Name: { Ref: 'SlowDocument' } }
  Resources.Other = { Type: 'AWS::SSM::Association', Properties: other }
  await aws.close()
  aws = await startAccount({ template: { Resources } })
  const gate = join(mkdtempSync(join(tmpdir(), 'loopback-gate-')), 'open')
  const wait = `while [ ! -e ${gate} ]; do sleep 0.05; done; exec "$@"`
  joinMachine(aws, {
    id: machineId(1),
    tags: { associated: 'yes' },
    environment: { NAP: '0' },
    wrap: (argv) => ['sh', '-c', wait, 'sh', ...argv],
  })
  const documents = () => aws.history.associations.map(({ document }) => document)
  const again = aws.schedules.filter(({ kind }) => kind === 'association').map((schedule) => schedule.fire())
  await new Promise((resolve) => setImmediate(resolve))
  expect(documents()).toEqual(['apply-edge'])
  writeFileSync(gate, '')
  await Promise.all(again)
  await aws.idle()
  expect(documents()).toEqual(['apply-edge', 'slow'])
  rmSync(dirname(gate), { recursive: true })
})

test('without a declared override of durations a command may not time out before 30 seconds', async () => {
  await aws.close()
  const { timing: _, ...options } = { timing: {} }
  aws = await startAccount({ ...options, timing: undefined as never })
  joinMachine(aws, { id: machineId(1) })
  expect((await refusalOf(send({ TimeoutSeconds: 29 }))).name).toBe('ValidationException')
  await send({ TimeoutSeconds: 30 })
  await aws.idle()
})
