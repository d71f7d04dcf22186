import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'

import { secondsOf } from '../lambda/kernel/durations.ts'
import { isRefusal } from '../lambda/kernel/errors.ts'
import type { Certificate } from '../lambda/ocsp/certificate.ts'
import { describeName } from '../lambda/ocsp/name.ts'
import { CERTIFICATE_LABELS, decodePem, looksLikeDer, parseCertificates } from '../lambda/ocsp/pem.ts'
import { findIssuer, issuedByFirst, prepareSubject, type Subject } from '../lambda/ocsp/subject.ts'
import { type Options, validateResponse } from '../lambda/ocsp/validation.ts'
import type { Verdict } from '../lambda/ocsp/verdict.ts'
import { explanationOf } from '../lambda/staples/explanation.ts'
import { tolerateClosedPipes } from './closed-pipe.ts'
import { HELP } from './help-option.ts'

const USAGE = `Why is this OCSP response stapled, or not? Judges one response, offline, by every rule.

  npm run --silent explain -- --response FILE --certificate FILE --issuer FILE [options]

  --response FILE     the OCSP response, DER or PEM (told by content)
  --certificate FILE  the certificate it is about, DER or PEM; of a chain, the first
  --issuer FILE       its issuer, DER or PEM; of several, the one that issued the certificate.
                      May be left out where the certificate's file holds the chain
  --at TIME           judge as of this time, such as 2026-11-21T19:00:00Z (default: now)
  --allow-sha1        accept signatures over SHA-1
  --max-age AGE       how long a response without nextUpdate counts, such as 90s, 30m, 12h or 7d
                      (default: such a response is refused)
  -h, --help          this text

Prints {"verdict":"good"|"revoked"|"unknown"|"refused","rules":[{"rule","ok","detail"}],"effectiveEnd",…}.
A rule's "ok" is null where there was nothing to judge; "effectiveEnd" is null where none is known.
Exit code: 0 good, 1 any other verdict, 2 the question itself is faulty (the reason is on standard error).
`

/** The question cannot be asked as it stands. */
class Misuse extends Error {}

interface Question {
  readonly response: Uint8Array
  readonly subject: Subject
  readonly options: Options
}

function main(argv: readonly string[]): number {
  try {
    const flags = parseFlags(argv)
    if (flags.help === true) {
      process.stdout.write(USAGE)
      return 0
    }
    const { response, subject, options } = askQuestion(flags)
    const verdict = validateResponse(response, subject, options)
    process.stdout.write(`${present(verdict)}\n`)
    return verdict.verdict === 'good' ? 0 : 1
  } catch (error) {
    // A question that cannot be asked or, if it is none of ours, a fault: a sentence either way, never a stack.
    process.stderr.write(`explain: ${error instanceof Error ? error.message : String(error)}\n`)
    return 2
  }
}

type Flags = ReturnType<typeof parseFlags>

function parseFlags(argv: readonly string[]) {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean' } as const
  const options = {
    response: text,
    certificate: text,
    issuer: text,
    at: text,
    'allow-sha1': flag,
    'max-age': text,
    help: HELP,
  }
  try {
    return parseArgs({ args: [...argv], options, strict: true }).values
  } catch (error) {
    throw new Misuse(`${(error as Error).message} (--help explains)`)
  }
}

function askQuestion(flags: Flags): Question {
  const response = readResponse(required(flags.response, '--response'))
  const chain = readCertificates(required(flags.certificate, '--certificate'))
  const anchors = flags.issuer === undefined ? chain.slice(1) : readCertificates(flags.issuer, ISSUER_LABELS)
  const [certificate, ...rest] = chain
  refuseUpsideDown(certificate as Certificate, rest)
  // Where none of them issued it, the first one named is judged, so that the verdict can say what does not fit.
  const now = flags.at === undefined ? new Date() : parseTime(flags.at)
  const issuer = findIssuer(certificate as Certificate, anchors, rest, now) ?? anchors[0]
  if (issuer === undefined)
    throw new Misuse('--issuer is missing, and the file of --certificate holds no chain')
  return {
    response,
    subject: prepareSubject(certificate as Certificate, issuer),
    options: {
      now,
      heldAt: new Date(),
      allowSha1: flags['allow-sha1'] ?? false,
      ...(flags['max-age'] === undefined ? {} : { maxAge: parseAge(flags['max-age']) }),
    },
  }
}

function refuseUpsideDown(first: Certificate, others: readonly Certificate[]): void {
  const issued = issuedByFirst(first, others)
  if (issued === undefined) return
  const [top, below] = [describeName(first.subject), describeName(issued.subject)]
  throw new Misuse(
    `the chain of --certificate is upside down: ${top} comes first, and issued ${below} after it`,
  )
}

function required(value: string | undefined, flag: string): string {
  if (value === undefined || value === '') throw new Misuse(`${flag} FILE is missing (--help explains)`)
  return value
}

function parseTime(text: string): Date {
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(text)
    ? new Date(text)
    : undefined
  if (time === undefined || Number.isNaN(time.getTime())) {
    throw new Misuse(`--at wants a time such as 2026-11-21T19:00:00Z, not "${text}"`)
  }
  return time
}

function parseAge(text: string): number {
  const seconds = secondsOf(text)
  if (seconds === undefined)
    throw new Misuse(`--max-age wants an age such as 90s, 30m, 12h or 7d, not "${text}"`)
  return seconds
}

/** Whatever is no PEM goes to the validation as it is: bytes that are no DER either have a verdict too. */
function readResponse(path: string): Uint8Array {
  const bytes = readFile(path)
  if (looksLikeDer(bytes)) return bytes
  const [block] = decodePem(bytes.toString('latin1'), ['OCSP RESPONSE'])
  return block ?? bytes
}

/** Collections of test responses keep an authority's certificate beside the leaf's under a label of its own. */
const ISSUER_LABELS = [...CERTIFICATE_LABELS, 'CA CERTIFICATE']

function readCertificates(path: string, labels = CERTIFICATE_LABELS): readonly Certificate[] {
  try {
    return parseCertificates(readFile(path), labels)
  } catch (error) {
    if (isRefusal(error, 'certificate-malformed'))
      throw new Misuse(`${path}: wanted ${error.wanted}; got ${error.came}`)
    throw error
  }
}

function readFile(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new Misuse(`${path} cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown reason'}`)
  }
}

/** JSON with one rule a line, so that a person can read down it. */
function present(verdict: Verdict): string {
  const { verdict: word, rules, ...facts } = explanationOf(verdict)
  const lines = rules.map((outcome) => `    ${JSON.stringify(outcome)}`).join(',\n')
  const fields = Object.entries(facts).map(
    ([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)}`,
  )
  return `{\n  "verdict": "${word}",\n  "rules": [\n${lines}\n  ],\n${fields.join(',\n')}\n}`
}

tolerateClosedPipes()
process.exitCode = main(process.argv.slice(2))
