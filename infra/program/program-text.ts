/** The text that installs the program on a machine and runs it: lines of sh that find Python, and the installer. */
import { createHash } from 'node:crypto'
import { compress } from '@blu3r4y/lzma'
import type { DocumentPlan, DocumentText } from '../fleet/document.ts'
import {
  type Capability,
  installerSource,
  openerSource,
  type Program,
  programFor,
  programSource,
} from './program.ts'

/** Where a Python of the system is, besides python3 of the path. */
const PYTHONS = ['/usr/bin/python3', '/usr/libexec/platform-python']
const END = 'TICKETRING'

const LINE = 1_000

/** What runs on a machine for this plan: of the program, what its capability and its kinds of server need. */
export function programText(plan: DocumentPlan, whole: Program): DocumentText {
  const program = plan.program === 'installed' ? whole : programFor(capabilityOf(plan), whole, plan.kinds)
  return {
    program,
    lines: [
      `failed='${failureHead(plan, program.version)}'`,
      `fail() { printf '%s,"ms":0,"error":"%s","detail":"%s"}\\n' "$failed" "$1" "$2"; exit 1; }`,
      `for python in ${PYTHONS.join(' ')} "$(command -v python3)"; do [ -x "$python" ] && break; done`,
      `[ -x "$python" ] || fail tool-missing 'wanted Python 3.9 or later at ${PYTHONS[0]}, found none'`,
      // A shell that keeps such a text in a file needs room for it.
      `command exec 3<<'${END}' || fail disk-full 'wanted room for 64 kB of temporary files'`,
      ...pythonLines(plan, program),
      END,
      `command exec "$python" -IS - "$failed" <&3 3<&- || fail internal-error 'wanted to start Python, found no room for it'`,
    ],
  }
}

/** What the document delivers. */
export function capabilityOf({ subject: [variable] }: Pick<DocumentPlan, 'subject'>): Capability {
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

/** What opens the payload, and its call. */
function pythonLines(plan: DocumentPlan, program: Program): readonly string[] {
  const { subject, settings, program: origin } = plan
  const installer = Buffer.from(installerSource())
  const carried = Buffer.concat([
    installer,
    Buffer.from(origin === 'installed' ? program.hash : programSource(program)),
  ])
  const payload = pack(carried)
  const checksum = createHash('sha256').update(payload).digest('hex')
  return [
    ...openerSource().trimEnd().split('\n'),
    `run("${capabilityOf(plan)}", "${subject[1]}", """\\`,
    ...Object.entries(settings).map(([key, value]) => `${key}=${value}`),
    `""", ${installer.length}, "${checksum}", """`,
    // Run Command would take two braces for a parameter.
    ...(payload.replace(/\{(?=\{)/g, '{\n').match(new RegExp(`.{1,${LINE}}`, 'g')) ?? []),
    '""")',
  ]
}

const packed = new Map<string, string>()

/** A dictionary of 512 kB, more than a program has: a greater one packs no better, takes twice the time, and room on a machine. */
const LEVEL = 3

/** LZMA and base 85: 17 % less than zlib and base 64, which would not leave room for more servers. */
function pack(bytes: Buffer): string {
  const key = bytes.toString('latin1')
  const known = packed.get(key) ?? base85(Uint8Array.from(compress(bytes, LEVEL) as number[]))
  packed.set(key, known)
  return known
}

/** RFC 1924, §4.2: without quotes, backslashes and commas. */
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~'

/** Four bytes as five digits; of what is short of four, as many digits as tell it. */
function base85(bytes: Uint8Array): string {
  const padded = Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)])
  let text = ''
  for (let at = 0; at < padded.length; at += 4) text += digitsOf(padded.readUInt32BE(at))
  return text.slice(0, text.length - (padded.length - bytes.length))
}

function digitsOf(word: number): string {
  let digits = ''
  for (let rest = word, place = 0; place < 5; place += 1, rest = Math.floor(rest / 85))
    digits = `${ALPHABET[rest % 85]}${digits}`
  return digits
}
