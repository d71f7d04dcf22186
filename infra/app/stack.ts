import { Duration, Stack, type StackProps } from 'aws-cdk-lib'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import { Role } from 'aws-cdk-lib/aws-iam'
import { Key } from 'aws-cdk-lib/aws-kms'
import { Topic } from 'aws-cdk-lib/aws-sns'
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
import { outputHead } from '../fleet/outputs.ts'
import type { DeliveryProps } from '../fleet/props.ts'
import type { RingConfiguration } from '../ring/configuration.ts'
import { TicketKeyRing } from '../ring/ticket-key-ring.ts'
import type { StaplingConfiguration } from '../stapling/configuration.ts'
import { OcspStapling } from '../stapling/ocsp-stapling.ts'
import type { Configuration } from './configuration.ts'
import { addDashboard, type ShownRing, type ShownSet } from './dashboard.ts'
import { STACK_NAME, WATCH_STACK_NAME } from './stack-names.ts'
import type { SynthesisedRing, SynthesisedSet } from './summary.ts'

/** The stack with every configured ring and every configured set of certificates. */
export class TicketringStack extends Stack {
  readonly rings: readonly SynthesisedRing[]
  readonly stapling: readonly SynthesisedSet[]

  /** The alarms that a silent function trips: they outlive this stack, so its deletion is silence that pages. */
  readonly watch: Stack

  readonly #shown: { readonly rings: ShownRing[]; readonly sets: ShownSet[] } = { rings: [], sets: [] }

  constructor(scope: Construct, configuration: Configuration) {
    super(scope, STACK_NAME, stackProps(configuration, DESCRIPTION))
    this.watch = new Stack(scope, WATCH_STACK_NAME, stackProps(configuration, WATCH_DESCRIPTION))
    const { rings, stapling } = configuration
    const operations = this.#operate(configuration)
    this.rings = rings.map((ring) => this.#addRing(ring, operations))
    this.stapling = stapling.map((set) => this.#addSet(set, operations))
    addDashboard(this, 'Dashboard', this.#shown)
  }

  #operate({ alarms: { page, ticket, ...alarms }, logs: { key, ...logs } }: Configuration): Operations {
    const telling = (id: string, topic: string) => new SnsAction(Topic.fromTopicArn(this, id, topic))
    return {
      watch: this.watch,
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
    const id = outputHead(ring.name)
    const [delivery, { canary, ...props }] = splitDelivery(ring)
    const construct = new TicketKeyRing(this, id, {
      ...props,
      rotation: durations(ring.rotation, ['every', 'ticketLifetime', 'maxKeyAge']),
      ...(canary === undefined ? {} : { canary: durations(canary, ['soak']) }),
      staleAfter: Duration.seconds(ring.staleAfter),
      delivery,
      operations,
    })
    this.#shown.rings.push({ name: ring.name, maxKeyAge: ring.rotation.maxKeyAge, construct })
    letRead(construct, fleetRoles)
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
    const id = outputHead(`${name}-staples`)
    const props = { name, targets, servers, certificates, asking, delivery, operations }
    const construct = new OcspStapling(this, id, props)
    this.#shown.sets.push({ name, construct })
    letRead(construct, fleetRoles)
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
function splitDelivery<T extends DeliveryConfiguration>({
  repairEvery,
  endpoints,
  boot,
  program,
  ...rest
}: T) {
  const delivery: DeliveryProps = {
    repairEvery: Duration.seconds(repairEvery),
    ...(endpoints === undefined ? {} : { endpoints }),
    ...(boot === undefined ? {} : { boot }),
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

/** Each construct gets roles and policies of its own: rings and sets come and go apart from each other. */
function letRead(construct: TicketKeyRing | OcspStapling, fleetRoles: readonly string[]): void {
  for (const name of fleetRoles) construct.grantRead(Role.fromRoleName(construct, `FleetRole-${name}`, name))
}

const DESCRIPTION = 'TLS session-ticket keys and OCSP staples: always fresh, on every machine, with proof'
const WATCH_DESCRIPTION = `Pages when a function of stack ${STACK_NAME} is silent, also when that stack is deleted`

function stackProps(
  { regions: [region], terminationProtection }: Configuration,
  description: string,
): StackProps {
  // Indented, fewer rings would fit CloudFormation's megabyte.
  const props = { description, terminationProtection, suppressTemplateIndentation: true }
  return region === undefined ? props : { ...props, env: { region } }
}
