import { GetSecretValueCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import type { SSMClient } from '@aws-sdk/client-ssm'
import { TicketringError } from '../kernel/errors.ts'
import type { ChainSource } from '../staples/configuration.ts'
import type { Chains } from '../staples/ports.ts'
import { type Parameters, readParameters, unreadable } from './staple-parameters.ts'

/** Certificate chains in SSM parameters and in secrets. */
export class AwsChains implements Chains {
  readonly #parameters: SSMClient
  readonly #secrets: SecretsManagerClient

  constructor(parameters: SSMClient, secrets: SecretsManagerClient) {
    this.#parameters = parameters
    this.#secrets = secrets
  }

  async read(sources: readonly ChainSource[]): Promise<readonly (string | TicketringError)[]> {
    const names = sources.flatMap((source) => ('parameter' in source ? [source.parameter] : []))
    const parameters = await readParameters(this.#parameters, names)
    return Promise.all(
      sources.map((source) =>
        'parameter' in source ? parameterOf(parameters, source.parameter) : this.#readSecret(source),
      ),
    )
  }

  async #readSecret({
    secret,
    field,
  }: Extract<ChainSource, { secret: string }>): Promise<string | TicketringError> {
    try {
      const command = new GetSecretValueCommand({ SecretId: secret, VersionStage: 'AWSCURRENT' })
      const { SecretString = '' } = await this.#secrets.send(command)
      return field === undefined ? SecretString : fieldOf(SecretString, field, secret)
    } catch (error) {
      return unreadable(error, `the secret ${secret}`, { ResourceNotFoundException: 'chain-missing' })
    }
  }
}

function parameterOf(found: Parameters, name: string): string | TicketringError {
  // By ARN asked, by name answered.
  const stored = found.get(name) ?? found.get(name.replace(/^arn:[^/]*:parameter(?=\/)/, ''))
  if (stored instanceof TicketringError) return stored
  return (
    stored?.text ?? new TicketringError('chain-missing', { wanted: `the parameter ${name}`, came: 'none' })
  )
}

/** The secret may hold the private key beside the chain: nothing of it is ever repeated. */
function fieldOf(text: string, field: string, secret: string): string | TicketringError {
  const value = memberOf(text, field)
  if (typeof value === 'string') return value
  const wanted = `the secret ${secret} as JSON with the text field ${JSON.stringify(field)}`
  return new TicketringError('chain-missing', { wanted, came: 'another value' })
}

function memberOf(text: string, field: string): unknown {
  try {
    return (JSON.parse(text) as Record<string, unknown> | null)?.[field]
  } catch {
    return undefined
  }
}
