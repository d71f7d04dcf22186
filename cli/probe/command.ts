import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import type { Command, ExitCode, Io } from '../command.ts'
import { UsageError } from '../usage-error.ts'
import { parseEarlierReport } from './earlier-report.ts'
import { endpointsOf } from './endpoint.ts'
import { factsOf } from './facts.ts'
import { findingsOf } from './findings.ts'
import { handshake } from './handshake.ts'
import { isAnswered, reportOf } from './report.ts'
import { survey } from './survey.ts'

/** Every ticket is tried at every listener: 64 of them take 8,192 connections and more. */
const MOST_LISTENERS = 64
const HANDS = 8

const USAGE = `Usage: ticketring probe HOST:PORT… [options]

Looks at the session tickets of any TLS servers from outside: no AWS, nothing installed on them. Each is asked twice in
TLS 1.2 and in TLS 1.3 under which key it encrypts, then a ticket of each is tried at every one, without a certificate.
No request is sent and no certificate verified; servers log these connections as such that ended after the handshake.

  HOST:PORT          a listener, such as 192.0.2.7:443, [2001:db8::7]:443 or edge.example.com:443; up to ${MOST_LISTENERS}
  --servername NAME  send this name (default: HOST where it is a name); may be given again: each name at each HOST:PORT
  --earlier FILE     what --json printed before: a key that still encrypts after a day is reported
  --timeout SECONDS  for one connection, 1 to 60 (default 5)
  --json             print what was seen and found as JSON
  -h, --help         this text

Reported are: auth-bypass (a ticket of an open listener opens one that asks for a client certificate), known-key (a key that
is no secret), key-unchanged, not-resumed, different-keys, tickets-off, lifetimes-differ, lifetime-long, unreachable.
Whether a listener asks for a certificate shows in TLS 1.2, or where it refuses a client that has none.
Exit code: 0 nothing to report, 1 something, 2 no listener answered or the command is not understood.`

export const PROBE: Command = {
  name: 'probe',
  summary: 'look at the tickets of any TLS servers from outside: keys, resumption, open doors',
  usage: USAGE,
  run,
}

async function run(words: readonly string[], io: Io): Promise<ExitCode> {
  const { values, positionals } = read(words)
  const endpoints = endpointsOf(positionals, values.servername ?? [])
  if (endpoints.length === 0) throw new UsageError('At least one HOST:PORT is wanted')
  if (endpoints.length > MOST_LISTENERS)
    throw new UsageError(
      `At most ${MOST_LISTENERS} listeners at once, not ${endpoints.length}: probe them in parts`,
    )
  const earlier = values.earlier === undefined ? undefined : parseEarlierReport(contentOf(values.earlier))
  const patience = secondsOf(values.timeout ?? '5') * 1000
  const seen = await survey(endpoints, { connect: handshake, patience, hands: HANDS, onProgress: io.state })
  io.endState()
  const facts = factsOf(seen)
  const findings = findingsOf(facts, io.now(), earlier)
  const at = new Date(io.now()).toISOString()
  io.out(
    values.json === true
      ? JSON.stringify({ schema: 1, at, ...facts, findings }, null, 2)
      : reportOf(facts, findings),
  )
  if (!isAnswered(facts)) return 2
  return findings.length === 0 ? 0 : 1
}

function read(words: readonly string[]) {
  const text = { type: 'string' } as const
  const options = {
    servername: { type: 'string', multiple: true },
    earlier: text,
    timeout: text,
    json: { type: 'boolean' },
  } as const
  try {
    return parseArgs({ args: [...words], options, allowPositionals: true })
  } catch (error) {
    throw new UsageError((error as Error).message.split('. ')[0] ?? '')
  }
}

function secondsOf(text: string): number {
  const seconds = /^\d{1,2}$/.test(text) ? Number(text) : 0
  if (seconds >= 1 && seconds <= 60) return seconds
  throw new UsageError(`--timeout wants whole seconds from 1 to 60, not ${JSON.stringify(text.slice(0, 64))}`)
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new UsageError(`--earlier ${file} cannot be read: ${(error as Error).message}`)
  }
}
