import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib'
import { PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import {
  Architecture,
  type CfnFunction,
  type IFunction,
  Function as LambdaFunction,
  Runtime,
} from 'aws-cdk-lib/aws-lambda'
import { type ILogGroup, LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'
import { acknowledgeWildcards, type Wildcards } from './arns.ts'
import { bundled, type PlacedFile } from './bundling.ts'
import type { Network } from './network-access.ts'
import type { LogKeeping } from './operations.ts'

/** Seconds that a command may wait for a machine; with a run's own limit less than a tick of either function. */
export const DELIVERY_SECONDS = 120

/** The next tick looks at what is and takes it up: an automatic retry would only race with it. */
const UNREPEATED = { retryAttempts: 0, maxEventAge: Duration.minutes(15) }

export interface FleetFunctionProps {
  readonly name: string
  readonly description: string
  /** File in `lambda/handlers`. */
  readonly entry: string
  /** MB. */
  readonly memory: number
  /** Its one environment variable: name and value. */
  readonly variable: readonly [string, string]
  readonly role: { readonly description: string; readonly policy: string }
  /** What it calls, besides its own log. */
  readonly statements: readonly PolicyStatement[]
  readonly wildcards: Wildcards
  readonly network?: Network
  readonly logs: LogKeeping | undefined
  /** Only looks: the export that refuses to act, under a role that could not. Acting is the default. */
  readonly looks?: boolean
  /** What does not fit its environment: a file beside the bundle. */
  readonly file?: PlacedFile
}

/** A function that looks after what a fleet holds, with a role that allows what it calls and nothing else. */
export class FleetFunction extends Construct {
  readonly handler: IFunction
  /** Where it writes its events. */
  readonly logs: ILogGroup

  constructor(scope: Construct, id: string, props: FleetFunctionProps) {
    super(scope, id)
    const logs = new LogGroup(this, 'Logs', {
      retention: props.logs?.retentionDays ?? RetentionDays.ONE_YEAR,
      ...(props.logs?.key === undefined ? {} : { encryptionKey: props.logs.key }),
      removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    })
    const role = this.#createRole(props, logs)
    const [variable, value] = props.variable
    const handler = new LambdaFunction(this, 'Function', {
      functionName: props.name,
      description: props.description,
      code: bundled(props.entry, props.file),
      handler: props.looks === true ? 'index.status' : 'index.handler',
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize: props.memory,
      timeout: Duration.seconds(300),
      ...(props.looks === true ? {} : UNREPEATED),
      // No construct may widen this role behind our back.
      role: role.withoutPolicyUpdates(),
      logGroup: logs,
      environment: { [variable]: value },
    })
    const resource = handler.node.defaultChild as CfnFunction
    // The role carries its policies itself, so CDK's waiting for it says what the reference to it already says.
    resource.addDeletionOverride('DependsOn')
    // By ids alone: the L2 wants a whole VPC, and brings a managed policy that allows the interfaces of all of them.
    if (props.network !== undefined) {
      const { subnetIds, securityGroupIds } = props.network
      resource.vpcConfig = { subnetIds: [...subnetIds], securityGroupIds: [...securityGroupIds] }
    }
    this.handler = handler
    this.logs = logs
  }

  #createRole({ name, role, statements, wildcards, looks }: FleetFunctionProps, logs: LogGroup): Role {
    const created = new Role(this, 'Role', {
      // With the Region: roles are global, functions are not. No policy names a role that only looks, so it needs no name.
      ...(looks === true ? {} : { roleName: `${name}-${Stack.of(this).region}` }),
      description: role.description,
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      inlinePolicies: {
        [role.policy]: new PolicyDocument({
          minimize: false,
          statements: [
            ...statements,
            new PolicyStatement({
              sid: 'WriteItsOwnLog',
              actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
              resources: [logs.logGroupArn],
            }),
          ],
        }),
      },
    })
    acknowledgeWildcards(created, wildcards)
    return created
  }
}
