/** The text that installs the program on a machine and runs it: lines of sh that find Python, and the installer. */
import { createHash } from 'node:crypto'
import type { DocumentPlan, DocumentText } from '../fleet/document.ts'
import { bzip2 } from './bzip2.ts'
import { type Carried, carriedOf, openerSource } from './payload.ts'
import type { Program } from './program.ts'
import { type Capability, programFor } from './selection.ts'

/** Where a Python of the system is, besides python3 of the path. */
export const PYTHONS = ['/usr/bin/python3', '/usr/libexec/platform-python']
const END = 'TICKETRING'

const LINE = 1_000

/** What runs on a machine for this plan: of the program, what its capability and its kinds of server need. */
export function programText(plan: DocumentPlan, whole: Program): DocumentText {
  const isInstalled = plan.program === 'installed'
  const capability = capabilityOf(plan)
  const program = isInstalled ? whole : programFor(capability, whole, plan.kinds)
  const carried = carriedOf(program, isInstalled ? 'packaged' : 'carried', capability)
  const { subject, settings } = plan
  const call = [
    `run("${capability}", "${subject[1]}", """\\`,
    ...Object.entries(settings).map(([key, value]) => `${key}=${value}`),
    '"""',
  ]
  return {
    program,
    installer: carried.installer,
    lines: shellLines(failureHead(plan, program.version), callLines(call, carried)),
  }
}

/** sh that finds Python and has it run these lines. @param head begins the result line of a run that got nowhere. */
export function shellLines(head: string, python: readonly string[]): readonly string[] {
  return [
    `failed='${head}'`,
    `fail() { printf '%s,"ms":0,"error":"%s","detail":"%s"}\\n' "$failed" "$1" "$2"; exit 1; }`,
    `for python in ${PYTHONS.join(' ')} "$(command -v python3)"; do [ -x "$python" ] && break; done`,
    `[ -x "$python" ] || fail tool-missing 'wanted Python 3.9 or later at ${PYTHONS[0]}, found none'`,
    // A shell that keeps such a text in a file needs room for it.
    `command exec 3<<'${END}' || fail disk-full 'wanted room for 64 kB of temporary files'`,
    ...python,
    END,
    `command exec "$python" -IS - "$failed" <&3 3<&- || fail internal-error 'wanted to start Python, found no room'`,
  ]
}

/** What the document delivers. */
function capabilityOf({ subject: [variable] }: Pick<DocumentPlan, 'subject'>): Capability {
  return variable === 'TICKETRING_RING' ? 'ring' : 'staples'
}

/** The result line of a run that got nowhere, but for what stopped it. */
function failureHead(plan: DocumentPlan, script: string): string {
  const [, name] = plan.subject
  const own =
    capabilityOf(plan) === 'ring'
      ? { ring: name, lineage: '', generation: 0, encryptsWith: '' }
      : { staples: name, installed: 0, withdrawn: 0, held: 0 }
  return JSON.stringify({ v: 1, ...own, server: '', result: 'failed', verified: 'none', script }).slice(0, -1)
}

/** What opens the payload, and its call, of which `call` is what comes before the payload. */
export function callLines(
  call: readonly string[],
  { installer, rest }: Pick<Carried, 'installer' | 'rest'>,
): readonly string[] {
  const payload = pack(installer + rest)
  const checksum = createHash('sha256').update(payload).digest('hex')
  return [
    ...openerSource().trimEnd().split('\n'),
    ...call.slice(0, -1),
    `${call.at(-1)}, ${installer.length}, "${checksum}", """`,
    // Run Command would take two braces for a parameter.
    ...(payload.replace(/\{(?=\{)/g, '{\n').match(new RegExp(`.{1,${LINE}}`, 'g')) ?? []),
    '""")',
  ]
}

const packed = new Map<string, string>()

/** bzip2 and base 92: a fifth less than zlib and base 64, which would not leave room for more servers. */
function pack(text: string): string {
  const known = packed.get(text) ?? base92(bzip2(Buffer.from(text)))
  packed.set(text, known)
  return known
}

/** Printable ASCII without the space, quotes and backslashes. */
const ALPHABET = Array.from({ length: 94 }, (_, at) => String.fromCharCode(33 + at))
  .filter((each) => !'"\\'.includes(each))
  .join('')
const BASE = BigInt(ALPHABET.length)
/** So many bytes as so many digits: 0.3 % more than there is in them. `open.py` reads them. */
const BLOCK = { bytes: 22, digits: 27 } as const

/** The last block is filled up with zeros, which the stream before them ends without. */
function base92(bytes: Uint8Array): string {
  const blocks = Math.ceil(bytes.length / BLOCK.bytes)
  const padded = Buffer.concat([bytes, Buffer.alloc(blocks * BLOCK.bytes - bytes.length)])
  const blockAt = (at: number) => padded.subarray(at * BLOCK.bytes, (at + 1) * BLOCK.bytes)
  return Array.from({ length: blocks }, (_, at) => digitsOf(blockAt(at))).join('')
}

function digitsOf(block: Buffer): string {
  let digits = ''
  for (let rest = BigInt(`0x${block.toString('hex')}`); digits.length < BLOCK.digits; rest /= BASE)
    digits = `${ALPHABET[Number(rest % BASE)]}${digits}`
  return digits
}
