/** The one template for who has no CDK: a ring for HAProxy and nginx, what sets one apart from another as parameters. */
import { App, CfnParameter, Duration, Fn, Stack } from 'aws-cdk-lib'
import { Alarm, type CfnAlarm } from 'aws-cdk-lib/aws-cloudwatch'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import { Role } from 'aws-cdk-lib/aws-iam'
import { Topic } from 'aws-cdk-lib/aws-sns'
import type { CloudFormationStackArtifact } from 'aws-cdk-lib/cx-api'
import { readContext } from '../app/context.ts'
import type { TicketKeyRingProps } from '../ring/props.ts'
import { TicketKeyRing } from '../ring/ticket-key-ring.ts'
import type { KeyServers } from '../servers/servers.ts'
import { parameterise } from './parameterise.ts'
import { type Json, PARAMETERS } from './parameters.ts'

const ID = 'TicketringRing'
const WATCH = 'TicketringRingWatch'

/** A function's code as the template names it. */
export interface ReleasedCode {
  /** Folder of the bundle. */
  readonly directory: string
  /** Name of its zip file, after its content. */
  readonly name: string
}

export interface ReleasedTemplates {
  readonly template: Json
  /** The alarms that a silent function trips, which outlive a stack of the other. */
  readonly watch: Json
  readonly code: readonly ReleasedCode[]
}

/**
 * Synthesises the templates into `outdir`.
 * @returns them with references to parameters in place of what they were synthesised with, and the bundles that they name
 */
export function releasedTemplates(outdir: string): ReleasedTemplates {
  const { ticketring: _, ...context } = readContext()
  const app = new App({ outdir, context, analyticsReporting: false, builtinCloudFormationValidation: false })
  const stackOf = (id: string, description: string) =>
    new Stack(app, id, { description, suppressTemplateIndentation: true })
  const watch = stackOf(
    WATCH,
    'Pages when the function of a ring of ticketring is silent, also when its stack is deleted',
  )
  addRing(
    stackOf(
      ID,
      'A ring of TLS session-ticket keys for HAProxy and nginx: fresh, on every machine, with proof',
    ),
    watch,
  )
  const assembly = app.synth()
  const read = (id: string) => {
    const { template } = assembly.getStackByName(id) as CloudFormationStackArtifact
    return parameterise(template, assembly.directory)
  }
  return { ...read(ID), watch: read(WATCH).template }
}

/** What a value of the CDK's may refer to, unlike the configuration's: the rest is in `parameters.ts`. */
const ASKED = {
  FleetRole: ["Name of the machines' role, which may then read the ring", '^[\\w+=,.@-]{1,64}$'],
  PageTopic: [
    'ARN of the SNS topic that alarms tell',
    '^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]{1,256}$',
  ],
  CodeBucket: ["S3 bucket in the stack's Region that holds the release's zip files", '^[a-z0-9.-]{3,63}$'],
} as const

function addRing(stack: Stack, watch: Stack): void {
  for (const [id, [description, allowedPattern]] of Object.entries(ASKED))
    new CfnParameter(stack, id, { description, allowedPattern })
  const [description, allowedPattern] = ASKED.PageTopic
  new CfnParameter(watch, 'PageTopic', { description, allowedPattern })
  const given = (id: keyof typeof ASKED) => Fn.ref(id)
  const page = new SnsAction(Topic.fromTopicArn(stack, 'Page', given('PageTopic')))
  const ring = new TicketKeyRing(stack, 'Ring', {
    name: PARAMETERS.RingName.stand,
    targets: { tag: 'ticketring', values: [PARAMETERS.TagValue.stand] },
    servers: servers(),
    mode: PARAMETERS.Mode.stand,
    ...optional(),
    operations: { watch, alarms: { page } },
  })
  nameAlarms(watch)
  ring.grantRead(Role.fromRoleName(stack, 'Fleet', given('FleetRole')))
}

/** All that a ring may have, of which `options.ts` knows what belongs to which parameter. */
function optional(): Pick<TicketKeyRingProps, 'canary' | 'rotation' | 'accessWatch'> {
  const { CanaryTag, CanaryValues, CanarySoak, StopOnAlarms, Calendars, AccessReaders } = PARAMETERS
  return {
    canary: {
      tag: CanaryTag.stand,
      values: [CanaryValues.stand],
      soak: Duration.seconds(Number(CanarySoak.stand)),
      stopOnAlarms: [StopOnAlarms.stand],
    },
    rotation: { calendars: [Calendars.stand] },
    accessWatch: { readers: [AccessReaders.stand] },
  }
}

/** The ring's name, which is a parameter, is in their ids. */
function nameAlarms(watch: Stack): void {
  const alarms = watch.node.findAll().filter((each) => each instanceof Alarm)
  for (const alarm of alarms) (alarm.node.defaultChild as CfnAlarm).overrideLogicalId(alarm.node.id)
}

function servers(): KeyServers {
  const { RingName, HAProxySocket, HAProxyListener, NginxListener, ServerName } = PARAMETERS
  const keys = `/run/ticketring/${RingName.stand}`
  const listener = (address: string) => [{ address, serverName: ServerName.stand }]
  return {
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
  }
}
