import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import type { SSMClient } from '@aws-sdk/client-ssm'
import { TaggedCanary } from '../aws/canary.ts'
import { ChangeCalendars } from '../aws/change-calendars.ts'
import { TaggedInstances } from '../aws/fleet-inventory.ts'
import { RingParameters } from '../aws/ring-parameters.ts'
import { RingCommandSender } from '../aws/run-command.ts'
import { RingSecret } from '../aws/secrets-manager.ts'
import type { RotationConfiguration } from '../ring/configuration.ts'
import type { ObservationPorts, RotationPorts } from '../ring/observation.ts'

interface RotationClients {
  readonly secretsManager: SecretsManagerClient
  readonly systemsManager: SSMClient
  /** Of CloudWatch, where it is not the usual one. */
  readonly cloudWatch?: string | undefined
}

/** The rotation story over AWS. */
export function rotationPorts(
  { secretsManager, systemsManager, cloudWatch }: RotationClients,
  configuration: RotationConfiguration,
  around: Pick<RotationPorts, 'clock' | 'chance' | 'eventLog'>,
): RotationPorts {
  const secret = new RingSecret(secretsManager, configuration.secret)
  return {
    ...around,
    ...new RingParameters(systemsManager, configuration),
    configuration,
    versions: secret,
    commits: secret,
    rotations: secret,
    canary: new TaggedCanary(systemsManager, configuration, cloudWatch),
    calendars: new ChangeCalendars(systemsManager),
    inventory: new TaggedInstances(systemsManager, configuration.target),
    sender: new RingCommandSender(systemsManager, configuration),
  }
}

/** What looking takes of it: no value of the secret, and nothing that writes. */
export function lookingPorts(
  { secretsManager, systemsManager, cloudWatch }: RotationClients,
  configuration: RotationConfiguration,
  around: Pick<ObservationPorts, 'clock' | 'eventLog'>,
): ObservationPorts {
  const secret = new RingSecret(secretsManager, configuration.secret)
  return {
    ...around,
    ...new RingParameters(systemsManager, configuration),
    configuration,
    versions: { labels: () => secret.labels() },
    canary: new TaggedCanary(systemsManager, configuration, cloudWatch),
    calendars: new ChangeCalendars(systemsManager),
    inventory: new TaggedInstances(systemsManager, configuration.target),
  }
}
