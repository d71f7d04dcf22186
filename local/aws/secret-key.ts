import type { Account } from './account.ts'
import { AwsError } from './aws-error.ts'
import type { Caller } from './caller.ts'
import type { Secret } from './secret-store.ts'

/** A customer's key is used in the caller's name, through Secrets Manager, bound to the secret's ARN. */
export async function useKey(
  { keyArn, arn: secretArn }: Secret,
  version: string,
  caller: Caller,
  account: Account,
  actions: readonly string[],
): Promise<void> {
  if (keyArn === undefined) return
  const context = {
    'kms:ViaService': `secretsmanager.${account.region}.amazonaws.com`,
    'kms:CallerAccount': account.id,
    'kms:EncryptionContextKeys': ['SecretARN', 'SecretVersionId'],
    'kms:EncryptionContext:SecretARN': secretArn,
    'kms:EncryptionContext:SecretVersionId': version,
    'aws:ViaAWSService': 'true',
  }
  for (const action of actions) {
    if (await caller.may(action, keyArn, context)) continue
    throw new AwsError('AccessDeniedException', 'Access to KMS is not allowed')
  }
}
