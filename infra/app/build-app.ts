import { readFileSync } from 'node:fs'
import { App, CfnOutput, Duration, Stack, type StackProps, Validations } from 'aws-cdk-lib'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import { Role } from 'aws-cdk-lib/aws-iam'
import { Key } from 'aws-cdk-lib/aws-kms'
import { Topic } from 'aws-cdk-lib/aws-sns'
import type { CloudAssembly } from 'aws-cdk-lib/cx-api'
import { AwsSolutionsChecks } from 'cdk-nag'
import type { Construct } from 'constructs'
import type { DeliveryConfiguration } from '../fleet/delivery-configuration.ts'
import {
  functionName,
  recordName,
  secretName,
  stapleRecordName,
  staplesName,
  staplesStatusName,
  statusName,
  storePath,
} from '../fleet/names.ts'
import type { Operations } from '../fleet/operations.ts'
import type { DeliveryProps } from '../fleet/props.ts'
import type { RingConfiguration } from '../ring/configuration.ts'
import { TicketKeyRing } from '../ring/ticket-key-ring.ts'
import type { StaplingConfiguration } from '../stapling/configuration.ts'
import { OcspStapling } from '../stapling/ocsp-stapling.ts'
import { type Configuration, parseConfiguration } from './configuration.ts'
import { readContext } from './context.ts'
import { refuseOversize } from './limits.ts'
import { alarmsText, ringSummary, type SynthesisedRing, type SynthesisedSet, setSummary } from './summary.ts'

export { readContext } from './context.ts'
export type { SynthesisedRing, SynthesisedSet } from './summary.ts'

export interface Synthesis {
  /** The CloudFormation template of the one stack. */
  readonly template: { readonly Resources: Readonly<Record<string, unknown>> } & Readonly<
    Record<string, unknown>
  >
  /** Path of the cloud assembly: the template, and the functions' bundles as `asset.<hash>` directories. */
  readonly assembly: string
  /** What each ring and each set is and may touch, for a person. */
  readonly summary: readonly string[]
  readonly rings: readonly SynthesisedRing[]
  readonly stapling: readonly SynthesisedSet[]
}

export interface SynthesisOptions {
  /** Whether to bundle the functions (the default): a test of the template alone does without. */
  readonly bundle?: boolean
}

export const STACK_NAME = 'Ticketring'

/** The stack with every configured ring and every configured set of certificates. */
export class TicketringStack extends Stack {
  readonly rings: readonly SynthesisedRing[]
  readonly stapling: readonly SynthesisedSet[]

  constructor(scope: Construct, configuration: Configuration) {
    super(scope, STACK_NAME, stackProps(configuration))
    const { rings, stapling } = configuration
    const operations = this.#operate(configuration)
    this.rings = rings.map((ring) => this.#addRing(ring, operations))
    this.stapling = stapling.map((set) => this.#addSet(set, operations))
  }

  #operate({ alarms: { page, ticket, ...alarms }, logs: { key, ...logs } }: Configuration): Operations {
    const telling = (id: string, topic: string) => new SnsAction(Topic.fromTopicArn(this, id, topic))
    return {
      alarms: {
        ...alarms,
        ...(page === undefined ? {} : { page: telling('PageTopic', page) }),
        ...(ticket === undefined ? {} : { ticket: telling('TicketTopic', ticket) }),
      },
      logs: { ...logs, ...(key === undefined ? {} : { key: Key.fromKeyArn(this, 'LogKey', key) }) },
    }
  }

  #addRing(
    { fleetRoles, sharedRole: _, ...ring }: RingConfiguration,
    operations: Operations,
  ): SynthesisedRing {
    const id = pascal(ring.name)
    const [delivery, props] = splitDelivery(ring)
    const construct = new TicketKeyRing(this, id, {
      ...props,
      rotation: durations(ring.rotation, ['every', 'ticketLifetime', 'maxKeyAge']),
      delivery,
      operations,
    })
    letRead(construct, fleetRoles)
    tell(construct, `${id}Secret`, construct.secretArn, `Secret of ring ${ring.name}`)
    tell(
      construct,
      `${id}Function`,
      construct.function.functionName,
      `Rotation function of ring ${ring.name}`,
    )
    tell(
      construct,
      `${id}Status`,
      construct.statusFunction.functionName,
      `Function that only looks at ring ${ring.name}`,
    )
    return {
      ...ring,
      fleetRoles,
      secretName: secretName(ring.name),
      functionName: functionName(ring.name),
      statusName: statusName(ring.name),
      recordName: recordName(ring.name),
      document: construct.document,
    }
  }

  #addSet(configuration: StaplingConfiguration, operations: Operations): SynthesisedSet {
    const [delivery, set] = splitDelivery(configuration)
    const { name, targets, servers, fleetRoles, certificates: configured, ...others } = set
    const asking = { ...others, refresh: durations(others.refresh, ['every', 'least', 'most']) }
    const certificates = configured.map((each) => durations(each, ['maxAge']))
    const id = `${pascal(name)}Staples`
    const props = { name, targets, servers, certificates, asking, delivery, operations }
    const construct = new OcspStapling(this, id, props)
    letRead(construct, fleetRoles)
    tell(construct, `${id}Function`, construct.function.functionName, `Staple function of set ${name}`)
    tell(
      construct,
      `${id}Status`,
      construct.statusFunction.functionName,
      `Function that only looks at the staples of set ${name}`,
    )
    return {
      ...configuration,
      functionName: staplesName(name),
      statusName: staplesStatusName(name),
      storePath: storePath(name),
      recordName: stapleRecordName(name),
      document: construct.document,
    }
  }
}

/** What a construct takes as one prop, and the rest of its configuration. */
function splitDelivery<T extends DeliveryConfiguration>({ repairEvery, endpoints, program, ...rest }: T) {
  const delivery: DeliveryProps = {
    repairEvery: Duration.seconds(repairEvery),
    ...(endpoints === undefined ? {} : { endpoints }),
    ...(program === undefined ? {} : { program }),
  }
  return [delivery, rest] as const
}

/** Seconds as a construct takes them. */
function durations<T extends object, K extends keyof T>(
  values: T,
  names: readonly K[],
): { readonly [P in keyof T]: P extends K ? Duration : T[P] } {
  const entries = Object.entries(values).map(([name, value]) => [
    name,
    names.includes(name as K) ? Duration.seconds(value) : value,
  ])
  return Object.fromEntries(entries)
}

/** An output of the stack: below its construct, or two rings named `a` and `a-status` would meet in one id. */
function tell(construct: Construct, logicalId: string, value: string, description: string): void {
  new CfnOutput(construct, `Output${logicalId}`, { value, description }).overrideLogicalId(logicalId)
}

/** Each construct gets roles and policies of its own: rings and sets come and go apart from each other. */
function letRead(construct: TicketKeyRing | OcspStapling, fleetRoles: readonly string[]): void {
  for (const name of fleetRoles) construct.grantRead(Role.fromRoleName(construct, `FleetRole-${name}`, name))
}

/** Builds the app from a parsed configuration, with cdk-nag's AwsSolutions rules: a finding fails the synthesis. */
export function buildApp(
  configuration: Configuration,
  { app = createApp() } = {},
): {
  readonly app: App
  readonly stack: TicketringStack
} {
  const stack = new TicketringStack(app, configuration)
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app))
  return { app, stack }
}

/** @throws TicketringError `configuration-invalid` that lists the limits of CloudFormation and IAM that are passed. */
export function synthesiseWithinLimits(app: App, { stackName }: Stack): CloudAssembly {
  const assembly = app.synth()
  refuseOversize(readFileSync(assembly.getStackByName(stackName).templateFullPath, 'utf8'))
  return assembly
}

/**
 * Synthesises the app into `outdir`, as `npx cdk synth` does, but without CDK's own validation of the template: that takes
 * seconds, and nothing is deployed from here.
 * @param configuration the context `ticketring`
 * @throws TicketringError `configuration-invalid` that lists every problem
 */
export function synthesise(
  configuration: unknown,
  outdir: string,
  { bundle = true }: SynthesisOptions = {},
): Synthesis {
  const parsed = parseConfiguration(configuration)
  const { app, stack } = buildApp(parsed, { app: createApp({ outdir, bundle, validate: false }) })
  const assembly = synthesiseWithinLimits(app, stack)
  return {
    template: assembly.getStackByName(stack.stackName).template,
    assembly: assembly.directory,
    summary: summarise(parsed, stack),
    rings: stack.rings,
    stapling: stack.stapling,
  }
}

/** What the app deploys, for a person. */
export function summarise(
  { alarms }: Configuration,
  { rings, stapling }: TicketringStack,
): readonly string[] {
  return [...rings.flatMap(ringSummary), ...stapling.flatMap(setSummary), alarmsText(alarms)]
}

/** An app with the feature flags of cdk.json, however it is started. */
export function createApp({
  outdir,
  bundle = true,
  validate = true,
}: {
  readonly outdir?: string
  readonly bundle?: boolean
  /** Whether CDK validates the template against CloudFormation's schemas and rules. */
  readonly validate?: boolean
} = {}): App {
  const { ticketring: _, ...flags } = readContext()
  return new App({
    analyticsReporting: false,
    builtinCloudFormationValidation: validate,
    context: {
      ...flags,
      // CDK's own check ends at the first limit, with a stack trace.
      '@aws-cdk/core:stackResourceLimit': 0,
      ...(bundle ? {} : { 'aws:cdk:bundling-stacks': [] }),
    },
    ...(outdir === undefined ? {} : { outdir }),
  })
}

function stackProps({ regions: [region] }: Configuration): StackProps {
  const description = 'TLS session-ticket keys and OCSP staples: always fresh, on every machine, with proof'
  // Indented, fewer rings would fit CloudFormation's megabyte.
  const props = { description, suppressTemplateIndentation: true }
  return region === undefined ? props : { ...props, env: { region } }
}

function pascal(name: string): string {
  return name.replace(/(^|-)([a-z0-9])/g, (_, __, letter: string) => letter.toUpperCase())
}
