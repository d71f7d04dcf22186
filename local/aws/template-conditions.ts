import { z } from 'zod'
import { AwsError, LoopbackError } from './aws-error.ts'

/** What decides whether a template is taken with the values of its parameters, and what of it is made. */
export const CONDITIONAL = {
  Parameters: z
    .record(
      z.string(),
      z.object({
        Type: z.string(),
        Default: z.string().optional(),
        AllowedPattern: z.string().optional(),
        MaxLength: z.number().optional(),
      }),
    )
    .default({}),
  Rules: z
    .record(
      z.string(),
      z.object({
        RuleCondition: z.unknown().optional(),
        Assertions: z.array(z.object({ Assert: z.unknown(), AssertDescription: z.string() })),
      }),
    )
    .default({}),
  Conditions: z.record(z.string(), z.unknown()).default({}),
}
const SHAPE = z.object(CONDITIONAL)
type Conditional = z.infer<typeof SHAPE>

/** Parameters, by which alone rules and conditions decide. */
export type Given = (parameter: string) => string

/** @throws LoopbackError for a function that is not modelled. Source: CloudFormation user guide, condition functions and Rules. */
export function holds(condition: unknown, given: Given): boolean {
  const [[name = 'none', operands] = []] = Object.entries(Object(condition))
  const [one, other] = [operands].flat()
  switch (name) {
    case 'Fn::Not':
      return !holds(one, given)
    case 'Fn::Equals':
      return operand(one, given) === operand(other, given)
    case 'Fn::Contains': {
      const [list, value] = operands as readonly [readonly unknown[], unknown]
      return list.map((each) => operand(each, given)).includes(operand(value, given))
    }
    default:
      throw new LoopbackError(`the condition ${JSON.stringify(condition)} is not modelled here`)
  }
}

function operand(value: unknown, given: Given): string {
  return typeof value === 'string' ? value : given(String(Object(value).Ref))
}

/**
 * Holds values of parameters to their patterns and to the template's rules.
 * @throws AwsError `ValidationError`, as CloudFormation refuses a stack
 */
export function refuseValues({ Parameters, Rules }: Conditional, given: Given): void {
  for (const [name, { AllowedPattern, MaxLength }] of Object.entries(Parameters)) {
    if (AllowedPattern !== undefined && !new RegExp(`^(?:${AllowedPattern})$`).test(given(name)))
      throw new AwsError('ValidationError', `Parameter ${name} must match pattern ${AllowedPattern}`)
    if (MaxLength !== undefined && given(name).length > MaxLength)
      throw new AwsError('ValidationError', `Parameter ${name} must contain at most ${MaxLength} characters`)
  }
  for (const [name, { RuleCondition, Assertions }] of Object.entries(Rules)) {
    if (RuleCondition !== undefined && !holds(RuleCondition, given)) continue
    for (const { Assert, AssertDescription } of Assertions)
      if (!holds(Assert, given)) throw new AwsError('ValidationError', `Rule ${name}: ${AssertDescription}`)
  }
}
