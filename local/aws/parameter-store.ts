import { z } from 'zod'
import { type Account, arn } from './account.ts'
import { AwsError } from './aws-error.ts'
import type { Caller, Operation } from './caller.ts'
import { parseInput } from './parse-input.ts'

interface Parameter {
  readonly name: string
  readonly type: string
  readonly value: string
  readonly version: number
  readonly modifiedAt: number
  /** Values of all versions, oldest first. */
  readonly history: readonly string[]
}

const NAME = z.string().min(1).max(2048)
const STANDARD_LIMIT = 4096
const ADVANCED_LIMIT = 8192

/** Parameter Store: String parameters, read by name or by path. */
export class ParameterStore {
  readonly #account: Account
  readonly #parameters = new Map<string, Parameter>()
  readonly operations: Readonly<Record<string, Operation>> = {
    GetParameter: (input, caller) => this.#get(input, caller),
    GetParameters: (input, caller) => this.getMany(input, caller),
    GetParametersByPath: (input, caller) => this.#getByPath(input, caller),
    PutParameter: (input, caller) => this.#put(input, caller),
  }

  constructor(account: Account) {
    this.#account = account
  }

  /** CloudFormation's own: no checks. */
  create(name: string, type: string, value: string): void {
    const modifiedAt = this.#account.now()
    this.#parameters.set(name, { name, type, value, version: 1, modifiedAt, history: [value] })
  }

  async #get(input: unknown, caller: Caller) {
    const { Name } = parseInput({ Name: NAME, WithDecryption: z.boolean().optional() }, input)
    const { name, version } = selected(this.#bare(Name))
    await caller.need('ssm:GetParameter', this.#arn(name))
    const parameter = this.#parameters.get(name)
    if (!parameter) throw new AwsError('ParameterNotFound', '')
    if (version === undefined) return { Parameter: this.#describe(parameter) }
    const value = parameter.history[version - 1]
    if (value === undefined)
      throw new AwsError(
        'ParameterVersionNotFound',
        `Systems Manager could not find version ${version} of ${name}.`,
      )
    return { Parameter: { ...this.#describe({ ...parameter, value, version }), Selector: `:${version}` } }
  }

  async getMany(input: unknown, caller: Caller) {
    const shape = { Names: z.array(NAME).min(1).max(10), WithDecryption: z.boolean().optional() }
    const { Names } = parseInput(shape, input)
    for (const name of Names)
      await caller.need('ssm:GetParameters', this.#arn(selected(this.#bare(name)).name))
    const found = Names.map((name) => ({ name, parameter: this.#selectedOf(name) }))
    return {
      Parameters: found.flatMap(({ parameter }) => (parameter ? [parameter] : [])),
      InvalidParameters: found.flatMap(({ name, parameter }) => (parameter ? [] : [name])),
    }
  }

  /** A parameter, or one version of it, as it is described. */
  #selectedOf(named: string) {
    const { name, version } = selected(this.#bare(named))
    const parameter = this.#parameters.get(name)
    if (parameter === undefined || version === undefined) return parameter && this.#describe(parameter)
    const value = parameter.history[version - 1]
    if (value === undefined) return undefined
    return { ...this.#describe({ ...parameter, value, version }), Selector: `:${version}` }
  }

  async #getByPath(input: unknown, caller: Caller) {
    const { Path, Recursive, MaxResults, NextToken } = parseInput(
      {
        Path: NAME,
        Recursive: z.boolean().default(false),
        WithDecryption: z.boolean().optional(),
        MaxResults: z.number().int().min(1).max(10).default(10),
        NextToken: z.string().optional(),
      },
      input,
    )
    await caller.need('ssm:GetParametersByPath', this.#arn(Path))
    const prefix = Path.endsWith('/') ? Path : `${Path}/`
    const below = [...this.#parameters.values()]
      .filter(
        ({ name }) => name.startsWith(prefix) && (Recursive || !name.slice(prefix.length).includes('/')),
      )
      .sort((a, b) => (a.name < b.name ? -1 : 1))
    const { page, next } = paginate(below, MaxResults, NextToken)
    return { Parameters: page.map((parameter) => this.#describe(parameter)), ...next }
  }

  async #put(input: unknown, caller: Caller) {
    const { Name, Value, Type, Overwrite, Tier } = parseInput(
      {
        Name: NAME,
        Value: z.string().min(1),
        Type: z.literal('String').optional(),
        Overwrite: z.boolean().default(false),
        Tier: z.enum(['Standard', 'Advanced', 'Intelligent-Tiering']).default('Standard'),
        DataType: z.literal('text').optional(),
        Description: z.string().max(1024).optional(),
      },
      input,
    )
    await caller.need('ssm:PutParameter', this.#arn(Name), { 'ssm:Overwrite': String(Overwrite) })
    checkSize(Value, Tier)
    checkReferences(Value)
    const present = this.#parameters.get(Name)
    if (present && !Overwrite) {
      throw new AwsError(
        'ParameterAlreadyExists',
        'The parameter already exists. To overwrite this value, set the overwrite option in the request to true.',
      )
    }
    if (!present && Type === undefined) {
      throw new AwsError('ValidationException', 'A parameter type is required when you create a parameter.')
    }
    const version = (present?.version ?? 0) + 1
    const type = present?.type ?? 'String'
    const history = [...(present?.history ?? []), Value]
    const modifiedAt = this.#account.now()
    this.#parameters.set(Name, { name: Name, type, value: Value, version, modifiedAt, history })
    return {
      Version: version,
      Tier: Tier === 'Advanced' || Value.length > STANDARD_LIMIT ? 'Advanced' : 'Standard',
    }
  }

  #describe({ name, type, value, version, modifiedAt }: Parameter) {
    const common = { Name: name, Type: type, Value: value, Version: version, DataType: 'text' }
    return { ...common, LastModifiedDate: modifiedAt / 1000, ARN: this.#arn(name) }
  }

  /** A name of its own may be written as an ARN. */
  #bare(name: string): string {
    const prefix = arn(this.#account, 'ssm', 'parameter')
    return name.startsWith(prefix) ? name.slice(prefix.length) : name
  }

  #arn(name: string): string {
    if (name.startsWith('arn:')) return name
    return arn(this.#account, 'ssm', `parameter${name.startsWith('/') ? '' : '/'}${name}`)
  }
}

/** A version may be named behind the parameter: `/name:3`. */
function selected(name: string): { name: string; version?: number } {
  const [, bare = name, version] = /^(.*):(\d+)$/.exec(name) ?? []
  return { name: bare, ...(version === undefined ? {} : { version: Number(version) }) }
}

/** A page of a list and the token of the next one, which is a position. */
export function paginate<T>(
  list: readonly T[],
  size: number,
  token: string | undefined,
  refusal = 'InvalidNextToken',
): { page: T[]; next: { NextToken?: string } } {
  const start = token === undefined ? 0 : Number(token)
  if (!Number.isInteger(start)) throw new AwsError(refusal, 'The specified token is not valid.')
  const end = start + size
  return { page: list.slice(start, end), next: end < list.length ? { NextToken: String(end) } : {} }
}

function checkSize(value: string, tier: string): void {
  const bytes = Buffer.byteLength(value)
  if (bytes > STANDARD_LIMIT && tier === 'Standard') {
    throw new AwsError(
      'ValidationException',
      `Standard tier parameters support a maximum parameter value of ${STANDARD_LIMIT} characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier.`,
    )
  }
  if (bytes > ADVANCED_LIMIT) {
    throw new AwsError(
      'ValidationException',
      `Advanced tier parameters support a maximum parameter value of ${ADVANCED_LIMIT} characters.`,
    )
  }
}

/** Source: PutParameter, `Value`. */
function checkReferences(value: string): void {
  if (!/\{\{.*\}\}/s.test(value)) return
  throw new AwsError(
    'ValidationException',
    "Parameters can't be referenced or nested in the values of other parameters: a value can't hold {{}}.",
  )
}
