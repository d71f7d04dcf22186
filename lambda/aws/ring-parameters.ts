import {
  GetParametersCommand,
  type Parameter,
  PutParameterCommand,
  type SSMClient,
} from '@aws-sdk/client-ssm'
import type { Records } from '../fleet/ports.ts'
import type { Controls, StoredControl } from '../ring/ports.ts'
import { isNamed, refusal } from './refusal.ts'

/** A ring's two parameters: its delivery record, and what operators set. What is asked at the same time takes one call. */
export class RingParameters {
  readonly records: Records
  readonly controls: Controls
  readonly #client: SSMClient
  #asking: { readonly names: Set<string>; readonly answer: Promise<readonly Parameter[]> } | undefined

  constructor(client: SSMClient, { record, control }: { readonly record: string; readonly control: string }) {
    this.#client = client
    this.records = {
      read: async () => (await this.#read(record))?.Value,
      write: async (text) => void (await this.#write(record, text, true)),
    }
    this.controls = {
      read: async () => storedIn(await this.#read(control)),
      earlier: async (version) => storedIn(await this.#read(`${control}:${version}`)),
      write: (text, after) => this.#write(control, text, after > 0),
    }
  }

  async #read(asked: string): Promise<Parameter | undefined> {
    const found = await this.#together(asked)
    return found.find(({ Name, Selector = '' }) => `${Name}${Selector}` === asked)
  }

  /** Whatever is asked for before the call goes out goes with it. */
  #together(asked: string): Promise<readonly Parameter[]> {
    if (this.#asking === undefined) {
      const names = new Set<string>()
      const answer = Promise.resolve().then(() => {
        this.#asking = undefined
        return this.#get([...names])
      })
      this.#asking = { names, answer }
    }
    this.#asking.names.add(asked)
    return this.#asking.answer
  }

  async #get(names: readonly string[]): Promise<readonly Parameter[]> {
    try {
      const { Parameters = [] } = await this.#client.send(new GetParametersCommand({ Names: [...names] }))
      return Parameters
    } catch (error) {
      throw refusal(error, `the parameter ${names.join(' and ')}`)
    }
  }

  async #write(name: string, text: string, overwrites: boolean): Promise<number | undefined> {
    const command = new PutParameterCommand({
      Name: name,
      Value: text,
      Type: 'String',
      Overwrite: overwrites,
    })
    try {
      return (await this.#client.send(command)).Version
    } catch (error) {
      if (!overwrites && isNamed(error, 'ParameterAlreadyExists')) return undefined
      throw refusal(error, `to write the parameter ${name}`)
    }
  }
}

function storedIn(parameter: Parameter | undefined): StoredControl | undefined {
  if (parameter?.Value === undefined) return undefined
  const { Value: text, Version: version = 1, LastModifiedDate: modifiedAt = new Date(0) } = parameter
  return { text, version, modifiedAt }
}
