/** A machine of an Auto Scaling group that has proved the ring completes the hook that keeps it from its clients. */
import { PutSecretValueCommand } from '@aws-sdk/client-secrets-manager'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { serialiseRing } from '../../lambda/ring/ring.ts'
import type { LoopbackAws, MachineGroup, Instance as Managed } from '../../local/aws/loopback.ts'
import { clients, joinMachine, machineId, removeFolders, startAccount } from '../local/aws/fixture.ts'
import { template } from '../local/aws/template.ts'
import { NO_CREDENTIALS } from './endpoint.ts'
import { Instance, type Run, type RunOptions, ringOf } from './instance.ts'

const HOOK = 'ticketring-edge'
const GROUP = { name: 'edge-haproxy', hooks: [HOOK] }

let aws: LoopbackAws
let machine: Instance
let managed: Managed
afterEach(async () => {
  await machine.stop()
  await aws.close()
  removeFolders()
})

/** The role's rights, as a ring with these launchGroups gives them. */
function rights(groups: readonly string[]) {
  const name = (group: string) => `arn:aws:autoscaling:*:*:autoScalingGroup:*:autoScalingGroupName/${group}`
  const Statement = [
    { Effect: 'Allow', Action: 'autoscaling:CompleteLifecycleAction', Resource: groups.map(name) },
  ]
  const PolicyDocument = { Version: '2012-10-17', Statement }
  const Properties = { PolicyName: 'complete', Roles: ['terminators'], PolicyDocument }
  return { Type: 'AWS::IAM::Policy', Properties }
}

/** A machine whose HAProxy has the ring, in an account where Secrets Manager holds it. */
async function launch(group: MachineGroup | undefined, may = [GROUP.name]): Promise<void> {
  const { Resources } = template()
  aws = await startAccount({ template: { Resources: { ...Resources, Launch: rights(may) } } })
  const ring = ringOf(1)
  await clients(aws).secrets.send(
    new PutSecretValueCommand({ SecretId: 'rings/edge', SecretString: serialiseRing(ring) }),
  )
  managed = joinMachine(aws, { id: machineId(1), ...(group === undefined ? {} : { group }) })
  machine = await Instance.start('haproxy', ring)
  machine.set('SECRET=rings/edge')
  machine.set(`LAUNCH_GROUPS=${GROUP.name}`)
}

/** As the machine itself: in its own role, by its metadata service. */
async function run(options: RunOptions = {}): Promise<Run> {
  const { AWS_ENDPOINT_URL, AWS_EC2_METADATA_SERVICE_ENDPOINT } = managed.environment
  const environment = {
    ...NO_CREDENTIALS,
    AWS_REGION: aws.region,
    AWS_ENDPOINT_URL,
    AWS_EC2_METADATA_SERVICE_ENDPOINT,
    ...options.environment,
  }
  return await machine.run({ ...options, environment })
}

const completions = () => aws.history.calls.filter(({ operation }) => operation === 'CompleteLifecycleAction')

describe('a machine on its way into service', () => {
  test('completes its hook once it has proved the ring, and once alone', async () => {
    await launch(GROUP)
    expect(managed.lifecycle).toBe('Pending:Wait')
    const { code, line } = await run()
    expect({ code, ...line }).toMatchObject({ code: 0, verified: 'handshake', launch: 'completed' })
    expect(managed.lifecycle).toBe('InService')
    expect((await run()).line).not.toHaveProperty('launch')
    expect(completions()).toHaveLength(1)
  })

  test('asks Auto Scaling at the endpoint of the settings', async () => {
    await launch(GROUP)
    machine.set(`ENDPOINT_AUTOSCALING=${managed.environment.AWS_ENDPOINT_URL}`)
    const { line } = await run({ environment: { AWS_ENDPOINT_URL_AUTO_SCALING: 'http://127.0.0.1:1' } })
    expect(line).toMatchObject({ verified: 'handshake', launch: 'completed' })
  })

  test('completes nothing at boot, which proves nothing, nor by a run that proves nothing', async () => {
    await launch(GROUP)
    expect((await run({ arguments: ['--boot', 'edge'] })).line).toMatchObject({ verified: 'none' })
    machine.set('VERIFY_WAIT=1')
    machine.set('TICKET_LIFETIME=1')
    expect((await run()).line).toMatchObject({ result: 'failed', error: 'lifetime-exceeded' })
    expect(completions()).toEqual([])
    machine.set('TICKET_LIFETIME=7200')
    expect((await run()).line).toMatchObject({ launch: 'completed' })
  })

  test('leaves hooks of others waiting', async () => {
    await launch({ ...GROUP, hooks: [HOOK, 'warm-caches'] })
    expect((await run()).line).toMatchObject({ launch: 'completed' })
    expect(managed.lifecycle).toBe('Pending:Wait')
  })

  test('finds its own among several groups', async () => {
    await launch(GROUP, ['edge-nginx', GROUP.name])
    machine.set(`LAUNCH_GROUPS=edge-nginx ${GROUP.name}`)
    expect((await run()).line).toMatchObject({ launch: 'completed' })
    expect(managed.lifecycle).toBe('InService')
  })

  test('whose hook has ended before says so once, and runs on', async () => {
    await launch(GROUP)
    managed.hooksTimeOut('CONTINUE')
    const first = await run()
    expect({ code: first.code, ...first.line }).toMatchObject({ code: 0, launch: 'none' })
    expect(first.stderr).toContain('No active Lifecycle Action found')
    expect((await run()).line).not.toHaveProperty('launch')
    expect(completions()).toHaveLength(1)
  })

  test('that may not complete it has the ring all the same, says why, and tries again', async () => {
    await launch(GROUP, ['another'])
    const { code, line, stderr } = await run()
    expect({ code, ...line }).toMatchObject({ code: 0, verified: 'handshake', launch: 'failed' })
    expect(stderr).toMatch(/access-denied: AccessDenied: .*autoscaling:CompleteLifecycleAction/)
    expect((await run()).line).toMatchObject({ launch: 'failed' })
    expect(managed.lifecycle).toBe('Pending:Wait')
  })

  test.each(['throttle', 'fail', 'drop'] as const)('tries again within one run: %s', async (effect) => {
    await launch(GROUP)
    aws.faults.add({ operation: 'CompleteLifecycleAction', when: 'before', effect })
    expect((await run()).line).toMatchObject({ launch: 'completed' })
    expect(completions()).toHaveLength(2)
  })

  test('completes it with the generation that a pull brings, without Run Command', async () => {
    await launch(GROUP)
    expect((await run({ arguments: ['--pull', 'edge'] })).line).toMatchObject({ launch: 'completed' })
  })
})

describe('a machine of a warm pool', () => {
  beforeEach(() => launch({ ...GROUP, target: 'Warmed:Stopped' }))

  test('completes the hook on its way in, and the one on its way out', async () => {
    expect((await run()).line).toMatchObject({ launch: 'completed' })
    expect(managed.lifecycle).toBe('Warmed:Stopped')
    managed.bringTo('InService')
    expect(managed.lifecycle).toBe('Pending:Wait')
    expect((await run()).line).toMatchObject({ launch: 'completed' })
    expect(managed.lifecycle).toBe('InService')
  })

  test.each(['Terminated', 'Warmed:Terminated'] as const)(
    'completes nothing on its way to the end: %s',
    async (target) => {
      managed.bringTo(target)
      expect((await run()).line).not.toHaveProperty('launch')
      expect(completions()).toEqual([])
    },
  )
})

test('a machine of no group asks nothing', async () => {
  await launch(undefined)
  expect((await run()).line).not.toHaveProperty('launch')
  expect(completions()).toEqual([])
})

test('a machine that is told of no group asks nothing', async () => {
  await launch(GROUP)
  machine.unset('LAUNCH_GROUPS')
  expect((await run()).line).not.toHaveProperty('launch')
  expect(managed.lifecycle).toBe('Pending:Wait')
})
