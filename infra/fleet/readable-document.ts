import type { Program } from '../program/program.ts'
import type { FleetDocument } from './document.ts'

/** A document, and what it carries where it carries a program. */
export type Carrying = Pick<FleetDocument, 'name' | 'content'> & {
  readonly carried?: Pick<FleetDocument, 'program' | 'installer'>
}

/** What a document runs as root, to be read: its text, and in the place of a payload what that holds. */
export function readableDocument({ name, content, carried }: Carrying): string {
  const lines = content.mainSteps[0].inputs.runCommand
  const bytes = Buffer.byteLength(JSON.stringify(content))
  const script = carried === undefined ? '' : `, "script":"${carried.program.version}" in result lines`
  const head = [`# Document ${name}: ${bytes} bytes${script}`]
  const start = lines.findIndex((line) => /, \d+, "[0-9a-f]{64}", """$/.test(line))
  if (carried === undefined || start < 0) return [...head, ...lines].join('\n')
  const { program, installer } = carried
  const end = lines.indexOf('""")')
  const clear = [...lines.slice(0, start + 1), '# ... packed: what follows below', ...lines.slice(end)]
  return [...head, ...clear, ...payloadOf(program, installer)].join('\n')
}

function payloadOf({ hash, zipapp, sources }: Program, installer: string): readonly string[] {
  return [
    '',
    '# ---- install.py: run from the payload, not kept',
    installer,
    `# ---- ticketring.pyz: ${zipapp.length} bytes, SHA-256 ${hash}`,
    ...sources.flatMap(({ path, text }) => [`# ---- ${path}`, text]),
  ]
}
