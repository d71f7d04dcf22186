import { execFile } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { renameSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { toLayout } from '../lambda/ring/layouts.ts'
import { advance, genesis, keysOf, type Ring } from '../lambda/ring/ring.ts'
import { TicketKey } from '../lambda/ring/ticket-key.ts'
import { terminatorOf } from '../local/rehearsal/machines/kinds.ts'
import type { Machine } from '../local/rehearsal/machines/machine.ts'
import type { Scope } from '../local/scope.ts'
import { ask } from '../test/agent/instance.ts'
import { type Fleet, RING } from './fleet.ts'

/** How long everything takes, in ms: the same for every way. */
export interface Durations {
  /** T: from one rotation to the next, at the soonest. */
  readonly every: number
  /** From the first machine to the last, where machines are changed one after the other. */
  readonly roll: number
  /** L: how long clients use a ticket. */
  readonly lifetime: number
  /** From one poll of a machine to its next. */
  readonly poll: number
}

/** A machine that is out of reach, and until when (ms); undefined where all are there. */
export type Outage = { readonly machine: Machine; readonly until: number } | undefined

/** One way to rotate: called once an interval. */
export interface Way {
  /** Resolves when the way itself would let the next rotation begin. */
  rotate(outage: Outage): Promise<void>
}

/** What a way works on. */
export interface WayParts {
  readonly fleet: Fleet
  /** What the machines run at first. */
  readonly ring: Ring
  readonly durations: Durations
  readonly scope: Scope
}

const NO_PARENT = 'genesis-00000000000000000000000000000000'

function making() {
  return { parent: NO_PARENT, now: new Date(), random: randomBytes }
}

export function firstRing(): Ring {
  return genesis(RING, randomUUID(), making())
}

/** The ring one generation later. */
export function nextRing(ring: Ring): Ring {
  return advance(ring, making())
}

/** Ours: three staged keys; the instance's script on one machine after the other; the next waits for all, and L. */
export function staged({ fleet, ring, durations }: WayParts): Way {
  let held = ring
  return {
    async rotate(outage) {
      held = nextRing(held)
      fleet.publish(held)
      const begun = Date.now()
      const starts = fleet.machines.map((machine, index) =>
        machine === outage?.machine
          ? outage.until
          : begun + delay(durations.roll, index, fleet.machines.length),
      )
      const turns = fleet.machines.map(async (machine, index) => {
        await until(starts[index] ?? begun)
        await fleet.apply(machine, held.generation)
      })
      await Promise.all(turns)
      await pause(durations.lifetime)
    },
  }
}

const run = promisify(execFile)

/** The playbook: two keys, the new one encrypts at once, one nginx after the other. */
export function newKeyAtOnce({ fleet, ring, durations }: WayParts): Way {
  let old = ring.current
  return {
    async rotate() {
      const fresh = TicketKey.draw(randomBytes)
      const begun = Date.now()
      for (const [index, machine] of fleet.machines.entries()) {
        await until(begun + delay(durations.roll, index, fleet.machines.length))
        // The example's nginx.conf names three files: the two keys, and the old one once more.
        await reloadNginx(machine, [fresh, old, old])
      }
      old = fresh
    },
  }
}

async function reloadNginx(machine: Machine, keys: readonly TicketKey[]): Promise<void> {
  const terminator = terminatorOf(machine)
  for (const [index, file] of terminator.keyFiles(machine).entries())
    replace(file, toLayout(keys[index] as TicketKey, 'nginx-80'))
  const [command = '', ...words] = (terminator.settings(machine).NGINX_RELOAD ?? '').split(' ')
  await run(command, words, { env: { PATH: `${process.env.PATH}:/usr/sbin` } })
}

/** HAProxy Enterprise's: a key is appended to a file on a web server, and each machine polls it at a phase of its own. */
export async function polled({ fleet, ring, durations, scope }: WayParts): Promise<Way> {
  const lines = keysOf(ring).map(lineOf)
  const server = createServer((_, response) => response.end(`${lines.join('\n')}\n`))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  scope.defer(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`
  const over = new AbortController()
  let outage: Outage
  const isAway = (machine: Machine) => outage?.machine === machine && Date.now() < outage.until
  let trouble: unknown
  const poll = async (machine: Machine, index: number) => {
    const first = Date.now() + (durations.poll * index) / fleet.machines.length
    let seen = lines.at(-1)
    for (let turn = 0; !over.signal.aborted; turn += 1) {
      await until(first + turn * durations.poll)
      if (!isAway(machine)) seen = await takeOver(machine, url, seen)
    }
  }
  const pollers = fleet.machines.map((machine, index) =>
    poll(machine, index).catch((error: unknown) => {
      trouble ??= error
    }),
  )
  scope.defer(async () => {
    over.abort()
    await Promise.all(pollers)
  })
  return {
    async rotate(next) {
      if (trouble !== undefined) throw trouble
      outage = next
      lines.push(lineOf(TicketKey.draw(randomBytes)))
    },
  }
}

/** Writes the file for a reload to read, then pushes what is new: the last three lines count, the last but one encrypts. */
async function takeOver(
  machine: Machine,
  url: string,
  seen: string | undefined,
): Promise<string | undefined> {
  const last = (await (await fetch(url)).text()).trim().split('\n').slice(-3)
  const fresh = last.slice(last.indexOf(seen ?? '') + 1)
  if (fresh.length === 0) return seen
  const [file = ''] = terminatorOf(machine).keyFiles(machine)
  replace(file, `${last.join('\n')}\n`)
  const socket = terminatorOf(machine).settings(machine).HAPROXY_SOCKET ?? ''
  for (const line of fresh) {
    const answer = await ask(socket, `set ssl tls-key ${file} ${line}`)
    if (!answer.startsWith('TLS ticket key updated!')) throw new Error(`HAProxy answered: ${answer.trim()}`)
  }
  return last.at(-1)
}

function lineOf(key: TicketKey): string {
  return toLayout(key, 'haproxy-80').toString('base64')
}

/** As one step, so that no reload reads half a file. */
function replace(file: string, content: string | Uint8Array): void {
  writeFileSync(`${file}.new`, content, { mode: 0o400 })
  renameSync(`${file}.new`, file)
}

/** From a roll's beginning to the turn of one machine, the first at once and the last at its end. */
function delay(roll: number, index: number, machines: number): number {
  return machines < 2 ? 0 : (roll * index) / (machines - 1)
}

async function until(time: number): Promise<void> {
  await pause(Math.max(0, time - Date.now()))
}
