import { GetParameterCommand, PutParameterCommand, type SSMClient } from '@aws-sdk/client-ssm'
import type { TicketringError } from '../kernel/errors.ts'
import type { StapleStore, Stored } from '../staples/ports.ts'
import { HostLimiter } from './http/host-limiter.ts'
import { isNamed, refusal } from './refusal.ts'
import { readParameters } from './staple-parameters.ts'

/** Writes at the same time: Parameter Store takes 3 a second from an account that has not asked for more. */
const WRITERS = 3

/** Staples in SSM Parameter Store, a parameter for each certificate. */
export class ParameterStaples implements StapleStore {
  readonly #client: SSMClient
  readonly #store: string
  readonly #writers = new HostLimiter(WRITERS)

  /** @param store prefix of the names, such as `/ticketring/staples/edge`. */
  constructor(client: SSMClient, store: string) {
    this.#client = client
    this.#store = store
  }

  async read(ids: readonly string[]): Promise<ReadonlyMap<string, Stored | TicketringError>> {
    const names = new Map(ids.map((id) => [entryName(this.#store, id), id]))
    const found = await readParameters(this.#client, [...names.keys()])
    return new Map([...found].map(([name, stored]) => [names.get(name) ?? '', stored]))
  }

  async earlier(id: string, version: number): Promise<string | undefined> {
    const name = `${entryName(this.#store, id)}:${version}`
    try {
      const { Parameter } = await this.#client.send(new GetParameterCommand({ Name: name }))
      return Parameter?.Value
    } catch (error) {
      if (isNamed(error, 'ParameterVersionNotFound') || isNamed(error, 'ParameterNotFound')) return undefined
      throw refusal(error, `the parameter ${name}`)
    }
  }

  write(id: string, text: string, after: number): Promise<number> {
    return this.#writers.take(this.#store, () => this.#put(id, text, after))
  }

  async #put(id: string, text: string, after: number): Promise<number> {
    const name = entryName(this.#store, id)
    const command = new PutParameterCommand({
      Name: name,
      Value: text,
      Type: 'String',
      Overwrite: after > 0,
      // Standard up to 4 kB, advanced above; and no downgrade, which Parameter Store refuses, where it once was larger.
      Tier: 'Intelligent-Tiering',
    })
    try {
      const { Version } = await this.#client.send(command)
      return Version ?? after + 1
    } catch (error) {
      const codes = {
        ParameterAlreadyExists: 'staple-contended',
        ParameterMaxVersionLimitExceeded: 'staple-contended',
      } as const
      throw refusal(error, `to write the parameter ${name}`, codes)
    }
  }
}

/** Name of the parameter that holds a certificate's entry. */
function entryName(store: string, id: string): string {
  return `${store}/${id}`
}
