import { Annotations, type Duration } from 'aws-cdk-lib'
import type { CfnAutoScalingGroup } from 'aws-cdk-lib/aws-autoscaling'
import type { Metric, MetricOptions } from 'aws-cdk-lib/aws-cloudwatch'
import type { Grant, IGrantable } from 'aws-cdk-lib/aws-iam'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import { Construct } from 'constructs'
import type { FleetTarget } from '../../lambda/fleet/configuration.ts'
import { Alarms, measured } from '../fleet/alarms.ts'
import { FleetDelivery } from '../fleet/delivery.ts'
import type { FleetDocument } from '../fleet/document.ts'
import { groupName } from '../fleet/names.ts'
import type { Operations } from '../fleet/operations.ts'
import { asConfigured, type DeliveryProps } from '../fleet/props.ts'
import { ownProgram } from '../program/program.ts'
import { type KeyServers, namedIn } from '../servers/servers.ts'
import { type RingMetric, ringAlarms, TICK } from './alarms.ts'
import { type ExistingRing, parseRing, type RingConfiguration } from './configuration.ts'
import { buildRingDocument } from './document.ts'
import { grantCompletion, launchHookOf } from './launch-hook.ts'
import { createRingStatusFunction, createRotationFunction } from './rotation-function.ts'
import { rotateBySecretsManager, scheduleRing, windowSeconds } from './schedules.ts'
import { RingSecret } from './secret.ts'

/** When keys change. */
export interface RotationProps {
  /**
   * T, from one advance to the next: whole minutes, 30 to 24 hours' worth.
   * @default Duration.hours(4)
   */
  readonly every?: Duration
  /**
   * L, how long a ticket lives, as the servers are configured: at most half of `every`.
   * @default - two hours, or half of `every` where that is less
   */
  readonly ticketLifetime?: Duration
  /**
   * From this age on the ring advances though machines are missing, and pages: more than `every` and `ticketLifetime`.
   * @default - three times `every`
   */
  readonly maxKeyAge?: Duration
  /**
   * Who turns the ring: `secrets-manager` for its own rotation, in whole hours, 4 or more.
   * @default 'schedule'
   */
  readonly trigger?: 'schedule' | 'secrets-manager'
  /**
   * `paused`: no tick makes the first ring, it waits for the keys that the fleet runs on already.
   * @default 'at-once'
   */
  readonly start?: 'at-once' | 'paused'
}

export interface TicketKeyRingProps {
  /** Name of the ring, unique in account and Region: 1 to 29 lower-case letters, digits and hyphens. */
  readonly name: string
  /** The machines that hold the ring. */
  readonly targets: FleetTarget
  /** Which terminators run there and where their files are. */
  readonly servers: KeyServers
  /**
   * When keys change.
   * @default - every four hours
   */
  readonly rotation?: RotationProps
  /**
   * Secret and KMS key that an earlier stack retained, in place of new ones.
   * @default - new ones
   */
  readonly existing?: ExistingRing
  /**
   * ARN of a KMS key of yours that encrypts the secret.
   * @default - one that is made
   */
  readonly key?: string
  /**
   * How machines repair themselves, and where they find Secrets Manager.
   * @default - every 30 minutes, at the usual endpoint of their Region
   */
  readonly delivery?: DeliveryProps
  /**
   * Names of the machines' Auto Scaling groups: a machine completes the launch hook there, {@link TicketKeyRing.launchHook},
   * once it has proved the ring.
   * @default - no machine completes a hook
   */
  readonly launchGroups?: readonly string[]
  /**
   * A machine that has had no answer of Secrets Manager for so long fails its timer's unit: an hour to six days.
   * @default Duration.days(2)
   */
  readonly staleAfter?: Duration
  /**
   * `checked` lets open and guarded listeners share the ring, and has each machine try their tickets.
   * @default 'refused'
   */
  readonly mixedClientAuthentication?: 'refused' | 'checked'
  /**
   * Whom the alarms tell, and how long logs are kept.
   * @default - the alarms have no action, and logs are kept for a year
   */
  readonly operations?: Operations
}

/**
 * A ring of three TLS session-ticket keys for one trust group of terminators: kept in Secrets Manager, turned by a
 * function, delivered by Run Command, repaired by State Manager, watched by alarms. The secret, its KMS key and the
 * log are retained when the construct goes.
 * @throws TicketringError `configuration-invalid` that lists every problem of the props.
 */
export class TicketKeyRing extends Construct {
  /** ARN of the secret that holds the ring. */
  readonly secretArn: string
  /** The rotation function: invoke it with `{"action":"status"}` and the like. */
  readonly function: IFunction
  /** The function that only looks, for `{"action":"status"}` and dry runs: its callers can change nothing. */
  readonly statusFunction: IFunction
  /** What Run Command runs on the machines. */
  readonly document: FleetDocument
  readonly #ring: RingConfiguration
  readonly #secret: RingSecret

  constructor(scope: Construct, id: string, props: TicketKeyRingProps) {
    super(scope, id)
    const { operations = {}, delivery: delivering, ...ring } = props
    this.#ring = parseRing(asConfigured({ ...ring, ...delivering }))
    const { name, targets, rotation, repairEvery } = this.#ring
    this.#warnOfHalves()
    this.#secret = new RingSecret(this, 'Ring', { ...this.#ring, ring: name })
    this.secretArn = this.#secret.arn
    this.document = buildRingDocument(this.#ring, ownProgram())
    const { document } = this
    const delivery = new FleetDelivery(this, 'Delivery', {
      document,
      targets,
      repairEvery,
      name: groupName(name),
    })
    const parts = {
      ring: this.#ring,
      secret: this.#secret,
      document,
      delivery,
      window: windowSeconds(rotation),
      logs: operations.logs,
    }
    const handler = createRotationFunction(this, 'Rotation', parts)
    this.function = handler
    delivery.precede(handler)
    this.statusFunction = createRingStatusFunction(this, 'Status', parts)
    const { undelivered } = scheduleRing(this, 'Schedules', { ring: name, rotation, handler })
    if (rotation.trigger === 'secrets-manager') {
      rotateBySecretsManager(this, rotation, { secret: this.#secret, handler })
    } else {
      this.#secret.acknowledgeOtherSchedule()
    }
    new Alarms(this, 'Alarms', {
      name: groupName(name),
      about: `Ring ${name}`,
      actions: operations.alarms,
      alarms: ringAlarms({
        metrics: this,
        maxKeyAge: rotation.maxKeyAge,
        checksAuthentication: this.#ring.mixedClientAuthentication === 'checked',
        handler,
        undelivered,
      }),
    })
  }

  /**
   * Lets the role of a fleet's machines read the ring that AWSCURRENT names, and nothing older or staged; and complete the
   * hooks of `launchGroups`.
   */
  grantRead(fleetRole: IGrantable): Grant {
    const read = this.#secret.grantRead(fleetRole)
    const { launchGroups } = this.#ring
    return launchGroups === undefined ? read : read.combine(grantCompletion(this, fleetRole, launchGroups))
  }

  /**
   * What keeps a machine of `launchGroups` from clients until it has proved the ring: for `lifecycleHookSpecificationList`
   * of each group, so that it is there before the group's first machine.
   * @throws TicketringError `configuration-invalid` where no group is named: no machine would complete it.
   */
  launchHook(): CfnAutoScalingGroup.LifecycleHookSpecificationProperty {
    return launchHookOf(this.#ring)
  }

  /** Seconds since the present key began to encrypt. */
  metricKeyAge(options?: MetricOptions): Metric {
    return this.#metric('KeyAge', options)
  }

  /** 1 while a due rotation waits for the fleet. */
  metricRotationHeld(options?: MetricOptions): Metric {
    return this.#metric('RotationHeld', options)
  }

  /** 1 when a rotation went ahead of machines that were behind. */
  metricRotationForced(options?: MetricOptions): Metric {
    return this.#metric('RotationForced', options)
  }

  /** Machines of the roll call that have not confirmed the present generation. */
  metricStragglers(options?: MetricOptions): Metric {
    return this.#metric('Stragglers', options)
  }

  /** Machines where a ticket of an open listener opened a guarded one; without data where there are none. */
  metricAuthBypass(options?: MetricOptions): Metric {
    return this.#metric('AuthBypass', options)
  }

  /** Machines that could not fetch the ring and serve, or served until just now, with keys of their own; without data where none. */
  metricLocalRing(options?: MetricOptions): Metric {
    return this.#metric('LocalRing', options)
  }

  /** How often machines were put right that had drifted, as commands told; without data where none. */
  metricDriftRepaired(options?: MetricOptions): Metric {
    return this.#metric('DriftRepaired', { statistic: 'Sum', ...options })
  }

  /** Machines of the roll call. */
  metricMembers(options?: MetricOptions): Metric {
    return this.#metric('Members', options)
  }

  #warnOfHalves(): void {
    for (const { kind, facts, values } of namedIn(this.#ring.servers)) {
      if (facts.takes(values) !== 'half') continue
      const costs = 'AES-128 and half of the HMAC key encrypt its tickets, which keySize 80 gives AES-256'
      Annotations.of(this).addWarningV2(
        `ticketring:${kind}.keySize`,
        `servers.${kind}.keySize is 48: ${costs}`,
      )
    }
  }

  #metric(metricName: RingMetric, options?: MetricOptions): Metric {
    return measured({ Ring: this.#ring.name }, metricName, { period: TICK, ...options })
  }
}
