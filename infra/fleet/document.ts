import { createHash } from 'node:crypto'
import { RE2JS } from 're2js'
import { TicketringError } from '../../lambda/kernel/errors.ts'
import type { Program } from '../program/program.ts'
import { programText } from '../program/program-text.ts'

/** A Run Command document: its name follows from its content. */
export interface FleetDocument {
  /** `ticketring-…-<12 hex>`: other content is another document, so nothing reaches the fleet unnamed. */
  readonly name: string
  /** Always the first: a document of this name never gets a second version. */
  readonly version: '1'
  /** What each result line must name: the first 12 hex digits of the program's SHA-256. */
  readonly script: string
  /** What it carries or, where a package has it, names. */
  readonly program: Program
  /** What brings it on a machine, in Python. */
  readonly installer: string
  readonly content: DocumentContent
}

/** Schema 2.2 of the Command documents. */
export interface DocumentContent {
  readonly schemaVersion: '2.2'
  readonly description: string
  readonly parameters: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly mainSteps: readonly [
    {
      readonly name: string
      readonly action: 'aws:runShellScript'
      readonly precondition: { readonly StringEquals: readonly [string, string] }
      readonly inputs: { readonly timeoutSeconds: string; readonly runCommand: readonly string[] }
    },
  ]
}

/** What sets one document apart from another. */
export interface DocumentPlan {
  /** Head of the document's name. */
  readonly name: string
  readonly description: string
  readonly step: string
  /** What a caller may say beside {@link programParameter}. */
  readonly parameter: {
    readonly name: string
    readonly description: string
    readonly default: string
    /** The one place where a caller's text meets a shell on agents that substitute it: nothing else gets there. */
    readonly allowedPattern: string
  }
  /** Name and value of the variable that tells the program whose settings it gets. */
  readonly subject: readonly ['TICKETRING_RING' | 'TICKETRING_SET', string]
  /** What the machines start from, in the words of their own configuration files. */
  readonly settings: Readonly<Record<string, string>>
  /** That the program is there already, and only its hash travels. */
  readonly program?: 'installed' | undefined
  /** The kinds of server that its machines run: it brings what serves these. */
  readonly kinds: readonly string[]
  /** Seconds that a run may take on a machine, where that is not {@link EXECUTION_SECONDS}. */
  readonly execution?: number
}

/**
 * What a caller may say to every document: to bring its program with its settings, or, as State Manager does, to keep to what
 * was brought last; to a ring's also to go back to what was brought before it. One word, which an agent may put into the text.
 */
function programParameter([variable]: DocumentPlan['subject']) {
  const words = variable === 'TICKETRING_RING' ? 'bring|keep|back' : 'bring|keep'
  return { type: 'String', default: 'bring', allowedPattern: `^(${words})$` }
}

/** Seconds that a run may take on a machine, unless a kind of server needs more. */
export const EXECUTION_SECONDS = 120
/** Run Command's limit is 64 KB with the parameters of a run: 25 certificates take 2.5 of them. */
export const MOST_BYTES = 61_000

/**
 * Builds a document around the program.
 * @throws TicketringError `configuration-invalid` if it cannot travel in a document.
 */
export function buildDocument(plan: DocumentPlan, program: Program): FleetDocument {
  refuseUncompilable(plan.parameter)
  for (const [key, value] of Object.entries(plan.settings)) refuseUnsafe(key, value)
  const { program: carried, installer, lines } = programText(plan, program)
  refuseTemplateMarks(lines)
  // In braces, so that a shell runs nothing of a text that arrived cut short.
  const content = contentOf(plan, ['{', ...parameterLines(plan), ...lines, '}'])
  const text = JSON.stringify(content)
  if (Buffer.byteLength(text) > MOST_BYTES) {
    throw new TicketringError('configuration-invalid', {
      wanted: `a document of at most ${MOST_BYTES} bytes`,
      came: `${Buffer.byteLength(text)} bytes for ${plan.name}`,
      fix: 'Name directories instead of files, or have each machine name its own in /etc/ticketring',
    })
  }
  return {
    name: `${plan.name}-${digest(text)}`,
    version: '1',
    script: carried.version,
    program: carried,
    installer,
    content,
  }
}

/** What runs on a machine, behind the parameter, and the program that it runs. */
export interface DocumentText {
  readonly program: Program
  /** What brings it there. */
  readonly installer: string
  readonly lines: readonly string[]
}

function contentOf(
  {
    description,
    step,
    subject,
    parameter: { name, ...parameter },
    execution = EXECUTION_SECONDS,
  }: DocumentPlan,
  runCommand: readonly string[],
): DocumentContent {
  return {
    schemaVersion: '2.2',
    description,
    parameters: {
      [name]: { type: 'String', ...parameter, interpolationType: 'ENV_VAR' },
      Program: programParameter(subject),
    },
    mainSteps: [
      {
        name: step,
        action: 'aws:runShellScript',
        precondition: { StringEquals: ['platformType', 'Linux'] },
        inputs: { timeoutSeconds: String(execution), runCommand },
      },
    ],
  }
}

/**
 * Agents before 3.3.2746.0 know no interpolationType: they put the value in the place of the braces. Of the program's two
 * words every agent does.
 */
function parameterLines({ parameter }: DocumentPlan): readonly string[] {
  const told = `SSM_${parameter.name}`
  return [
    `if [ -z "\${${told}+x}" ]; then ${told}='{{${parameter.name}}}'; fi`,
    `export ${told} SSM_Program='{{Program}}'`,
  ]
}

/** The settings stand in a text of Python, in a here-document of a shell: nothing in them may end either. */
function refuseUnsafe(key: string, value: string): void {
  if (/^[A-Za-z0-9 _./:=@,+[\]-]*$/.test(value)) return
  throw new TicketringError('configuration-invalid', {
    wanted: `${key} of letters, digits, spaces and _ . / : = @ , + - [ ]`,
    came: JSON.stringify(value),
  })
}

/** The agent compiles the pattern with Go's regexp, which is RE2, before each run, and refuses the document if it cannot. */
function refuseUncompilable({ name, allowedPattern }: DocumentPlan['parameter']): void {
  try {
    RE2JS.compile(allowedPattern)
  } catch (error) {
    throw new TicketringError('configuration-invalid', {
      wanted: `an allowedPattern of ${name} that RE2 compiles, as the SSM agent does`,
      came: error instanceof Error ? error.message : String(error),
      cause: error,
    })
  }
}

/** Run Command reads every `{{` of a document as a parameter. */
function refuseTemplateMarks(lines: readonly string[]): void {
  const line = lines.findIndex((each) => each.includes('{{'))
  if (line < 0) return
  throw new TicketringError('configuration-invalid', {
    wanted: 'a script without {{, which Run Command reads as a parameter',
    came: `one in line ${line + 1}`,
  })
}

/** What a document's name ends in. */
export function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12)
}
