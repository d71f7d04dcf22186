import { Annotations, Stack, Token } from 'aws-cdk-lib'
import type { CfnAutoScalingGroup } from 'aws-cdk-lib/aws-autoscaling'
import type { Metric, MetricOptions } from 'aws-cdk-lib/aws-cloudwatch'
import type { Grant, IGrantable } from 'aws-cdk-lib/aws-iam'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import type { ILogGroup } from 'aws-cdk-lib/aws-logs'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { Inspection } from '../../lambda/kernel/inspection.ts'
import { Alarms, measured } from '../fleet/alarms.ts'
import { FleetDelivery } from '../fleet/delivery.ts'
import type { FleetDocument } from '../fleet/document.ts'
import { functionName, groupName } from '../fleet/names.ts'
import type { LogKeeping, Operations } from '../fleet/operations.ts'
import { tellOutputs } from '../fleet/outputs.ts'
import { asConfigured } from '../fleet/props.ts'
import { refuseForeign } from '../fleet/regions.ts'
import { ownProgram } from '../program/program.ts'
import { namedIn } from '../servers/servers.ts'
import { type AccessMetrics, AccessWatch } from './access-watch.ts'
import { type RingMetric, ringAlarms, TICK } from './alarms.ts'
import { parseRing, type RingConfiguration } from './configuration.ts'
import { buildRingDocument } from './document.ts'
import { grantCompletion, launchHookOf } from './launch-hook.ts'
import { addOffboardDocument } from './offboard.ts'
import { addPreflight } from './preflight.ts'
import type { TicketKeyRingProps } from './props.ts'
import { createRingStatusFunction, createRotationFunction } from './rotation-function.ts'
import { rotateBySecretsManager, scheduleRing, windowSeconds } from './schedules.ts'
import { RingSecret } from './secret.ts'

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
  /** Where the rotation function writes what it decided and what machines told. */
  readonly logs: ILogGroup
  /** The function that only looks, for `{"action":"status"}` and dry runs: its callers can change nothing. */
  readonly statusFunction: IFunction
  /** What Run Command runs on the machines. */
  readonly document: FleetDocument
  readonly #ring: RingConfiguration
  readonly #secret: RingSecret
  readonly #access: AccessWatch | undefined

  constructor(scope: Construct, id: string, props: TicketKeyRingProps) {
    super(scope, id)
    const { operations = {}, delivery, ...ring } = props
    this.#ring = parseRing(asConfigured({ ...ring, ...delivery }))
    this.#refuseForeignAlarms()
    this.#warnOfHalves()
    this.#secret = new RingSecret(this, 'Ring', { ...this.#ring, ring: this.#ring.name })
    this.secretArn = this.#secret.arn
    this.document = buildRingDocument(this.#ring, ownProgram())
    const functions = this.#createFunctions(operations.logs)
    this.function = functions.rotation.handler
    this.logs = functions.rotation.logs
    this.statusFunction = functions.status
    this.#access = this.#watchAccess(functions.delivery)
    this.#watch(this.#schedule(), operations)
    this.#tell()
    if (this.#isLeaving) addOffboardDocument(this, this.#ring)
    else addPreflight(this, this.#ring)
  }

  #createFunctions(logs: LogKeeping | undefined) {
    const { name, targets, rotation, repairEvery } = this.#ring
    const { document } = this
    const delivery = new FleetDelivery(this, 'Delivery', {
      document,
      targets,
      repairEvery,
      name: groupName(name),
      isStopped: this.#isLeaving,
    })
    const window = windowSeconds(rotation)
    const parts = { ring: this.#ring, secret: this.#secret, document, delivery, window, logs }
    const rotating = createRotationFunction(this, 'Rotation', parts)
    delivery.precede(rotating.handler)
    return { rotation: rotating, status: createRingStatusFunction(this, 'Status', parts), delivery }
  }

  get #isLeaving(): boolean {
    return this.#ring.offboard === true
  }

  /** Without names: in a released template a parameter has them, and a description holds no reference. */
  #tell(): void {
    tellOutputs(this, this.#ring.name, {
      Secret: [this.secretArn, 'Secret of the ring'],
      Function: [this.function.functionName, 'Rotation function of the ring'],
      Status: [this.statusFunction.functionName, 'Function that only looks at the ring'],
      Log: [this.logs.logGroupName, 'Log group of the rotation function'],
    })
  }

  /** @returns the queue of what the schedules could not hand over. */
  #schedule(): IQueue {
    const { name, rotation } = this.#ring
    const handler = this.function
    const { undelivered } = scheduleRing(this, 'Schedules', {
      ring: name,
      rotation,
      handler,
      isStopped: this.#isLeaving,
    })
    if (rotation.trigger === 'secrets-manager' && !this.#isLeaving) {
      rotateBySecretsManager(this, rotation, { secret: this.#secret, handler })
    } else {
      this.#secret.acknowledgeOtherSchedule()
    }
    return undelivered
  }

  #watchAccess({ documentName }: FleetDelivery): AccessWatch | undefined {
    const { name, accessWatch } = this.#ring
    if (accessWatch === undefined) return undefined
    return new AccessWatch(this, 'Access', {
      ring: name,
      readers: accessWatch.readers,
      secretArn: this.secretArn,
      rotationRole: `${functionName(name)}-${Stack.of(this).region}`,
      document: documentName,
    })
  }

  #watch(undelivered: IQueue, operations: Operations): void {
    const { name, rotation, mixedClientAuthentication, canary } = this.#ring
    new Alarms(this, 'Alarms', {
      name: groupName(name),
      about: `Ring ${name}`,
      operations,
      alarms: ringAlarms({
        metrics: this,
        maxKeyAge: rotation.maxKeyAge,
        checksAuthentication: mixedClientAuthentication === 'checked',
        hasCanary: canary !== undefined,
        handler: this.function,
        undelivered,
        access: this.#access?.metrics,
      }),
    })
  }

  /**
   * Lets the role of a fleet's machines read the ring that AWSCURRENT names, and nothing older or staged; and complete the
   * hooks of `launchGroups`.
   */
  grantRead(fleetRole: IGrantable): Grant {
    const read = this.#secret.grantRead(fleetRole)
    this.#access?.letRead(fleetRole)
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

  /** How often other principals read and changed the ring, and calls of its own function were heard; absent without `accessWatch`. */
  get accessMetrics(): AccessMetrics | undefined {
    return this.#access?.metrics
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

  /** 1 while the canary keeps a generation from the others and an operator is to see why; without data where it does not. */
  metricCanaryFailed(options?: MetricOptions): Metric {
    return this.#metric('CanaryFailed', options)
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

  /** 1 while the control parameter is nonsense; without data while it is sound. */
  metricControlInvalid(options?: MetricOptions): Metric {
    return this.#metric('ControlInvalid', options)
  }

  /** Machines of the roll call. */
  metricMembers(options?: MetricOptions): Metric {
    return this.#metric('Members', options)
  }

  /** The function looks for them by name, in its own Region. */
  #refuseForeignAlarms(): void {
    const { region } = Stack.of(this)
    if (Token.isUnresolved(region)) return
    const inspection = new Inspection()
    refuseForeign(this.#ring.canary, region, { inspection, path: 'ring.canary' })
    inspection.settle('a sound ring')
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
