import { Duration } from 'aws-cdk-lib'
import type { Metric, MetricOptions } from 'aws-cdk-lib/aws-cloudwatch'
import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import { Construct } from 'constructs'
import type { FleetTarget } from '../../lambda/fleet/configuration.ts'
import { Alarms, measured } from '../fleet/alarms.ts'
import { acknowledgeWildcards, arnOf } from '../fleet/arns.ts'
import { FleetDelivery } from '../fleet/delivery.ts'
import type { FleetDocument } from '../fleet/document.ts'
import { staplesName, storePath } from '../fleet/names.ts'
import type { Network } from '../fleet/network-access.ts'
import type { Operations } from '../fleet/operations.ts'
import { asConfigured, type DeliveryProps } from '../fleet/props.ts'
import { Schedules } from '../fleet/schedules.ts'
import { ownProgram } from '../program/program.ts'
import type { StapleServers } from '../servers/servers.ts'
import { type StapleMetric, stapleAlarms } from './alarms.ts'
import type { ChainConfiguration } from './certificate-configuration.ts'
import { parseSet, type StaplingConfiguration } from './configuration.ts'
import { buildStapleDocument } from './document.ts'
import { createStapleFunction, createStapleStatusFunction, SETS_OWN } from './function.ts'

/** One certificate. */
export interface CertificateProps {
  /** What events and `status` call it. */
  readonly name: string
  /** The parameter or the secret that holds its PEM chain, and the KMS key that encrypts it. */
  readonly chain: ChainConfiguration
  /**
   * Asks this responder; any address may be meant.
   * @default - the responders that the certificate names
   */
  readonly url?: string
  /**
   * An HTTP proxy to go through.
   * @default - none
   */
  readonly proxy?: string
  /**
   * Hash of the CertID; HAProxy takes SHA-1 only.
   * @default 'sha1'
   */
  readonly hash?: 'sha1' | 'sha256'
  /**
   * What to do with a response that says revoked.
   * @default 'staple'
   */
  readonly revoked?: 'staple' | 'withhold'
  /**
   * Whether a must-staple certificate loses its staple ahead of the end, or keeps it until the last run before that.
   * @default 'withdraw'
   */
  readonly mustStaple?: 'withdraw' | 'keep-until-end'
  /**
   * Accept SHA-1 as the hash of a signature.
   * @default false
   */
  readonly allowSha1?: boolean
  /**
   * Accept a response without nextUpdate for so long.
   * @default - such a response is refused
   */
  readonly maxAge?: Duration
}

/** When responders are asked. */
export interface RefreshProps {
  /**
   * From one look at what is due to the next: whole minutes, 5 to 60.
   * @default Duration.minutes(15)
   */
  readonly every?: Duration
  /**
   * After a success, ask no sooner than this.
   * @default Duration.hours(1)
   */
  readonly least?: Duration
  /**
   * After a success, ask no later than this.
   * @default Duration.days(1)
   */
  readonly most?: Duration
}

/** When and from where responders are asked. */
export interface AskingProps {
  /**
   * When.
   * @default - what is due is looked at every 15 minutes
   */
  readonly refresh?: RefreshProps
  /**
   * Private ranges that a responder may live in, such as `10.0.0.0/8`.
   * @default - none: public addresses only
   */
  readonly allow?: readonly string[]
  /**
   * Where the function runs, for responders that only a VPC reaches.
   * @default - outside any VPC
   */
  readonly vpc?: Network
  /**
   * Path above all chains that are parameters, such as `/tls`, which the function may then read as a whole.
   * @default - each chain is named in the function's role
   */
  readonly chainPath?: string
}

export interface OcspStaplingProps {
  /** Name of the set, unique in account and Region: 1 to 29 lower-case letters, digits and hyphens. */
  readonly name: string
  /** The machines that staple. */
  readonly targets: FleetTarget
  /** Which terminators run there and where their files are. */
  readonly servers: StapleServers
  /** The certificates, each with the place of its chain. */
  readonly certificates: readonly CertificateProps[]
  /**
   * When and from where responders are asked.
   * @default - what is due every 15 minutes, from outside any VPC, at public addresses
   */
  readonly asking?: AskingProps
  /**
   * How machines repair themselves, and where they find Systems Manager.
   * @default - every 30 minutes, at the usual endpoint of their Region
   */
  readonly delivery?: DeliveryProps
  /**
   * Whom the alarms tell, and how long logs are kept.
   * @default - the alarms have no action, and logs are kept for a year
   */
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
    this.#set = parseSet(asConfigured({ ...set, ...asking, ...delivering }))
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
      alarms: stapleAlarms({
        metrics: this,
        tick: Duration.minutes(tick),
        handler: this.function,
        undelivered,
      }),
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
  metricLifeLeft(options?: MetricOptions): Metric {
    return this.#metric('StapleLifeLeft', { statistic: 'Minimum', ...options })
  }

  /** Certificates whose last try failed, or that cannot be looked after at all. */
  metricFailures(options?: MetricOptions): Metric {
    return this.#metric('StapleFailures', options)
  }

  /** Certificates that a responder calls revoked. */
  metricRevoked(options?: MetricOptions): Metric {
    return this.#metric('StaplesRevoked', options)
  }

  /** Machines that do not hold what they should. */
  metricUndelivered(options?: MetricOptions): Metric {
    return this.#metric('StaplesUndelivered', options)
  }

  /** Certificates without their staple because its end came. */
  metricWithdrawn(options?: MetricOptions): Metric {
    return this.#metric('StaplesWithdrawn', options)
  }

  /** Must-staple certificates without a staple: clients that insist on one refuse them. */
  metricMustStaplesMissing(options?: MetricOptions): Metric {
    return this.#metric('MustStaplesMissing', options)
  }

  /** 1 where so many staples would have gone at once that none was withdrawn. */
  metricWithdrawalHeld(options?: MetricOptions): Metric {
    return this.#metric('WithdrawalHeld', options)
  }

  #metric(metricName: StapleMetric, options?: MetricOptions): Metric {
    const period = Duration.seconds(this.#set.refresh.every)
    return measured({ Set: this.#set.name }, metricName, { period, ...options })
  }
}
