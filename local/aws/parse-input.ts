import { z } from 'zod'
import { AwsError } from './aws-error.ts'

/**
 * Parses an operation's input. Members that are not modelled are refused: ignoring one would let a
 * request mean something else here than on AWS.
 * @throws AwsError `ValidationException` naming every member at fault.
 */
export function parseInput<Shape extends z.ZodRawShape>(
  shape: Shape,
  input: unknown,
): z.infer<z.ZodObject<Shape>> {
  const parsed = z.strictObject(shape).safeParse(input)
  if (parsed.success) return parsed.data as z.infer<z.ZodObject<Shape>>
  const { issues } = parsed.error
  const faults = issues.map(({ path, message }) => `${path.join('.') || 'input'}: ${message}`).join('; ')
  throw new AwsError('ValidationException', `${issues.length} validation error detected: ${faults}`)
}
