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

// Source: CloudFormation API reference, DescribeStacks. A name or an id.
const INPUT = { StackName: z.string().min(1).optional(), NextToken: z.string().optional() }

/** CloudFormation, as far as one asks it what a stack has come to: there is one stack. */
export class CloudFormation {
  readonly #account: Account
  readonly #name: string
  readonly #createdAt: string
  #status = 'CREATE_IN_PROGRESS'
  #outputs: readonly Output[] = []

  constructor(account: Account, name: string) {
    this.#account = account
    this.#name = name
    this.#createdAt = new Date(account.now()).toISOString()
  }

  /** The stack is as a template says. */
  complete(status: 'CREATE_COMPLETE' | 'UPDATE_COMPLETE', outputs: readonly Output[]): void {
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
    if (StackName !== undefined && StackName !== this.#name && StackName !== id)
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
