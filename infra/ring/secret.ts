import { Validations } from 'aws-cdk-lib'
import { Grant, type IGrantable, type IRole, Policy, PolicyStatement, Role } from 'aws-cdk-lib/aws-iam'
import { type IKey, Key } from 'aws-cdk-lib/aws-kms'
import { CfnSecret } from 'aws-cdk-lib/aws-secretsmanager'
import { Construct } from 'constructs'
import { UNINITIALISED } from '../../lambda/ring/ring.ts'
import { arnOf, viaService } from '../fleet/arns.ts'
import { secretName } from '../fleet/names.ts'
import type { RingConfiguration } from './configuration.ts'
import { guardSecret, KEPT } from './secret-policy.ts'

interface RingSecretProps extends Pick<RingConfiguration, 'existing' | 'key'> {
  readonly ring: string
}

const FETCH = {
  actions: ['secretsmanager:GetSecretValue'],
  conditions: { 'ForAnyValue:StringEquals': { 'secretsmanager:VersionStage': 'AWSCURRENT' } },
}

/**
 * A ring's secret under a key of its own. Written out in CloudFormation's terms: the L2 secret widens the key's
 * policy to the whole account's use through Secrets Manager, and would let a generated value overwrite the ring.
 */
export class RingSecret extends Construct {
  readonly arn: string
  readonly #key: IKey
  /** The secret, where this makes it. */
  readonly #made: CfnSecret | undefined

  constructor(scope: Construct, id: string, { ring, existing, key }: RingSecretProps) {
    super(scope, id)
    const named = existing?.keyArn ?? key
    this.#key = named === undefined ? this.#createKey(ring) : Key.fromKeyArn(this, 'Key', named)
    const made = existing === undefined ? this.#createSecret(ring) : existing
    this.#made = made instanceof CfnSecret ? made : undefined
    this.arn = made instanceof CfnSecret ? made.ref : made.secretArn
    guardSecret(this, this.arn, ring)
  }

  #createKey(ring: string): Key {
    return new Key(this, 'Key', {
      description: `Encrypts the ticket keys of ring ${ring}`,
      enableKeyRotation: true,
      removalPolicy: KEPT,
    })
  }

  #createSecret(ring: string): CfnSecret {
    const secret = new CfnSecret(this, 'Secret', {
      name: secretName(ring),
      description: `TLS session-ticket keys of ring ${ring}, written by its rotation function alone`,
      kmsKeyId: this.#key.keyArn,
      // A deploy that changes this writes it as AWSCURRENT: it would wipe the ring. So it is a constant.
      secretString: UNINITIALISED,
    })
    secret.applyRemovalPolicy(KEPT)
    return secret
  }

  /** Lets `reader` read the ring that AWSCURRENT names, and nothing older or staged. The caller must name the stage. */
  grantRead(reader: IGrantable): Grant {
    const role = roleFromOutside(reader)
    const made = this.#made
    if (role !== undefined && made !== undefined) {
      this.#lookFor(role, made)
      return this.#grantDecrypt(reader)
    }
    const fetch = Grant.addToPrincipal({ grantee: reader, resourceArns: [this.arn], ...FETCH })
    return fetch.combine(this.#grantDecrypt(reader))
  }

  #grantDecrypt(reader: IGrantable): Grant {
    return Grant.addToPrincipal({
      grantee: reader,
      actions: ['kms:Decrypt'],
      resourceArns: [this.#key.keyArn],
      conditions: this.#throughThisSecret(),
    })
  }

  /**
   * A role that the app does not make may be unknown, the likeliest reason why a first deploy fails. So its permission
   * to fetch names the secret by a pattern, and the secret waits for it: nothing with a name is made before the failure.
   */
  #lookFor(role: IRole, secret: CfnSecret): void {
    const resources = [arnOf(this, 'secretsmanager', `secret:${secret.name}-??????`)]
    const policy = new Policy(this, `Fetch${role.node.addr.slice(-8)}`, {
      statements: [new PolicyStatement({ resources, ...FETCH })],
    })
    role.attachInlinePolicy(policy)
    secret.node.addDependency(policy)
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

  /** What a function does that only looks: it sees the labels, and no value. */
  lookStatements(): readonly PolicyStatement[] {
    return [
      new PolicyStatement({
        sid: 'SeeTheLabels',
        actions: ['secretsmanager:DescribeSecret'],
        resources: [this.arn],
      }),
    ]
  }

  /** Accepts that Secrets Manager has no schedule of its own for this secret. */
  acknowledgeOtherSchedule(): void {
    if (this.#made === undefined) return
    Validations.of(this.#made).acknowledge({
      id: 'AwsSolutions-SMG4',
      reason:
        "Rotated by the ring's own function on an EventBridge Scheduler schedule, which may be more frequent than the 4 hours Secrets Manager allows",
    })
  }

  #throughThisSecret(): Record<string, Record<string, string | string[]>> {
    return {
      StringEquals: {
        'kms:ViaService': viaService(this, 'secretsmanager'),
        'kms:EncryptionContext:SecretARN': this.arn,
      },
    }
  }
}

/** A role that is named, not made, by the app. */
function roleFromOutside({ grantPrincipal }: IGrantable): IRole | undefined {
  if (!Construct.isConstruct(grantPrincipal) || Role.isRole(grantPrincipal)) return undefined
  return 'attachInlinePolicy' in grantPrincipal ? (grantPrincipal as IRole) : undefined
}
