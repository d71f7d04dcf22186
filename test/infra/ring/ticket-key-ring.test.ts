import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Duration, Lazy, Stack } from 'aws-cdk-lib'
import { Annotations, Match } from 'aws-cdk-lib/assertions'
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { afterAll, describe, expect, it } from 'vitest'
import { createApp } from '../../../infra/app/build-app.ts'
import type { TicketKeyRingProps } from '../../../infra/ring/props.ts'
import { TicketKeyRing } from '../../../infra/ring/ticket-key-ring.ts'
import { HAPROXY, settingsIn } from '../app/example.ts'
import { flat, Resources } from '../app/synthesis.ts'

const outdir = mkdtempSync(join(tmpdir(), 'ticketring-construct-'))
afterAll(() => rmSync(outdir, { recursive: true }))

const PROPS: TicketKeyRingProps = {
  name: 'quay',
  targets: { tag: 'fleet', values: ['quay'], minInstances: 1 },
  servers: { haproxy: { ...HAPROXY, keySize: 48 } },
  rotation: { every: Duration.hours(1), ticketLifetime: Duration.minutes(30), maxKeyAge: Duration.hours(2) },
}

function stackOf(name: string): Stack {
  return new Stack(createApp({ outdir: join(outdir, name), bundle: false, validate: false }), name)
}

describe("TicketKeyRing in an owner's app", { timeout: 120_000 }, () => {
  it('warns of what keys of 48 bytes cost, and of whole ones not', () => {
    const warningsOf = (keySize: 48 | 80) => {
      const stack = stackOf(`Size${keySize}`)
      new TicketKeyRing(stack, 'Quay', { ...PROPS, servers: { haproxy: { ...HAPROXY, keySize } } })
      return Annotations.fromStack(stack)
        .findWarning('*', Match.stringLikeRegexp('.*'))
        .map(({ entry }) => String(entry.data))
    }
    expect(warningsOf(48)).toEqual([expect.stringContaining('servers.haproxy.keySize is 48: AES-128')])
    expect(warningsOf(80)).toEqual([])
  })

  it('lets a role of that app read what AWSCURRENT names, through the key', () => {
    const stack = stackOf('Granted')
    const ring = new TicketKeyRing(stack, 'Quay', PROPS)
    const role = new Role(stack, 'Fleet', { assumedBy: new ServicePrincipal('ec2.amazonaws.com') })
    ring.grantRead(role).assertSuccess()
    const app = stack.node.root as ReturnType<typeof createApp>
    const resources = new Resources(app.synth().getStackByName('Granted').template.Resources)
    const { PolicyDocument } = resources.one('AWS::IAM::Policy').Properties
    expect(flat(PolicyDocument.Statement)).toMatchObject([
      {
        Action: 'secretsmanager:GetSecretValue',
        Condition: { 'ForAnyValue:StringEquals': { 'secretsmanager:VersionStage': 'AWSCURRENT' } },
      },
      {
        Action: 'kms:Decrypt',
        Condition: { StringEquals: { 'kms:EncryptionContext:SecretARN': '<QuayRingSecret>' } },
      },
    ])
  })

  it('measures under the ring, by the names the function writes', () => {
    const ring = new TicketKeyRing(stackOf('Measured'), 'Quay', PROPS)
    const metrics = [
      ring.metricKeyAge(),
      ring.metricRotationHeld(),
      ring.metricRotationForced(),
      ring.metricStragglers(),
      ring.metricMembers(),
      ring.metricAuthBypass(),
    ]
    expect(metrics.map(({ metricName }) => metricName)).toEqual([
      'KeyAge',
      'RotationHeld',
      'RotationForced',
      'Stragglers',
      'Members',
      'AuthBypass',
    ])
    for (const { namespace, dimensions } of metrics) {
      expect({ namespace, dimensions }).toEqual({ namespace: 'Ticketring', dimensions: { Ring: 'quay' } })
    }
  })

  it('takes how it is delivered as a prop', () => {
    const stack = stackOf('Delivered')
    new TicketKeyRing(stack, 'Quay', { ...PROPS, delivery: { repairEvery: Duration.hours(2) } })
    const app = stack.node.root as ReturnType<typeof createApp>
    const resources = new Resources(app.synth().getStackByName('Delivered').template.Resources)
    expect(resources.one('AWS::SSM::Association').Properties.ScheduleExpression).toBe('rate(2 hours)')
  })

  it('holds its props to the rules of cdk.json and names every problem', () => {
    const rotation = { ...PROPS.rotation, ticketLifetime: Duration.hours(1) }
    const targets = { ...PROPS.targets, values: [] }
    expect(() => new TicketKeyRing(stackOf('Refused'), 'Quay', { ...PROPS, rotation, targets })).toThrow(
      /3 problems:[\s\S]*ring\.targets\.values[\s\S]*ring\.rotation\.ticketLifetime[\s\S]*ring\.rotation\.maxKeyAge/,
    )
  })

  it('refuses an alarm of another Region, where it knows its own', () => {
    const alarm = 'arn:aws:cloudwatch:eu-west-1:111122223333:alarm:edge-5xx'
    const canary = { tag: 'canary', values: ['yes'], soak: Duration.minutes(1), stopOnAlarms: [alarm] }
    const rotation = {
      every: Duration.hours(2),
      ticketLifetime: Duration.minutes(30),
      maxKeyAge: Duration.hours(6),
    }
    const ringIn = (name: string, region?: string) => {
      const app = createApp({ outdir: join(outdir, name), bundle: false, validate: false })
      const stack = new Stack(app, name, region === undefined ? {} : { env: { region } })
      return new TicketKeyRing(stack, 'Quay', { ...PROPS, rotation, canary })
    }
    expect(() => ringIn('Abroad', 'eu-west-2')).toThrow(
      `ring.canary.stopOnAlarms[0]: wanted an ARN of eu-west-2, where everything else is; got "${alarm}"`,
    )
    expect(() => ringIn('AtHome', 'eu-west-1')).not.toThrow()
    expect(() => ringIn('Anywhere')).not.toThrow()
  })

  it('needs no prop of time: what it then has is what cdk.json would have', () => {
    const { rotation: _, ...props } = PROPS
    const ring = new TicketKeyRing(stackOf('Unsaid'), 'Quay', props)
    expect(settingsIn(ring.document.content.mainSteps[0].inputs.runCommand)).toContain('TICKET_LIFETIME=7200')
  })

  it.each<[string, Duration, string]>([
    ['in parts of a second', Duration.millis(3_600_500), 'got "3600.5 seconds"'],
    ['that is none', Duration.seconds(0), 'got 0'],
    ['known at deploy time alone', Duration.seconds(Lazy.number({ produce: () => 3600 })), 'got "a token'],
  ])('refuses a duration %s by its path', (_, every, came) => {
    const rotation = { ...PROPS.rotation, every }
    const create = () => new TicketKeyRing(stackOf('Odd'), 'Quay', { ...PROPS, rotation })
    expect(create).toThrow(`ring.rotation.every: wanted a duration such as 90s, 30m, 4h or 1d; ${came}`)
  })

  it('lets a metric be read in another way', () => {
    const ring = new TicketKeyRing(stackOf('Read'), 'Quay', PROPS)
    const metric = ring.metricMembers({ statistic: 'Minimum', period: Duration.hours(1), label: 'there' })
    expect(metric).toMatchObject({ metricName: 'Members', statistic: 'Minimum', label: 'there' })
    expect(metric.period.toHours()).toBe(1)
    expect(ring.metricMembers()).toMatchObject({ statistic: 'Maximum' })
  })
})
