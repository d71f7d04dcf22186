import type { Metric } from 'aws-cdk-lib/aws-cloudwatch'
import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import { Construct } from 'constructs'
import { Alarms } from '../fleet/alarms.ts'
import { acknowledgeWildcards, arnOf } from '../fleet/arns.ts'
import { FleetDelivery } from '../fleet/delivery.ts'
import type { DeliveryConfiguration } from '../fleet/delivery-configuration.ts'
import type { FleetDocument } from '../fleet/document.ts'
import type { Targets } from '../fleet/machines.ts'
import { staplesName, storePath } from '../fleet/names.ts'
import type { Network } from '../fleet/network-access.ts'
import type { Operations } from '../fleet/operations.ts'
import { Schedules } from '../fleet/schedules.ts'
import { ownProgram } from '../program/program.ts'
import { type StapleMetric, stapleAlarms, stapleMetric } from './alarms.ts'
import type { CertificateConfiguration } from './certificate-configuration.ts'
import { parseSet, type Refresh, type StaplingConfiguration, type StaplingServers } from './configuration.ts'
import { buildStapleDocument } from './document.ts'
import { createStapleFunction, createStapleStatusFunction, SETS_OWN } from './function.ts'

export interface OcspStaplingProps {
  /** Name of the set, unique in account and Region: 1 to 29 lower-case letters, digits and hyphens. */
  readonly name: string
  /** The machines that staple. */
  readonly targets: Targets
  /** Which terminators run there and where their files are. */
  readonly servers: StaplingServers
  /** The certificates, each with the place of its chain. */
  readonly certificates: readonly CertificateConfiguration[]
  /** When and from where responders are asked: every 15 minutes whatever is due, outside any VPC, public addresses. */
  readonly asking?: {
    readonly refresh?: Refresh
    readonly allow?: readonly string[]
    readonly vpc?: Network
    readonly chainPath?: string
  }
  /** How often machines repair themselves, every 30 minutes unless told, and where they find Systems Manager. */
  readonly delivery?: Partial<DeliveryConfiguration>
  /** Whom the alarms tell, and how long logs are kept. */
  readonly operations?: Operations
}

/**
 * OCSP staples for the certificates of one fleet: asked for by a function, once for all machines, validated, kept in
 * Parameter Store, delivered by Run Command, repaired by State Manager, watched by alarms. The log is retained when
 * the construct goes; the staples are too, and end by themselves.
 * @throws TicketringError `configuration-invalid` that lists every problem of the props.
 */
export class OcspStapling extends Construct {
  /** The staple function: invoke it with `{"action":"status"}` and the like. */
  readonly function: IFunction
  /** The function that only looks, for `status` and `explain`: its callers can change nothing. */
  readonly statusFunction: IFunction
  /** What Run Command runs on the machines. */
  readonly document: FleetDocument
  readonly #set: StaplingConfiguration

  constructor(
    scope: Construct,
    id: string,
    { operations = {}, asking, delivery: delivering, ...set }: OcspStaplingProps,
  ) {
    super(scope, id)
    this.#set = parseSet({ ...set, ...asking, ...delivering })
    const { name, targets, refresh, repairEvery } = this.#set
    this.document = buildStapleDocument(this.#set, ownProgram())
    const delivery = new FleetDelivery(this, 'Delivery', {
      document: this.document,
      targets,
      name: staplesName(name),
      repairEvery,
      parameters: { Staples: ['all'] },
    })
    const { document } = this
    const parts = { set: this.#set, document, delivery, logs: operations.logs }
    this.function = createStapleFunction(this, 'Refresh', parts)
    delivery.precede(this.function)
    this.statusFunction = createStapleStatusFunction(this, 'Status', parts)
    const tick = refresh.every / 60
    const { undelivered } = new Schedules(this, 'Schedules', {
      group: staplesName(name),
      whom: `the staple function of set ${name}`,
      handler: this.function,
      tick,
      schedules: {
        Refresh: {
          name: `${staplesName(name)}-refresh`,
          minutes: tick,
          window: 0,
          event: { action: 'refresh' },
        },
      },
    })
    new Alarms(this, 'Alarms', {
      name: `ticketring-${name}`,
      about: `Staples of set ${name}`,
      actions: operations.alarms,
      alarms: stapleAlarms({ set: name, every: refresh.every, handler: this.function, undelivered }),
    })
  }

  /** Lets the role of a fleet's machines read the set's staples. They are public: nothing else is there. */
  grantRead(fleetRole: IGrantable): Grant {
    const staples = arnOf(this, 'ssm', `parameter${storePath(this.#set.name)}/*`)
    const { grantPrincipal } = fleetRole
    if (Construct.isConstruct(grantPrincipal)) acknowledgeWildcards(grantPrincipal, { [staples]: SETS_OWN })
    return Grant.addToPrincipal({
      grantee: fleetRole,
      actions: ['ssm:GetParameters'],
      resourceArns: [staples],
    })
  }

  /** Of the life of the response that is nearest its end, the share that is left, in percent; 0 where one is missing. */
  metricLifeLeft(): Metric {
    return this.#metric('StapleLifeLeft')
  }

  /** Certificates whose last try failed, or that cannot be looked after at all. */
  metricFailures(): Metric {
    return this.#metric('StapleFailures')
  }

  /** Certificates that a responder calls revoked. */
  metricRevoked(): Metric {
    return this.#metric('StaplesRevoked')
  }

  /** Machines that do not hold what they should. */
  metricUndelivered(): Metric {
    return this.#metric('StaplesUndelivered')
  }

  /** Certificates without their staple because its end came. */
  metricWithdrawn(): Metric {
    return this.#metric('StaplesWithdrawn')
  }

  /** Must-staple certificates without a staple: clients that insist on one refuse them. */
  metricMustStaplesMissing(): Metric {
    return this.#metric('MustStaplesMissing')
  }

  /** 1 where so many staples would have gone at once that none was withdrawn. */
  metricWithdrawalHeld(): Metric {
    return this.#metric('WithdrawalHeld')
  }

  #metric(metric: StapleMetric): Metric {
    return stapleMetric(this.#set.name, this.#set.refresh.every, metric)
  }
}
