import { RE2JS } from 're2js'
import { z } from 'zod'
import { AwsError, LoopbackError } from './aws-error.ts'

const SECONDS = z.union([z.number(), z.string().regex(/^\d+$/)]).transform(Number)

/** Bytes of a document, with the parameters of a run. */
const MAX_DOCUMENT = 65_536

/** Schema 2.2 with shell scripts: what a Command document of ours may hold. */
const CONTENT = z.strictObject({
  schemaVersion: z.literal('2.2'),
  description: z.string().optional(),
  parameters: z
    .record(
      z.string(),
      z.strictObject({
        type: z.literal('String'),
        description: z.string().optional(),
        default: z.string().optional(),
        allowedPattern: z.string().refine(compiles, 'Go compiles no such pattern').optional(),
        allowedValues: z.array(z.string()).optional(),
        minChars: z.number().optional(),
        maxChars: z.number().optional(),
        displayType: z.string().optional(),
        interpolationType: z.enum(['RAW', 'ENV_VAR']).default('RAW'),
      }),
    )
    .default({}),
  mainSteps: z.tuple([
    z.strictObject({
      action: z.literal('aws:runShellScript'),
      name: z.string(),
      // Every machine here is a Linux one.
      precondition: z
        .strictObject({ StringEquals: z.tuple([z.literal('platformType'), z.literal('Linux')]) })
        .optional(),
      inputs: z.strictObject({ runCommand: z.array(z.string()), timeoutSeconds: SECONDS.default(3600) }),
    }),
  ]),
})

export type DocumentContent = z.infer<typeof CONTENT>

export interface CommandDocument {
  readonly logicalId: string
  readonly name: string
  readonly content: DocumentContent
  /** The content as CreateDocument got it. */
  readonly text: string
}

/** @throws LoopbackError for a document that uses what is not modelled here. */
export function parseDocument(logicalId: string, name: string, content: unknown): CommandDocument {
  const raw = typeof content === 'string' ? JSON.parse(content) : content
  const parsed = CONTENT.safeParse(raw)
  if (parsed.success) return { logicalId, name, content: parsed.data, text: sized(logicalId, raw) }
  throw new LoopbackError(`the document ${logicalId} is not modelled: ${z.prettifyError(parsed.error)}`)
}

/** A value that stands for a parameter of Parameter Store. */
export const REFERENCE = /\{\{\s*ssm:([^{}\s]+)\s*\}\}/g

/** @throws LoopbackError as CreateDocument would refuse. */
function sized(logicalId: string, content: unknown): string {
  const text = JSON.stringify(content)
  if (Buffer.byteLength(text) <= MAX_DOCUMENT) return text
  throw new LoopbackError(`${logicalId}: MaxDocumentSizeExceeded, the size limit of a document is 64 KB`)
}

/**
 * The values a document runs with: given ones, else defaults.
 * @throws AwsError `InvalidParameters` or `MaxDocumentSizeExceeded`.
 */
export function bindParameters(
  { content, text }: CommandDocument,
  given: Readonly<Record<string, readonly string[]>>,
): Record<string, string> {
  if (Buffer.byteLength(text) + Buffer.byteLength(JSON.stringify(given)) > MAX_DOCUMENT)
    throw new AwsError('MaxDocumentSizeExceeded', 'The size limit of a document is 64 KB.')
  const unknown = Object.keys(given).find((name) => !(name in content.parameters))
  if (unknown !== undefined)
    throw new AwsError('InvalidParameters', `Parameter ${unknown} is not defined in the document.`)
  const bound = Object.entries(content.parameters).map(([name, definition]) => {
    const values = given[name] ?? (definition.default === undefined ? [] : [definition.default])
    const [value] = values
    if (value === undefined) throw new AwsError('InvalidParameters', `Parameter ${name} needs a value.`)
    // What a reference stands for is the agent's to judge.
    const told = value.search(REFERENCE) < 0
    if (values.length > 1 || (told && !fits(value, definition))) {
      throw new AwsError(
        'InvalidParameters',
        `Parameter value for ${name} is not valid: it does not match its definition.`,
      )
    }
    return [name, value] as const
  })
  return Object.fromEntries(bound)
}

function fits(value: string, definition: DocumentContent['parameters'][string]): boolean {
  const { allowedPattern, allowedValues, minChars = 0, maxChars = Number.POSITIVE_INFINITY } = definition
  if (value.length < minChars || value.length > maxChars) return false
  if (allowedValues !== undefined && !allowedValues.includes(value)) return false
  return allowedPattern === undefined || RE2JS.compile(allowedPattern).test(value)
}

/** The agent compiles a pattern with Go's regexp, which is RE2: not all that JavaScript takes. */
function compiles(pattern: string): boolean {
  try {
    RE2JS.compile(pattern)
    return true
  } catch {
    return false
  }
}
