import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Duration, Stack, Validations } from 'aws-cdk-lib'
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { AwsSolutionsChecks } from 'cdk-nag'
import { afterAll, describe, expect, it } from 'vitest'
import { createApp } from '../../../infra/app/build-app.ts'
import { OcspStapling } from '../../../infra/stapling/ocsp-stapling.ts'
import type { OcspStaplingProps } from '../../../infra/stapling/props.ts'
import { CERTIFICATE, HAPROXY_STAPLING } from '../app/example.ts'
import { flat, Resources } from '../app/synthesis.ts'

const outdir = mkdtempSync(join(tmpdir(), 'ticketring-construct-'))
afterAll(() => rmSync(outdir, { recursive: true }))

const PROPS: OcspStaplingProps = {
  name: 'quay',
  targets: { tag: 'fleet', values: ['quay'], minInstances: 1 },
  servers: { haproxy: { ...HAPROXY_STAPLING, reload: 'systemctl reload haproxy' } },
  certificates: [{ ...CERTIFICATE, revoked: 'withhold', mustStaple: 'keep-until-end' }],
}

function stackOf(name: string): Stack {
  return new Stack(createApp({ outdir: join(outdir, name), bundle: false, validate: false }), name)
}

describe("OcspStapling in an owner's app", { timeout: 120_000 }, () => {
  it('lets a role of that app read its staples, with nothing left for cdk-nag to find', () => {
    const stack = stackOf('Granted')
    const staples = new OcspStapling(stack, 'Quay', PROPS)
    const role = new Role(stack, 'Fleet', { assumedBy: new ServicePrincipal('ec2.amazonaws.com') })
    staples.grantRead(role).assertSuccess()
    const app = stack.node.root as ReturnType<typeof createApp>
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app))
    const resources = new Resources(app.synth().getStackByName('Granted').template.Resources)
    const { PolicyDocument } = resources.one('AWS::IAM::Policy').Properties
    expect(flat(PolicyDocument.Statement)).toEqual([
      {
        Action: 'ssm:GetParameters',
        Effect: 'Allow',
        Resource:
          'arn:<AWS::Partition>:ssm:<AWS::Region>:<AWS::AccountId>:parameter/ticketring/staples/quay/*',
      },
    ])
  })

  it('measures under the set, by the names the function writes', () => {
    const staples = new OcspStapling(stackOf('Measured'), 'Quay', PROPS)
    const metrics = [
      staples.metricLifeLeft(),
      staples.metricFailures(),
      staples.metricRevoked(),
      staples.metricUndelivered(),
      staples.metricWithdrawn(),
      staples.metricMustStaplesMissing(),
      staples.metricWithdrawalHeld(),
      staples.metricDriftRepaired(),
    ]
    expect(metrics.map(({ metricName, statistic }) => [metricName, statistic])).toEqual([
      ['StapleLifeLeft', 'Minimum'],
      ['StapleFailures', 'Maximum'],
      ['StaplesRevoked', 'Maximum'],
      ['StaplesUndelivered', 'Maximum'],
      ['StaplesWithdrawn', 'Maximum'],
      ['MustStaplesMissing', 'Maximum'],
      ['WithdrawalHeld', 'Maximum'],
      ['DriftRepaired', 'Sum'],
    ])
    for (const { namespace, dimensions } of metrics) {
      expect({ namespace, dimensions }).toEqual({ namespace: 'Ticketring', dimensions: { Set: 'quay' } })
    }
  })

  it('holds its props to the rules of cdk.json and names every problem', () => {
    const refused = () =>
      new OcspStapling(stackOf('Refused'), 'Quay', {
        ...PROPS,
        certificates: [],
        asking: {
          refresh: { every: Duration.minutes(1), least: Duration.hours(2), most: Duration.hours(1) },
        },
      })
    expect(refused).toThrow(
      /3 problems:[\s\S]*set\.certificates[\s\S]*set\.refresh\.every[\s\S]*set\.refresh\.most/,
    )
  })
})
