import { z } from 'zod'
import { type Account, arn } from './account.ts'
import { AwsError } from './aws-error.ts'
import type { Caller } from './caller.ts'
import { parseInput } from './parse-input.ts'

/** An output of a stack, worked out. */
export interface Output {
  readonly key: string
  readonly value: string
  readonly description: string
}

type Status = 'CREATE_COMPLETE' | 'UPDATE_COMPLETE' | 'DELETE_COMPLETE'

// Source: CloudFormation API reference, DescribeStacks. A name or an id.
const INPUT = { StackName: z.string().min(1).optional(), NextToken: z.string().optional() }

/** CloudFormation, as far as one asks it what a stack has come to: there is one stack. */
export class CloudFormation {
  readonly #account: Account
  readonly #name: string
  readonly #createdAt: string
  #status: Status | 'CREATE_IN_PROGRESS' = 'CREATE_IN_PROGRESS'
  #outputs: readonly Output[] = []

  constructor(account: Account, name: string) {
    this.#account = account
    this.#name = name
    this.#createdAt = new Date(account.now()).toISOString()
  }

  /** The stack is as a template says. */
  complete(status: Status, outputs: readonly Output[]): void {
    this.#status = status
    this.#outputs = outputs
  }

  /** @throws AwsError `ValidationError` for a stack that is not there. */
  async describeStacks(input: unknown, caller: Caller) {
    const { StackName } = parseInput(INPUT, input)
    const id = arn(this.#account, 'cloudformation', `stack/${this.#name}/0`)
    // Who asks about all must be allowed to ask about any, and the evaluator knows no pattern as a resource.
    const any = arn(this.#account, 'cloudformation', 'stack/any/0')
    await caller.need('cloudformation:DescribeStacks', StackName === undefined ? any : id)
    const isThere = this.#status !== 'DELETE_COMPLETE'
    if (StackName === undefined && !isThere) return { Stacks: [] }
    if (StackName !== undefined && !(isThere && [this.#name, id].includes(StackName)))
      throw new AwsError('ValidationError', `Stack with id ${StackName} does not exist`)
    const Outputs = this.#outputs.map(({ key, value, description }) => ({
      OutputKey: key,
      OutputValue: value,
      Description: description,
    }))
    const stack = { StackId: id, StackName: this.#name, CreationTime: this.#createdAt }
    return { Stacks: [{ ...stack, StackStatus: this.#status, Outputs }] }
  }
}
