import type { Metric } from 'aws-cdk-lib/aws-cloudwatch'
import type { Grant, IGrantable } from 'aws-cdk-lib/aws-iam'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import { Construct } from 'constructs'
import type { ServersSettings } from '../../lambda/ring/server-settings.ts'
import { Alarms } from '../fleet/alarms.ts'
import { FleetDelivery } from '../fleet/delivery.ts'
import type { DeliveryConfiguration } from '../fleet/delivery-configuration.ts'
import type { FleetDocument } from '../fleet/document.ts'
import type { Targets } from '../fleet/machines.ts'
import { groupName } from '../fleet/names.ts'
import type { Operations } from '../fleet/operations.ts'
import { ownProgram } from '../program/program.ts'
import { type RingMetric, ringAlarms, ringMetric } from './alarms.ts'
import { type ExistingRing, parseRing, type RingConfiguration, type Rotation } from './configuration.ts'
import { buildRingDocument } from './document.ts'
import { createRingStatusFunction, createRotationFunction } from './rotation-function.ts'
import { rotateBySecretsManager, scheduleRing, windowSeconds } from './schedules.ts'
import { RingSecret } from './secret.ts'

export interface TicketKeyRingProps {
  /** Name of the ring, unique in account and Region: 1 to 29 lower-case letters, digits and hyphens. */
  readonly name: string
  /** The machines that hold the ring. */
  readonly targets: Targets
  /** Which terminators run there and where their files are. */
  readonly servers: ServersSettings
  /** When keys change. */
  readonly rotation: Rotation
  /** Secret and KMS key that an earlier stack retained, in place of new ones. */
  readonly existing?: ExistingRing
  /** How often machines repair themselves, every 30 minutes unless told, and where they find Secrets Manager. */
  readonly delivery?: Partial<DeliveryConfiguration>
  /** `checked` lets open and guarded listeners share the ring; they are refused unless told. */
  readonly mixedClientAuthentication?: 'refused' | 'checked'
  /** Whom the alarms tell, and how long logs are kept. */
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
    this.#ring = parseRing({ ...ring, ...delivering })
    const { name, targets, rotation, repairEvery } = this.#ring
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
        ring: name,
        maxKeyAge: rotation.maxKeyAge,
        checksAuthentication: this.#ring.mixedClientAuthentication === 'checked',
        handler,
        undelivered,
      }),
    })
  }

  /** Lets the role of a fleet's machines read the ring that AWSCURRENT names, and nothing older or staged. */
  grantRead(fleetRole: IGrantable): Grant {
    return this.#secret.grantRead(fleetRole)
  }

  /** Seconds since the present key began to encrypt. */
  metricKeyAge(): Metric {
    return this.#metric('KeyAge')
  }

  /** 1 while a due rotation waits for the fleet. */
  metricRotationHeld(): Metric {
    return this.#metric('RotationHeld')
  }

  /** 1 when a rotation went ahead of machines that were behind. */
  metricRotationForced(): Metric {
    return this.#metric('RotationForced')
  }

  /** Machines of the roll call that have not confirmed the present generation. */
  metricStragglers(): Metric {
    return this.#metric('Stragglers')
  }

  /** Machines where a ticket of an open listener opened a guarded one; without data where there are none. */
  metricAuthBypass(): Metric {
    return this.#metric('AuthBypass')
  }

  /** Machines of the roll call. */
  metricMembers(): Metric {
    return this.#metric('Members')
  }

  #metric(metric: RingMetric): Metric {
    return ringMetric(this.#ring.name, metric)
  }
}
