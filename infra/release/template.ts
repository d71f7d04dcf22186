/** The one template for who has no CDK: a ring for HAProxy and nginx, what sets one apart from another as parameters. */
import { App, CfnOutput, CfnParameter, Stack } from 'aws-cdk-lib'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import { Role } from 'aws-cdk-lib/aws-iam'
import { Topic } from 'aws-cdk-lib/aws-sns'
import type { CloudFormationStackArtifact } from 'aws-cdk-lib/cx-api'
import { readContext } from '../app/context.ts'
import { TicketKeyRing } from '../ring/ticket-key-ring.ts'
import { type Json, parameterise } from './parameterise.ts'
import { PARAMETERS } from './parameters.ts'

const ID = 'TicketringRing'

/** A function's code as the template names it. */
export interface ReleasedCode {
  /** Folder of the bundle. */
  readonly directory: string
  /** Name of its zip file, after its content. */
  readonly name: string
}

export interface ReleasedTemplate {
  readonly template: Json
  readonly code: readonly ReleasedCode[]
}

/**
 * Synthesises the template into `outdir`.
 * @returns it with references to parameters in place of what it was synthesised with, and the bundles that it names
 */
export function releasedTemplate(outdir: string): ReleasedTemplate {
  const { ticketring: _, ...context } = readContext()
  const app = new App({ outdir, context, analyticsReporting: false, builtinCloudFormationValidation: false })
  const stack = new Stack(app, ID, {
    description:
      'A ring of TLS session-ticket keys for HAProxy and nginx: fresh, on every machine, with proof',
    suppressTemplateIndentation: true,
  })
  addRing(stack)
  const assembly = app.synth()
  const { template } = assembly.getStackByName(ID) as CloudFormationStackArtifact
  return parameterise(template, assembly.directory)
}

function addRing(stack: Stack): void {
  const told = (id: string, description: string, allowedPattern: string) =>
    new CfnParameter(stack, id, { description, allowedPattern }).valueAsString
  const fleetRole = told(
    'FleetRole',
    "Name of the machines' role, which may then read the ring",
    '^[\\w+=,.@-]{1,64}$',
  )
  const page = told(
    'PageTopic',
    'ARN of the SNS topic that alarms tell',
    '^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]{1,256}$',
  )
  told(
    'CodeBucket',
    "S3 bucket in the stack's Region that holds the release's zip files",
    '^[a-z0-9.-]{3,63}$',
  )
  const { RingName, TagValue, HAProxySocket, HAProxyListener, NginxListener, ServerName } = PARAMETERS
  const keys = `/run/ticketring/${RingName.stand}`
  const listener = (address: string) => [{ address, serverName: ServerName.stand }]
  const ring = new TicketKeyRing(stack, 'Ring', {
    name: RingName.stand,
    targets: { tag: 'ticketring', values: [TagValue.stand] },
    servers: {
      haproxy: {
        keys: `${keys}/haproxy.keys`,
        keySize: 80,
        socket: HAProxySocket.stand,
        owner: 'root',
        verify: listener(HAProxyListener.stand),
      },
      nginx: {
        keys,
        keySize: 80,
        test: 'nginx -t',
        reload: 'systemctl reload nginx',
        owner: 'root',
        verify: listener(NginxListener.stand),
      },
    },
    operations: { alarms: { page: new SnsAction(Topic.fromTopicArn(stack, 'Page', page)) } },
  })
  ring.grantRead(Role.fromRoleName(stack, 'Fleet', fleetRole))
  new CfnOutput(stack, 'Secret', { value: ring.secretArn, description: 'Secret of the ring' })
  new CfnOutput(stack, 'Function', {
    value: ring.function.functionName,
    description: 'Its rotation function',
  })
  const looking = { value: ring.statusFunction.functionName, description: 'The function that only looks' }
  new CfnOutput(stack, 'Status', looking)
}
