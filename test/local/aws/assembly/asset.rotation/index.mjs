/** The four steps at their simplest; FAIL_AT names a step that fails. */
import {
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager'

const client = new SecretsManagerClient({ maxAttempts: 1 })
let refusals = Number(process.env.REFUSALS)

export async function handler({ Step, SecretId, ClientRequestToken }) {
  console.log(Step)
  if (Step === process.env.FAIL_AT && refusals-- > 0) throw new Error(`${Step} refused`)
  if (Step === 'createSecret') await create(SecretId, ClientRequestToken)
  if (Step === 'finishSecret') await finish(SecretId, ClientRequestToken)
}

async function create(SecretId, ClientRequestToken) {
  const { SecretString } = await client.send(
    new GetSecretValueCommand({ SecretId, VersionStage: 'AWSCURRENT' }),
  )
  await client.send(
    new PutSecretValueCommand({
      SecretId,
      ClientRequestToken,
      SecretString: `${SecretString}+`,
      VersionStages: ['AWSPENDING'],
    }),
  )
}

async function finish(SecretId, MoveToVersionId) {
  const { VersionId } = await client.send(new GetSecretValueCommand({ SecretId, VersionStage: 'AWSCURRENT' }))
  await client.send(
    new UpdateSecretVersionStageCommand({
      SecretId,
      VersionStage: 'AWSCURRENT',
      RemoveFromVersionId: VersionId,
      MoveToVersionId,
    }),
  )
}
