import { fileURLToPath } from 'node:url'
import { Aws, Duration, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib'
import { PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Architecture, type CfnFunction, type IFunction, Runtime } from 'aws-cdk-lib/aws-lambda'
import { NodejsFunction } from 'aws-cdk-lib/aws-lambda-nodejs'
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'
import {
  ROTATION_VARIABLE,
  type RotationConfiguration,
  serialiseRotationConfiguration,
} from '../lambda/core/rotation-configuration.ts'
import type { RingConfiguration } from './configuration.ts'
import { functionName, recordName, roleName } from './names.ts'
import { EXECUTION_SECONDS, type RingDocument } from './ring-document.ts'
import type { RingSecret } from './ring-secret.ts'
import { ROTATION_BUNDLING } from './rotation-bundling.ts'

/** From one reconcile tick to the next, in minutes. */
export const TICK_MINUTES = 5
/** With the script's own limit less than a tick, so that a redelivery never meets its predecessor. */
const DELIVERY_SECONDS = 120

const ROOT = fileURLToPath(new URL('..', import.meta.url))

interface RotationFunctionProps {
  readonly ring: RingConfiguration
  readonly secret: RingSecret
  readonly document: RingDocument
  /** Seconds by which a schedule may fire early. */
  readonly window: number
}

/** The function that turns one ring, with a role that holds what it calls and nothing else. */
export class RotationFunction extends Construct {
  readonly handler: IFunction
  readonly role: Role

  constructor(scope: Construct, id: string, props: RotationFunctionProps) {
    super(scope, id)
    const { ring } = props
    const logs = new LogGroup(this, 'Logs', {
      retention: RetentionDays.ONE_YEAR,
      removalPolicy: RemovalPolicy.RETAIN,
    })
    this.role = this.#createRole(props, logs)
    const handler = new NodejsFunction(this, 'Function', {
      functionName: functionName(ring.name),
      description: `Turns ticket ring ${ring.name} and has the fleet prove it`,
      entry: `${ROOT}lambda/handlers/rotate.ts`,
      projectRoot: ROOT,
      depsLockFilePath: `${ROOT}package-lock.json`,
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize: 256,
      timeout: Duration.seconds(300),
      // The next tick looks at what is and takes it up: an automatic retry would only race with it.
      retryAttempts: 0,
      maxEventAge: Duration.minutes(15),
      // No construct may widen this role behind our back.
      role: this.role.withoutPolicyUpdates(),
      logGroup: logs,
      awsSdkConnectionReuse: false,
      bundling: ROTATION_BUNDLING,
      environment: { [ROTATION_VARIABLE]: serialiseRotationConfiguration(rotationConfiguration(props)) },
    })
    // The role carries its policies itself, so CDK's waiting for it says what the reference to it already says.
    const resource = handler.node.defaultChild as CfnFunction
    resource.addDeletionOverride('DependsOn')
    this.handler = handler
  }

  #createRole({ ring, secret, document }: RotationFunctionProps, logs: LogGroup): Role {
    const { name, targets, rotation } = ring
    const role = new Role(this, 'Role', {
      roleName: roleName(name, Stack.of(this).region),
      description: `Rotates ticket ring ${name}`,
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      inlinePolicies: {
        rotate: new PolicyDocument({
          minimize: false,
          statements: [
            ...secret.rotationStatements(rotation.trigger),
            ...(rotation.trigger === 'secrets-manager' ? [this.#letRotateSecretInvoke(name)] : []),
            ...this.#deliveryStatements(document.name, targets),
            new PolicyStatement({
              sid: 'KeepTheDeliveryRecord',
              actions: ['ssm:GetParameter', 'ssm:PutParameter'],
              resources: [this.#arn('ssm', `parameter${recordName(name)}`)],
            }),
            new PolicyStatement({
              sid: 'WriteItsOwnLog',
              actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
              resources: [logs.logGroupArn],
            }),
          ],
        }),
      },
    })
    this.#acknowledgeWildcards(role, targets.tag)
    return role
  }

  /** Two statements: with both resources in one, the tag's condition would have to hold for the document as well. */
  #deliveryStatements(document: string, { tag, values }: RingConfiguration['targets']): PolicyStatement[] {
    return [
      new PolicyStatement({
        sid: 'SendThisDocument',
        actions: ['ssm:SendCommand'],
        resources: [this.#arn('ssm', `document/${document}`)],
      }),
      new PolicyStatement({
        sid: 'ToTaggedMachines',
        actions: ['ssm:SendCommand'],
        resources: [this.#arn('ec2', 'instance/*'), this.#arn('ssm', 'managed-instance/*')],
        conditions: { StringEquals: { [`ssm:resourceTag/${tag}`]: values } },
      }),
      new PolicyStatement({
        sid: 'SeeWhatBecameOfIt',
        actions: ['ssm:ListCommands', 'ssm:ListCommandInvocations', 'ssm:DescribeInstanceInformation'],
        resources: ['*'],
      }),
    ]
  }

  /** RotateSecret asks whether its caller may invoke the rotation function. */
  #letRotateSecretInvoke(ring: string): PolicyStatement {
    return new PolicyStatement({
      sid: 'HaveSecretsManagerRotate',
      actions: ['lambda:InvokeFunction'],
      // By name: a reference would make the role wait for the function and the function for the role.
      resources: [this.#arn('lambda', `function:${functionName(ring)}`)],
    })
  }

  #arn(service: string, resource: string): string {
    const { region, account } = Stack.of(this)
    return `arn:${Aws.PARTITION}:${service}:${region}:${account}:${resource}`
  }

  #acknowledgeWildcards(role: Role, tag: string): void {
    const onlyTagged = `Which machines is decided when the command is sent: the statement's condition holds it to those tagged ${tag}`
    const wildcards = {
      [this.#arn('ec2', 'instance/*')]: onlyTagged,
      [this.#arn('ssm', 'managed-instance/*')]: onlyTagged,
      '*': 'ssm:ListCommands, ssm:ListCommandInvocations and ssm:DescribeInstanceInformation know no resource',
    }
    for (const [resource, reason] of Object.entries(wildcards)) {
      Validations.of(role).acknowledge({
        id: `AwsSolutions-IAM5[Resource::${this.#asNagShows(resource)}]`,
        reason,
      })
    }
  }

  /** cdk-nag's finding for an ARN shows its references as `<AWS::Region>`. */
  #asNagShows(arn: string): string {
    const resolved: string | { 'Fn::Join': [string, (string | { Ref: string })[]] } =
      Stack.of(this).resolve(arn)
    if (typeof resolved === 'string') return resolved
    return resolved['Fn::Join'][1].map((part) => (typeof part === 'string' ? part : `<${part.Ref}>`)).join('')
  }
}

function rotationConfiguration({
  ring: { name, targets, rotation },
  secret,
  document,
  window,
}: RotationFunctionProps): RotationConfiguration {
  const { trigger, every, ticketLifetime, maxKeyAge } = rotation
  return {
    ring: name,
    secret: secret.arn,
    document: { name: document.name, version: document.version, script: document.script },
    target: targets,
    record: recordName(name),
    timing: {
      every,
      window,
      ticketLifetime,
      maxKeyAge,
      tick: TICK_MINUTES * 60,
      delivery: DELIVERY_SECONDS,
      execution: EXECUTION_SECONDS,
    },
    trigger,
  }
}
