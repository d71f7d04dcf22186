import { Aws, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib'
import { Effect, Grant, type IGrantable, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Key } from 'aws-cdk-lib/aws-kms'
import { CfnResourcePolicy, CfnSecret } from 'aws-cdk-lib/aws-secretsmanager'
import { Construct } from 'constructs'
import { UNBORN } from '../lambda/core/ring.ts'
import { roleNamePattern, secretName } from './names.ts'

/**
 * A ring's secret under a key of its own. Written out in CloudFormation's terms: the L2 secret widens the key's
 * policy to the whole account's use through Secrets Manager, and would let a generated value overwrite the ring.
 */
export class RingSecret extends Construct {
  readonly arn: string
  readonly resource: CfnSecret
  readonly #key: Key

  constructor(scope: Construct, id: string, { ring }: { readonly ring: string }) {
    super(scope, id)
    this.#key = new Key(this, 'Key', {
      description: `Encrypts the ticket keys of ring ${ring}`,
      enableKeyRotation: true,
      removalPolicy: RemovalPolicy.RETAIN,
    })
    this.resource = new CfnSecret(this, 'Secret', {
      name: secretName(ring),
      description: `TLS session-ticket keys of ring ${ring}, written by its rotation function alone`,
      kmsKeyId: this.#key.keyArn,
      // A deploy that changes this writes it as AWSCURRENT: it would wipe the ring. So it is a constant.
      secretString: UNBORN,
    })
    this.resource.applyRemovalPolicy(RemovalPolicy.RETAIN)
    this.arn = this.resource.ref
    this.#guard(ring)
  }

  /** Lets `reader` read the ring that AWSCURRENT names, and nothing older or staged. The caller must name the stage. */
  grantRead(reader: IGrantable): Grant {
    const read = Grant.addToPrincipal({
      grantee: reader,
      actions: ['secretsmanager:GetSecretValue'],
      resourceArns: [this.arn],
      conditions: { 'ForAnyValue:StringEquals': { 'secretsmanager:VersionStage': 'AWSCURRENT' } },
    })
    const decrypt = Grant.addToPrincipal({
      grantee: reader,
      actions: ['kms:Decrypt'],
      resourceArns: [this.#key.keyArn],
      conditions: this.#throughThisSecret(),
    })
    return read.combine(decrypt)
  }

  /** What the rotation function does with the secret; `RotateSecret` only where Secrets Manager drives it. */
  rotationStatements(trigger: 'schedule' | 'secrets-manager'): readonly PolicyStatement[] {
    return [
      new PolicyStatement({
        sid: 'TurnTheRing',
        actions: [
          'secretsmanager:DescribeSecret',
          'secretsmanager:GetSecretValue',
          'secretsmanager:PutSecretValue',
          'secretsmanager:UpdateSecretVersionStage',
          ...(trigger === 'secrets-manager' ? ['secretsmanager:RotateSecret'] : []),
        ],
        resources: [this.arn],
      }),
      new PolicyStatement({
        sid: 'UseTheKeyForTheSecretAlone',
        actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
        resources: [this.#key.keyArn],
        conditions: this.#throughThisSecret(),
      }),
    ]
  }

  /** Accepts that Secrets Manager has no schedule of its own for this secret. */
  acknowledgeOtherSchedule(): void {
    Validations.of(this.resource).acknowledge({
      id: 'AwsSolutions-SMG4',
      reason:
        "Rotated by the ring's own function on an EventBridge Scheduler schedule, which may be more frequent than the 4 hours Secrets Manager allows",
    })
  }

  #throughThisSecret(): Record<string, Record<string, string>> {
    return {
      StringEquals: {
        'kms:ViaService': `secretsmanager.${Stack.of(this).region}.amazonaws.com`,
        'kms:EncryptionContext:SecretARN': this.arn,
      },
    }
  }

  /**
   * Denies everybody but the rotation role what AWSCURRENT does not name: Secrets Manager keeps old versions, and
   * an old ring decrypts recorded traffic. Two statements, since conditions within one are joined by AND. A request
   * that names neither stage nor version reads AWSCURRENT: ForAnyValue over an absent key is false, so it passes.
   */
  #guard(ring: string): void {
    const others = {
      ArnNotLike: {
        'aws:PrincipalArn': `arn:${Aws.PARTITION}:iam::${Stack.of(this).account}:role/${roleNamePattern(ring)}`,
      },
    }
    const deny = (sid: string, condition: object) => ({
      Sid: sid,
      Effect: Effect.DENY,
      Principal: '*',
      Action: 'secretsmanager:GetSecretValue',
      Resource: '*',
      Condition: { ...others, ...condition },
    })
    const policy = new CfnResourcePolicy(this, 'Guard', {
      secretId: this.arn,
      blockPublicPolicy: true,
      resourcePolicy: {
        Version: '2012-10-17',
        Statement: [
          deny('OtherStages', {
            'ForAnyValue:StringNotEquals': { 'secretsmanager:VersionStage': 'AWSCURRENT' },
          }),
          deny('AnyVersionId', { Null: { 'secretsmanager:VersionId': 'false' } }),
        ],
      },
    })
    // The secret outlives the stack, and so must what protects its old versions.
    policy.applyRemovalPolicy(RemovalPolicy.RETAIN)
  }
}
