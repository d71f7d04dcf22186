/** What looks whether a machine could take a ring, before anything is on it: documents that the rings of a stack share. */
import { Lazy, Stack } from 'aws-cdk-lib'
import { CfnDocument } from 'aws-cdk-lib/aws-ssm'
import { Construct } from 'constructs'
import { TicketringError } from '../../lambda/kernel/errors.ts'
import { type DocumentContent, digest, MOST_BYTES } from '../fleet/document.ts'
import { tellOutputs } from '../fleet/outputs.ts'
import type { Carrying } from '../fleet/readable-document.ts'
import { targetsText } from '../fleet/targets-text.ts'
import { lookOf } from '../program/payload.ts'
import { ownProgram, type Program } from '../program/program.ts'
import { callLines, shellLines } from '../program/program-text.ts'
import { checkFor } from '../program/selection.ts'
import type { RingConfiguration } from './configuration.ts'
import { executionOf, ringSettings } from './document.ts'

/** No ring's name has what is in it, so no function may send it: `ticketring_preflight-<12 hex>`. */
const NAME = 'ticketring_preflight'
const ID = 'TicketringPreflight'

/** The document of the stack that knows the ring, told with the tag of its machines. */
export function addPreflight(scope: Construct, ring: RingConfiguration): void {
  tellOutputs(scope, ring.name, {
    Preflight: [
      documentFor(Stack.of(scope), ring).ref,
      'Document that looks whether a machine could take the ring',
    ],
    Targets: [targetsText(ring.targets), 'Tag of its machines'],
  })
}

/** The first that has room for it: the program in each takes some 45 kB of the megabyte that a template may have. */
function documentFor(stack: Stack, ring: RingConfiguration, number = 1): Preflight {
  const id = number === 1 ? ID : `${ID}${number}`
  const found = stack.node.tryFindChild(id) as Preflight | undefined
  const document = found ?? new Preflight(stack, id)
  if (document.takes(ring)) return document
  if (found !== undefined) return documentFor(stack, ring, number + 1)
  throw new TicketringError('configuration-invalid', {
    wanted: `settings of the ring ${ring.name} that a document has room for beside the program`,
    came: `more than ${MOST_BYTES} bytes`,
    fix: 'Have each machine name its own listeners in /etc/ticketring',
  })
}

/** One document, which grows until the stack is synthesised. */
class Preflight extends Construct {
  readonly #rings: RingConfiguration[] = []
  readonly ref: string

  constructor(stack: Stack, id: string) {
    super(stack, id)
    const document = new CfnDocument(this, 'Document', {
      name: Lazy.string({ produce: () => nameOf(preflightContent(this.#rings)) }),
      content: Lazy.any({ produce: () => preflightContent(this.#rings) }),
      documentType: 'Command',
      documentFormat: 'JSON',
      targetType: '/',
      updateMethod: 'Replace',
    })
    this.ref = document.ref
  }

  /** Whether there was room. */
  takes(ring: RingConfiguration): boolean {
    if (!isRoomFor([...this.#rings, ring])) return false
    this.#rings.push(ring)
    return true
  }
}

/** Those of a stack that has these rings, in this order. */
export function preflightDocuments(rings: readonly RingConfiguration[]): readonly Carrying[] {
  const groups: RingConfiguration[][] = []
  for (const ring of rings.filter(({ offboard }) => !offboard)) {
    const found = groups.find((group) => isRoomFor([...group, ring]))
    if (found === undefined) groups.push([ring])
    else found.push(ring)
  }
  return groups.map((group) => {
    const content = preflightContent(group)
    const program = programOf(group)
    return { name: nameOf(content), content, carried: { program, installer: lookOf(program).installer } }
  })
}

function isRoomFor(rings: readonly RingConfiguration[]): boolean {
  return Buffer.byteLength(JSON.stringify(preflightContent(rings))) <= MOST_BYTES
}

function nameOf(content: DocumentContent): string {
  return `${NAME}-${digest(JSON.stringify(content))}`
}

/** Of these rings, one is named by who sends it: nothing else gets into the text. */
export function preflightContent(rings: readonly RingConfiguration[]): DocumentContent {
  return {
    schemaVersion: '2.2',
    description: 'Looks whether a machine could take a ring of TLS session-ticket keys, and changes nothing',
    parameters: {
      Ring: {
        type: 'String',
        description: 'Name of the ring',
        allowedPattern: `^(${rings.map(({ name }) => name).join('|')})$`,
      },
    },
    mainSteps: [
      {
        name: 'lookAtMachine',
        action: 'aws:runShellScript',
        precondition: { StringEquals: ['platformType', 'Linux'] },
        inputs: {
          timeoutSeconds: String(Math.max(...rings.map(({ servers }) => executionOf(servers)))),
          runCommand: ['{', ...linesFor(rings), '}'],
        },
      },
    ],
  }
}

function linesFor(rings: readonly RingConfiguration[]): readonly string[] {
  const program = programOf(rings)
  const settings = rings.flatMap((ring) => [
    `"${ring.name}": """\\`,
    ...Object.entries(ringSettings(ring)).map(([key, value]) => `${key}=${value}`),
    '""",',
  ])
  const call = ['run("ring", "{{Ring}}", {', ...settings, '}["{{Ring}}"]']
  const head = JSON.stringify({ v: 1, check: '{{Ring}}', script: program.version }).slice(0, -1)
  return shellLines(head, callLines(call, lookOf(program)))
}

function programOf(rings: readonly RingConfiguration[]): Program {
  const kinds = new Set(rings.flatMap(({ servers }) => Object.keys(servers)))
  return checkFor(ownProgram(), [...kinds])
}
