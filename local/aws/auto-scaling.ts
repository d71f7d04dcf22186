import { z } from 'zod'
import { type Account, arn } from './account.ts'
import { AwsError } from './aws-error.ts'
import type { Caller } from './caller.ts'
import type { Fleet } from './fleet.ts'
import { parseInput } from './parse-input.ts'

// Lengths are those of the API reference.
const NAME = z.string().min(1).max(255)
const INPUT = {
  AutoScalingGroupName: NAME,
  LifecycleHookName: z.string().regex(/^[A-Za-z0-9\-_/]{1,255}$/),
  InstanceId: z.string().min(1).max(19),
  LifecycleActionResult: z.enum(['CONTINUE', 'ABANDON']),
}

/** EC2 Auto Scaling, as far as machines speak with it. */
export class AutoScaling {
  readonly #account: Account
  readonly #fleet: Fleet

  constructor(account: Account, fleet: Fleet) {
    this.#account = account
    this.#fleet = fleet
  }

  /** @throws AwsError `ValidationError` where nothing waits. */
  async completeLifecycleAction(input: unknown, caller: Caller): Promise<void> {
    const { AutoScalingGroupName, LifecycleHookName, InstanceId, LifecycleActionResult } = parseInput(
      INPUT,
      input,
    )
    // The group's UUID is AWS's own: policies name it by a pattern.
    const group = `autoScalingGroup:8f0ef9c7-6a22-4f5e-9d0c-5a2f6c0d1b1e:autoScalingGroupName/${AutoScalingGroupName}`
    await caller.need('autoscaling:CompleteLifecycleAction', arn(this.#account, 'autoscaling', group))
    const node = this.#fleet.find(InstanceId)
    const lifecycle = node?.state === 'gone' ? undefined : node?.group
    const isDone =
      lifecycle?.group === AutoScalingGroupName &&
      lifecycle.complete(LifecycleHookName, LifecycleActionResult)
    if (!isDone)
      throw new AwsError('ValidationError', `No active Lifecycle Action found with instance ID ${InstanceId}`)
  }
}
