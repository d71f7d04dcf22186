import { GetParameterCommand, PutParameterCommand, type SSMClient } from '@aws-sdk/client-ssm'
import type { Records } from '../fleet/ports.ts'
import { isNamed, refusal } from './refusal.ts'

/** A record in one parameter of SSM Parameter Store. */
export class ParameterRecord implements Records {
  readonly #client: SSMClient
  readonly #name: string

  constructor(client: SSMClient, name: string) {
    this.#client = client
    this.#name = name
  }

  async read(): Promise<string | undefined> {
    try {
      const { Parameter } = await this.#client.send(new GetParameterCommand({ Name: this.#name }))
      return Parameter?.Value
    } catch (error) {
      if (isNamed(error, 'ParameterNotFound')) return undefined
      throw refusal(error, `the parameter ${this.#name}`)
    }
  }

  async write(text: string): Promise<void> {
    const command = new PutParameterCommand({
      Name: this.#name,
      Value: text,
      Type: 'String',
      Overwrite: true,
    })
    try {
      await this.#client.send(command)
    } catch (error) {
      throw refusal(error, `to write the parameter ${this.#name}`)
    }
  }
}
