import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Stack } from 'aws-cdk-lib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApp } from '../../../infra/app/build-app.ts'
import { launchHookOf } from '../../../infra/ring/launch-hook.ts'
import { TicketKeyRing } from '../../../infra/ring/ticket-key-ring.ts'
import { exampleRing, HAPROXY, settingsIn } from '../app/example.ts'
import { flat, Resources, synthesiseTemplate } from '../app/synthesis.ts'
import { evaluateIdentity } from '../fleet/access.ts'

const installed = (command: string) => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0
const PAGE = readFileSync('docs/autoscaling.md', 'utf8')
const HOOK = launchHookOf({ name: 'edge', launchGroups: ['edge-haproxy'] })

const outdir = mkdtempSync(join(tmpdir(), 'ticketring-launch-'))
afterAll(() => rmSync(outdir, { recursive: true }))

describe('a ring whose machines complete launch hooks', () => {
  const { resources, rings } = synthesiseTemplate({
    rings: [exampleRing({ launchGroups: ['edge-a', 'teams/edge+b'] })],
  })
  const statements = resources
    .all('AWS::IAM::Policy')
    .flatMap(({ Properties }) => flat(Properties.PolicyDocument.Statement) as object[])

  it.each([
    ['edge-a', 'Allowed'],
    ['teams/edge+b', 'Allowed'],
    ['edge-aa', 'ImplicitlyDenied'],
    ['a', 'ImplicitlyDenied'],
  ])('lets them in the groups that it names, and in no others: %s', async (group, outcome) => {
    const resource = `arn:aws:autoscaling:eu-west-1:123456789012:autoScalingGroup:3ab8e18b-0d40-4be5-8f5b-9cba6b9d8c1f:autoScalingGroupName/${group}`
    const attempt = { action: 'autoscaling:CompleteLifecycleAction', resource }
    expect(await evaluateIdentity(statements, attempt)).toBe(outcome)
  })

  it('tells the machines of the groups', () => {
    const [ring] = rings
    const lines = ring?.document.content.mainSteps[0].inputs.runCommand ?? []
    expect(settingsIn(lines)).toContain('LAUNCH_GROUPS=edge-a teams/edge+b')
  })

  it.each([[[]], [['a b']], [['a*']], [['a?']], [['a&b']], [['a%41']], [['']]])(
    'names none such as %j',
    (launchGroups) => {
      expect(() => synthesiseTemplate({ rings: [exampleRing({ launchGroups })] })).toThrow(
        /rings\[0\]\.launchGroups/,
      )
    },
  )
})

describe('a ring without launchGroups', () => {
  it('lets no machine complete anything, and has no hook to offer', () => {
    const { resources } = synthesiseTemplate({ rings: [exampleRing()] })
    expect(JSON.stringify(resources.entries())).not.toContain('autoscaling')
    const stack = new Stack(createApp({ outdir, bundle: false, validate: false }), 'Without')
    const ring = new TicketKeyRing(stack, 'Edge', {
      name: 'edge',
      targets: { tag: 'ticketring', values: ['edge'] },
      servers: { haproxy: { ...HAPROXY, keySize: 80 } },
    })
    expect(() => ring.launchHook()).toThrow(/wanted launchGroups of ring edge/)
  })
})

describe('the page on autoscaling', { timeout: 240_000 }, () => {
  const file = join(outdir, 'Terminators.template.json')
  let example: Resources
  beforeAll(() => {
    const env = { ...process.env, CDK_OUTDIR: outdir }
    execFileSync(process.execPath, ['--import', 'tsx', 'docs/examples/autoscaling.ts'], {
      env,
      stdio: 'pipe',
    })
    example = new Resources(JSON.parse(readFileSync(file, 'utf8')).Resources)
  })

  it('has an example whose group has the hook before its first machine, and whose machines may complete it', () => {
    const { Properties, DependsOn } = example.one('AWS::AutoScaling::AutoScalingGroup')
    expect(Properties.LifecycleHookSpecificationList).toEqual([
      {
        LifecycleHookName: 'ticketring-edge',
        LifecycleTransition: 'autoscaling:EC2_INSTANCE_LAUNCHING',
        HeartbeatTimeout: 600,
        DefaultResult: 'CONTINUE',
      },
    ])
    expect(Properties.Tags).toEqual([{ Key: 'ticketring', Value: 'edge', PropagateAtLaunch: true }])
    const [policyId] = example.entries().find(([, { Type }]) => Type === 'AWS::IAM::Policy') ?? ['']
    expect(DependsOn).toContain(policyId)
  })

  it.runIf(installed('cfn-lint'))('has an example in which cfn-lint finds nothing', () => {
    const { status, stdout } = spawnSync('cfn-lint', [file], { encoding: 'utf8' })
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' })
  })

  it('is the example', () => {
    expect(PAGE).toContain(readFileSync('docs/examples/autoscaling.ts', 'utf8').trim())
  })

  it('has the same hook for Terraform', () => {
    const [, block = ''] = /initial_lifecycle_hook \{\n(.*?)\n {2}\}/s.exec(PAGE) ?? []
    const values = [...block.matchAll(/^ +(\w+) += "?([^"\n]+)"?$/gm)].map(([, name, value]) => [name, value])
    expect(Object.fromEntries(values)).toEqual({
      name: HOOK.lifecycleHookName,
      lifecycle_transition: HOOK.lifecycleTransition,
      heartbeat_timeout: String(HOOK.heartbeatTimeout),
      default_result: HOOK.defaultResult,
    })
  })

  it.runIf(installed('aws'))('has a command that the AWS CLI takes, with the same hook', () => {
    const [command = ''] = /^aws autoscaling put-lifecycle-hook(.*\\\n)*.*$/m.exec(PAGE) ?? []
    // It checks what is asked for, and asks no one.
    const asked = `${command} --generate-cli-skeleton output --region eu-west-1`
    execFileSync('sh', ['-ec', asked], { stdio: 'pipe' })
    const words = command.replaceAll('\\\n', ' ').split(/\s+/)
    const toldBy = (option: string) => words[words.indexOf(option) + 1]
    expect({
      lifecycleHookName: toldBy('--lifecycle-hook-name'),
      lifecycleTransition: toldBy('--lifecycle-transition'),
      heartbeatTimeout: Number(toldBy('--heartbeat-timeout')),
      defaultResult: toldBy('--default-result'),
    }).toEqual(HOOK)
  })
})
