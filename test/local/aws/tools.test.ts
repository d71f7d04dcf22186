import { execFile, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RingParameters } from '../../../lambda/aws/ring-parameters.ts'
import { type Control, parseControl } from '../../../lambda/ring/control.ts'
import type { LoopbackAws } from '../../../local/aws/loopback.ts'
import { clients, joinMachine, machineId, removeFolders, startAccount } from './fixture.ts'
import { template } from './template.ts'

const run = promisify(execFile)
const installed = (command: string) => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0

let aws: LoopbackAws
let folder: string
beforeAll(async () => {
  aws = await startAccount({ template: template({ rotation: {} }) })
  folder = mkdtempSync(join(tmpdir(), 'loopback-tools-'))
  joinMachine(aws, { id: machineId(1) })
})
afterAll(async () => {
  await aws.close()
  rmSync(folder, { recursive: true })
  removeFolders()
})

describe('curl', () => {
  test('reads AWSCURRENT with the credentials of the metadata service, as an instance does', async () => {
    const metadata = `${aws.endpoint}/imds/${machineId(1)}/latest`
    const curl = async (...args: string[]) => (await run('curl', ['-sS', ...args])).stdout
    const ttl = 'x-aws-ec2-metadata-token-ttl-seconds: 60'
    const token = await curl('-X', 'PUT', '-H', ttl, `${metadata}/api/token`)
    const path = `${metadata}/meta-data/iam/security-credentials/terminators`
    const { AccessKeyId, SecretAccessKey, Token } = JSON.parse(
      await curl('-H', `x-aws-ec2-metadata-token: ${token}`, path),
    )
    const answer = await curl(
      ...['--aws-sigv4', 'aws:amz:us-east-1:secretsmanager', '--user', `${AccessKeyId}:${SecretAccessKey}`],
      ...['-H', `x-amz-security-token: ${Token}`, '-H', 'content-type: application/x-amz-json-1.1'],
      ...['-H', 'x-amz-target: secretsmanager.GetSecretValue'],
      ...['--data', '{"SecretId":"rings/edge","VersionStage":"AWSCURRENT"}', `${aws.endpoint}/`],
    )
    expect(JSON.parse(answer).SecretString).toBe('{}')
  })
})

describe.runIf(installed('aws'))('the AWS CLI', () => {
  const environment = () => ({
    PATH: process.env.PATH,
    HOME: folder,
    AWS_ENDPOINT_URL: aws.endpoint,
    AWS_REGION: aws.region,
    AWS_DEFAULT_REGION: aws.region,
    AWS_ACCESS_KEY_ID: aws.operator.accessKeyId,
    AWS_SECRET_ACCESS_KEY: aws.operator.secretAccessKey,
  })
  const cli = async (...args: string[]) => {
    const { stdout } = await run('aws', [...args, '--output', 'json'], { env: environment() })
    return JSON.parse(stdout || '{}')
  }

  test('reads a secret, sends a command and sees what became of it', async () => {
    const [secret, sent] = await Promise.all([
      cli('secretsmanager', 'get-secret-value', '--secret-id', 'rings/edge'),
      cli('ssm', 'send-command', '--document-name', 'apply-edge', '--targets', 'Key=tag:ring,Values=edge'),
    ])
    expect(secret.SecretString).toBe('{}')
    await aws.idle()
    const id = sent.Command.CommandId
    const { CommandInvocations } = await cli(
      'ssm',
      'list-command-invocations',
      '--details',
      '--command-id',
      id,
    )
    expect(CommandInvocations[0]).toMatchObject({ InstanceId: machineId(1), StatusDetails: 'Success' })
  })

  async function rotatesByHand(): Promise<void> {
    const secret = (operation: string, ...words: string[]) =>
      cli('secretsmanager', operation, '--secret-id', 'rings/edge', ...words)
    const [id, token] = [randomUUID(), randomUUID()]
    const { RotationEnabled, VersionIdsToStages } = await secret('describe-secret')
    expect({ RotationEnabled, stages: Object.values(VersionIdsToStages) }).toEqual({
      RotationEnabled: true,
      stages: [['AWSCURRENT']],
    })
    const [first = ''] = Object.keys(VersionIdsToStages)
    const value = ['--client-request-token', id, '--secret-string', '{"x":"1"}']
    expect(await secret('put-secret-value', ...value, '--version-stages', 'AWSPENDING')).toMatchObject({
      VersionId: id,
      VersionStages: ['AWSPENDING'],
    })
    const way = ['--move-to-version-id', id, '--remove-from-version-id', first]
    await secret('update-secret-version-stage', '--version-stage', 'AWSCURRENT', ...way)
    await secret('rotate-secret', '--client-request-token', token)
    await aws.idle()
    expect(aws.history.rotations.at(-1)).toMatchObject({ token, outcome: 'succeeded' })
    const versions = aws.secretVersions('rings/edge')
    expect(versions).toEqual([
      expect.objectContaining({ id: first, labels: [] }),
      expect.objectContaining({ id, labels: ['AWSPREVIOUS'], value: '{"x":"1"}' }),
      expect.objectContaining({ id: token, labels: ['AWSCURRENT'], value: '{"x":"1"}+' }),
    ])
  }

  async function keepsAParameter(): Promise<void> {
    const name = ['--name', '/by/hand']
    const put = await cli('ssm', 'put-parameter', ...name, '--type', 'String', '--value', 'kept')
    expect(put).toMatchObject({ Version: 1 })
    const { Parameter } = await cli('ssm', 'get-parameter', ...name)
    expect(Parameter).toMatchObject({ Name: '/by/hand', Value: 'kept', Version: 1 })
  }

  async function looksAtTheFleet(): Promise<void> {
    const [roll, sent] = await Promise.all([
      cli('ssm', 'describe-instance-information', '--filters', 'Key=tag:ring,Values=edge'),
      cli('ssm', 'list-commands'),
    ])
    expect(roll.InstanceInformationList).toEqual([
      expect.objectContaining({ InstanceId: machineId(1), PingStatus: 'Online' }),
    ])
    expect(sent.Commands).toEqual([
      expect.objectContaining({ DocumentName: 'apply-edge', Status: 'Success', TargetCount: 1 }),
    ])
  }

  test('rotates a secret, keeps a parameter and looks at fleet and commands', async () => {
    await Promise.all([rotatesByHand(), keepsAParameter(), looksAtTheFleet()])
  })

  test('says who asks, which document there is, what became of a run, and stops one', async () => {
    joinMachine(aws, { id: machineId(2), tags: { ring: 'away' } }).lose()
    const [caller, described, sent] = await Promise.all([
      cli('sts', 'get-caller-identity'),
      cli('ssm', 'describe-document', '--name', 'apply-edge'),
      cli('ssm', 'send-command', '--document-name', 'slow', '--targets', 'Key=tag:ring,Values=away'),
    ])
    expect(caller).toEqual({
      UserId: 'AIDALOOPBACKOPERATOR',
      Account: aws.account,
      Arn: `arn:aws:iam::${aws.account}:user/operator`,
    })
    expect(described.Document).toMatchObject({
      Name: 'apply-edge',
      Status: 'Active',
      DefaultVersion: '1',
      Parameters: [{ Name: 'Generation', Type: 'String', DefaultValue: '1' }],
    })
    const command = ['--command-id', sent.Command.CommandId]
    await cli('ssm', 'cancel-command', ...command)
    await aws.idle()
    const run = await cli('ssm', 'get-command-invocation', ...command, '--instance-id', machineId(2))
    expect(run).toMatchObject({ InstanceId: machineId(2), PluginName: 'sleep', StatusDetails: 'Cancelled' })
    const { Commands } = await cli('ssm', 'list-commands', ...command)
    expect(Commands).toEqual([expect.objectContaining({ Status: 'Cancelled', CompletedCount: 1 })])
  })

  test('completes the launch hook of a machine, once', async () => {
    const node = joinMachine(aws, { id: machineId(3), group: { name: 'edge', hooks: ['warm', 'late'] } })
    const complete = (hook: string, result: string) =>
      cli(
        ...['autoscaling', 'complete-lifecycle-action', '--auto-scaling-group-name', 'edge'],
        ...['--instance-id', node.id, '--lifecycle-hook-name', hook, '--lifecycle-action-result', result],
      )
    expect(await complete('warm', 'CONTINUE')).toEqual({})
    await expect(complete('warm', 'CONTINUE')).rejects.toThrow(
      `(ValidationError) when calling the CompleteLifecycleAction operation: No active Lifecycle Action found with instance ID ${node.id}`,
    )
    expect(node.lifecycle).toBe('Pending:Wait')
    await complete('late', 'ABANDON')
    expect(node.lifecycle).toBe('Terminated')
    await expect(complete('late', 'CONTINUE')).rejects.toThrow('ValidationError')
  })

  test('pauses a ring and sets a machine aside by the lines that the documentation has', async () => {
    const page = readFileSync('docs/operations.md', 'utf8').replaceAll(/\\\n\s*/g, '')
    const lines = [...page.matchAll(/^aws ssm put-parameter --name \/ticketring\/edge\/control .*$/gm)]
    const { ssm } = clients(aws)
    const { controls } = new RingParameters(ssm, { record: '/none', control: '/ticketring/edge/control' })
    const set: Control[] = []
    for (const [line] of lines) {
      await run('sh', ['-c', line], { env: environment() })
      const { text = '', modifiedAt = new Date(0) } = (await controls.read()) ?? {}
      set.push(parseControl(text, modifiedAt))
    }
    const until = { until: expect.any(Date), by: 'ada' }
    expect(set).toEqual([
      { paused: { ...until, reason: 'sale' }, quarantine: [] },
      { quarantine: [{ ...until, instance: 'i-0123456789abcdef0', reason: 'disk' }] },
      { quarantine: [] },
    ])
  })

  test('lists versions of a secret', async () => {
    const { Versions } = await cli('secretsmanager', 'list-secret-version-ids', '--secret-id', 'rings/edge')
    expect(Versions).toContainEqual(
      expect.objectContaining({ VersionStages: expect.arrayContaining(['AWSCURRENT']) }),
    )
  })

  test('invokes a function', async () => {
    const name = aws.resources.functions.find(({ logicalId }) => logicalId === 'Probe')?.name ?? ''
    const payload = join(folder, 'payload.json')
    writeFileSync(payload, '{"do":"print","text":"by hand"}')
    const answer = await cli(
      'lambda',
      'invoke',
      '--function-name',
      name,
      '--payload',
      `file://${payload}`,
      join(folder, 'out'),
    )
    expect(answer).toMatchObject({ StatusCode: 200, ExecutedVersion: '$LATEST' })
    expect(aws.history.logs).toContainEqual(expect.objectContaining({ text: 'by hand\n' }))
  })
})
