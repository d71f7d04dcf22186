import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import type { SSMClient } from '@aws-sdk/client-ssm'
import { TaggedInstances } from '../aws/fleet-inventory.ts'
import { ParameterRecord } from '../aws/parameter-store.ts'
import { RingCommandSender } from '../aws/run-command.ts'
import { RingSecret } from '../aws/secrets-manager.ts'
import type { RotationConfiguration } from '../ring/configuration.ts'
import type { ObservationPorts, RotationPorts } from '../ring/observation.ts'

export interface RotationClients {
  readonly secretsManager: SecretsManagerClient
  readonly systemsManager: SSMClient
}

/** The rotation story over AWS. */
export function rotationPorts(
  { secretsManager, systemsManager }: RotationClients,
  configuration: RotationConfiguration,
  around: Pick<RotationPorts, 'clock' | 'chance' | 'eventLog'>,
): RotationPorts {
  const secret = new RingSecret(secretsManager, configuration.secret)
  return {
    ...around,
    configuration,
    versions: secret,
    commits: secret,
    rotations: secret,
    records: new ParameterRecord(systemsManager, configuration.record),
    inventory: new TaggedInstances(systemsManager, configuration.target),
    sender: new RingCommandSender(systemsManager, configuration),
  }
}

/** What looking takes of it: no value of the secret, and nothing that writes. */
export function lookingPorts(
  { secretsManager, systemsManager }: RotationClients,
  configuration: RotationConfiguration,
  around: Pick<ObservationPorts, 'clock' | 'eventLog'>,
): ObservationPorts {
  const secret = new RingSecret(secretsManager, configuration.secret)
  return {
    ...around,
    configuration,
    versions: { labels: () => secret.labels() },
    records: new ParameterRecord(systemsManager, configuration.record),
    inventory: new TaggedInstances(systemsManager, configuration.target),
  }
}
