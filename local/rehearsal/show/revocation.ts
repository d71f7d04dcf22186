import { setTimeout as pause } from 'node:timers/promises'
import { DRAINING } from '../clients/ticket-validity.ts'
import { TLS_VERSIONS, type TlsVersion, visit } from '../clients/tls-client.ts'
import { hostOf } from '../machines/fleet.ts'
import type { Machine } from '../machines/machine.ts'
import type { Progress } from '../progress.ts'
import { RehearsalError } from '../rehearsal-error.ts'
import type { RunObserver } from '../run-observer.ts'
import type { Testbed } from '../testbed.ts'

/** What a revoke came to. */
export interface Revocation extends Proof {
  readonly generation: number
  /** From the wish until no machine had yet to prove anything. */
  readonly seconds: number
  /** Tickets from before that clients brought back afterwards, and those of them that were accepted. */
  readonly tickets: { readonly tried: number; readonly accepted: number }
}

/** What the machines proved, as the function tells: that they refuse a ticket from before, still accept it, or neither. */
interface Proof {
  readonly refused: number
  readonly stillAccepting: readonly string[]
  readonly unproven: number
}

interface Revoking {
  readonly testbed: Testbed
  readonly observer: RunObserver
  readonly progress: Progress
}

const REASON = 'the rehearsal shows a leak'
/** How long the proof may take, and how often the function is asked for it (ms). */
const PATIENCE = 120_000
const ASK_EVERY = 300

/**
 * The keys have leaked: an operator revokes the ring, once all else was seen.
 * @throws RehearsalError where the function fails.
 */
export async function revoke({ testbed, observer, progress }: Revoking): Promise<Revocation> {
  const tickets = await takeTickets(testbed.members)
  progress.say('revoke: the keys have leaked, and an operator has all three replaced at once', 'bad')
  testbed.tickOn()
  const startedAt = Date.now()
  const { functionName, name: ring } = testbed.ring
  const { generation = 0 } = await ask(testbed, functionName, { action: 'revoke', ring, reason: REASON })
  const proof = await proved(testbed, observer)
  const seconds = (Date.now() - startedAt) / 1000
  await testbed.standStill()
  await pause(DRAINING)
  const accepted = await countAccepted(tickets)
  const revocation = { generation, ...proof, seconds, tickets: { tried: tickets.length, accepted } }
  progress.say(`revoke: ${revocationInWords(revocation)}`, isProved(revocation) ? 'good' : 'bad')
  return revocation
}

/** Whether every machine has proved it, and no client met another. */
export function isProved({ stillAccepting, unproven, tickets }: Revocation): boolean {
  return stillAccepting.length + unproven + tickets.accepted === 0
}

/** What it came to, in a sentence. */
export function revocationInWords(revocation: Revocation): string {
  const { generation, refused, stillAccepting, unproven, seconds, tickets } = revocation
  return [
    `generation ${generation}: after ${seconds.toFixed(1)} s ${refused} proved that they refuse tickets from before`,
    `${stillAccepting.length} still accept them`,
    `${unproven} have not proved it`,
    `of ${tickets.tried} that clients brought back ${tickets.accepted} were accepted`,
  ].join(', ')
}

interface Kept {
  readonly machine: Machine
  readonly version: TlsVersion
  readonly session: Buffer
}

/** A ticket of every machine in both TLS versions, under the keys that are about to go. */
async function takeTickets(machines: readonly Machine[]): Promise<readonly Kept[]> {
  const wanted = machines.flatMap((machine) => TLS_VERSIONS.map((version) => ({ machine, version })))
  const taken = wanted.map(async ({ machine, version }) => {
    const { session } = await visit(hostOf(machine), { authority: machine.pki.authority, version })
    return session === undefined ? [] : [{ machine, version, session }]
  })
  return (await Promise.all(taken)).flat()
}

async function countAccepted(tickets: readonly Kept[]): Promise<number> {
  const visits = tickets.map(({ machine, version, session }) =>
    visit(hostOf(machine), { authority: machine.pki.authority, version, session }),
  )
  return (await Promise.all(visits)).filter(({ reused }) => reused).length
}

/** What the machines have proved, once none has yet to. */
async function proved({ members, ring, aws }: Testbed, observer: RunObserver): Promise<Proof> {
  const deadline = Date.now() + PATIENCE
  for (;;) {
    const { proof } = await ask({ aws }, ring.statusName, { action: 'status' })
    if (proof?.unproven === 0) return proof
    if (Date.now() > deadline) return proof ?? { refused: 0, stillAccepting: [], unproven: members.length }
    await observer.step(() => 'waiting for every machine to prove that it refuses tickets from before')
    await pause(ASK_EVERY)
  }
}

async function ask(
  { aws }: Pick<Testbed, 'aws'>,
  functionName: string,
  event: object,
): Promise<{ readonly generation?: number; readonly proof?: Proof }> {
  const { payload, functionError } = await aws.invoke(functionName, event)
  if (functionError === undefined) return payload as object
  const { errorMessage } = payload as { readonly errorMessage?: string }
  throw new RehearsalError(`the rotation function failed: ${errorMessage ?? functionError}`)
}
