import { Duration } from 'aws-cdk-lib'
import type { Metric, MetricOptions } from 'aws-cdk-lib/aws-cloudwatch'
import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import type { ILogGroup } from 'aws-cdk-lib/aws-logs'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { Alarms, measured } from '../fleet/alarms.ts'
import { acknowledgeWildcards, arnOf } from '../fleet/arns.ts'
import { FleetDelivery } from '../fleet/delivery.ts'
import type { FleetDocument } from '../fleet/document.ts'
import type { FleetFunction } from '../fleet/function.ts'
import { staplesName, storePath } from '../fleet/names.ts'
import type { LogKeeping, Operations } from '../fleet/operations.ts'
import { tellOutputs } from '../fleet/outputs.ts'
import { asConfigured } from '../fleet/props.ts'
import { Schedules } from '../fleet/schedules.ts'
import { ownProgram } from '../program/program.ts'
import { type StapleMetric, stapleAlarms } from './alarms.ts'
import { parseSet, type StaplingConfiguration } from './configuration.ts'
import { buildStapleDocument } from './document.ts'
import { createStapleFunction, createStapleStatusFunction, SETS_OWN } from './function.ts'
import type { OcspStaplingProps } from './props.ts'

/**
 * OCSP staples for the certificates of one fleet: asked for by a function, once for all machines, validated, kept in
 * Parameter Store, delivered by Run Command, repaired by State Manager, watched by alarms. The log is retained when
 * the construct goes; the staples are too, and end by themselves.
 * @throws TicketringError `configuration-invalid` that lists every problem of the props.
 */
export class OcspStapling extends Construct {
  /** The staple function: invoke it with `{"action":"status"}` and the like. */
  readonly function: IFunction
  /** Where the staple function writes what it decided and what machines told. */
  readonly logs: ILogGroup
  /** The function that only looks, for `status` and `explain`: its callers can change nothing. */
  readonly statusFunction: IFunction
  /** What Run Command runs on the machines. */
  readonly document: FleetDocument
  readonly #set: StaplingConfiguration

  constructor(
    scope: Construct,
    id: string,
    { operations = {}, asking, delivery, ...set }: OcspStaplingProps,
  ) {
    super(scope, id)
    this.#set = parseSet(asConfigured({ ...set, ...asking, ...delivery }))
    this.document = buildStapleDocument(this.#set, ownProgram())
    const functions = this.#createFunctions(operations.logs)
    this.function = functions.refresh.handler
    this.logs = functions.refresh.logs
    this.statusFunction = functions.status
    this.#watch(this.#schedule(), operations)
    tellOutputs(this, `${this.#set.name}-staples`, {
      Function: [this.function.functionName, 'Staple function of the set'],
      Status: [this.statusFunction.functionName, 'Function that only looks at the staples of the set'],
      Log: [this.logs.logGroupName, 'Log group of the staple function'],
    })
  }

  #createFunctions(logs: LogKeeping | undefined): { refresh: FleetFunction; status: IFunction } {
    const { name, targets, repairEvery } = this.#set
    const { document } = this
    const delivery = new FleetDelivery(this, 'Delivery', {
      document,
      targets,
      name: staplesName(name),
      repairEvery,
      parameters: { Staples: ['all'] },
    })
    const parts = { set: this.#set, document, delivery, logs }
    const refresh = createStapleFunction(this, 'Refresh', parts)
    delivery.precede(refresh.handler)
    return { refresh, status: createStapleStatusFunction(this, 'Status', parts) }
  }

  /** @returns the queue of what the schedule could not hand over. */
  #schedule(): IQueue {
    const { name } = this.#set
    const minutes = this.#tick.toMinutes()
    const refresh = { name: `${staplesName(name)}-refresh`, minutes, window: 0, event: { action: 'refresh' } }
    const { undelivered } = new Schedules(this, 'Schedules', {
      group: staplesName(name),
      whom: `the staple function of set ${name}`,
      handler: this.function,
      tick: minutes,
      schedules: { Refresh: refresh },
    })
    return undelivered
  }

  #watch(undelivered: IQueue, operations: Operations): void {
    const { name } = this.#set
    new Alarms(this, 'Alarms', {
      name: `ticketring-${name}`,
      about: `Staples of set ${name}`,
      operations,
      alarms: stapleAlarms({ metrics: this, tick: this.#tick, handler: this.function, undelivered }),
    })
  }

  /** From one run to the next. */
  get #tick(): Duration {
    return Duration.seconds(this.#set.refresh.every)
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

  /** How many staples were put right on machines that had drifted, as commands told; without data where none. */
  metricDriftRepaired(options?: MetricOptions): Metric {
    return this.#metric('DriftRepaired', { statistic: 'Sum', ...options })
  }

  #metric(metricName: StapleMetric, options?: MetricOptions): Metric {
    return measured({ Set: this.#set.name }, metricName, { period: this.#tick, ...options })
  }
}
