import type { SSMClient } from '@aws-sdk/client-ssm'
import type { RotationConfiguration } from '../ring/configuration.ts'
import type { CanaryWatch } from '../ring/ports.ts'
import { describeAlarms } from './alarm-states.ts'
import { TaggedInstances } from './fleet-inventory.ts'

/** The machines of a ring's canary, by Systems Manager, and alarms, by CloudWatch. */
export class TaggedCanary implements CanaryWatch {
  readonly #client: SSMClient
  readonly #configuration: Pick<RotationConfiguration, 'target' | 'canary'>
  readonly #endpoint: string | undefined

  /** @param endpoint of CloudWatch, where it is not the usual one. */
  constructor(
    client: SSMClient,
    configuration: Pick<RotationConfiguration, 'target' | 'canary'>,
    endpoint?: string,
  ) {
    this.#client = client
    this.#configuration = configuration
    this.#endpoint = endpoint
  }

  async machines(): Promise<readonly string[]> {
    const { target, canary } = this.#configuration
    if (canary === undefined) return []
    const members = await new TaggedInstances(this.#client, target, canary).members()
    return members.map(({ id }) => id)
  }

  alarmStates(names: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return describeAlarms(this.#client, names, this.#endpoint)
  }
}
