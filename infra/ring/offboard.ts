/** What takes a ring off its machines: a document of its own, which no delivery carries. */
import { CfnDocument } from 'aws-cdk-lib/aws-ssm'
import type { Construct } from 'constructs'
import { type DocumentContent, digest } from '../fleet/document.ts'
import { groupName } from '../fleet/names.ts'
import { tellOutputs } from '../fleet/outputs.ts'
import { targetsText } from '../fleet/targets-text.ts'
import { offboardSource } from '../program/payload.ts'
import { PYTHONS } from '../program/program-text.ts'
import { namedIn } from '../servers/servers.ts'
import type { RingConfiguration } from './configuration.ts'

interface OffboardDocument {
  readonly name: string
  readonly content: DocumentContent
}

const END = 'TICKETRING'

/**
 * `look` says which lines of a machine's configuration still name the ring's files; `remove` removes where none does.
 * In its name is what no ring's name has, so that no other ring's function may send it.
 */
export function buildOffboardDocument(ring: RingConfiguration): OffboardDocument {
  const content = contentOf(ring)
  return { name: `${groupName(ring.name)}_offboard-${digest(JSON.stringify(content))}`, content }
}

/** The document in the stack, told with the tag of the machines that it is for. */
export function addOffboardDocument(scope: Construct, ring: RingConfiguration): void {
  const { ref } = new CfnDocument(scope, 'Offboard', {
    ...buildOffboardDocument(ring),
    documentType: 'Command',
    documentFormat: 'JSON',
    targetType: '/',
    updateMethod: 'Replace',
  })
  tellOutputs(scope, ring.name, {
    Offboard: [ref, 'Document that takes the ring off a machine'],
    Targets: [targetsText(ring.targets), 'Tag of its machines'],
    Servers: [Object.keys(ring.servers).join(','), 'Kinds of its servers'],
  })
}

function contentOf(ring: RingConfiguration): DocumentContent {
  return {
    schemaVersion: '2.2',
    description: `Takes the ring ${ring.name} off a machine whose servers name none of its files any more`,
    parameters: {
      Mode: {
        type: 'String',
        description: 'look: say which lines name the files of the ring; remove: remove what no line names',
        default: 'look',
        allowedPattern: '^(look|remove)$',
      },
    },
    mainSteps: [
      {
        name: 'offboardRing',
        action: 'aws:runShellScript',
        precondition: { StringEquals: ['platformType', 'Linux'] },
        inputs: { timeoutSeconds: '120', runCommand: ['{', ...linesFor(ring), '}'] },
      },
    ],
  }
}

function linesFor({ name, servers }: RingConfiguration): readonly string[] {
  const keys = namedIn(servers).map(({ values }) => values.keys)
  const failed = JSON.stringify({ v: 1, ring: name, offboard: 'failed', error: 'tool-missing' })
  return [
    `for python in ${PYTHONS.join(' ')} "$(command -v python3)"; do [ -x "$python" ] && break; done`,
    `[ -x "$python" ] || { printf '%s\\n' '${failed}'; exit 1; }`,
    `"$python" -IS - '{{Mode}}' <<'${END}'`,
    ...offboardSource().trimEnd().split('\n'),
    'import sys',
    `sys.exit(main(${JSON.stringify(name)}, ${JSON.stringify(keys)}, sys.argv[1]))`,
    END,
    'exit $?',
  ]
}
