import { Aws, RemovalPolicy, Stack } from 'aws-cdk-lib'
import { Effect } from 'aws-cdk-lib/aws-iam'
import { CfnResourcePolicy } from 'aws-cdk-lib/aws-secretsmanager'
import type { Construct } from 'constructs'
import { roleNamePattern } from '../fleet/names.ts'

/** But not where its creation failed: what a rolled-back deploy left behind would block the next one by its name. */
export const KEPT = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE

/**
 * Denies all but the rotation role what AWSCURRENT does not name: Secrets Manager keeps old versions, and
 * an old ring decrypts recorded traffic. Two statements, since conditions within one are joined by AND. A request
 * that names neither stage nor version reads AWSCURRENT: ForAnyValue over an absent key is false, so it passes. Nor may
 * any other principal move labels: AWSCURRENT on an old version would make it readable, and every machine of the fleet with it.
 * Writing a value stays open, since `adopt` does that, and so does this policy's own change: nothing here locks its owner out.
 */
export function guardSecret(scope: Construct, secretId: string, ring: string): void {
  const policy = new CfnResourcePolicy(scope, 'Guard', {
    secretId,
    blockPublicPolicy: true,
    resourcePolicy: { Version: '2012-10-17', Statement: denials(Stack.of(scope).account, ring) },
  })
  // The secret outlives the stack, and so must what protects its old versions.
  policy.applyRemovalPolicy(KEPT)
}

function denials(account: string, ring: string): readonly object[] {
  const role = `arn:${Aws.PARTITION}:iam::${account}:role/${roleNamePattern(ring)}`
  const deny = (sid: string, action: string, condition: object = {}) => ({
    Sid: sid,
    Effect: Effect.DENY,
    Principal: '*',
    Action: `secretsmanager:${action}`,
    Resource: '*',
    Condition: { ArnNotLike: { 'aws:PrincipalArn': role }, ...condition },
  })
  return [
    deny('OtherStages', 'GetSecretValue', {
      'ForAnyValue:StringNotEquals': { 'secretsmanager:VersionStage': 'AWSCURRENT' },
    }),
    deny('AnyVersionId', 'GetSecretValue', { Null: { 'secretsmanager:VersionId': 'false' } }),
    deny('LabelsByOthers', 'UpdateSecretVersionStage'),
  ]
}
