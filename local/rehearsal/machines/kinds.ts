import { dnsdist } from './dnsdist.ts'
import { h2o } from './h2o.ts'
import { haproxy } from './haproxy.ts'
import { lighttpd } from './lighttpd.ts'
import type { Machine, Terminator } from './machine.ts'
import { nginx } from './nginx.ts'
import { trafficserver } from './trafficserver.ts'

/** The kinds of terminator that a fleet may have: one file of this folder each, and a line here. */
export const TERMINATORS = {
  haproxy,
  nginx,
  trafficserver,
  h2o,
  dnsdist,
  lighttpd,
} as const satisfies Readonly<Record<string, Terminator>>
export type Kind = keyof typeof TERMINATORS
export const KINDS = Object.keys(TERMINATORS) as readonly Kind[]

/** Machines of each kind. */
export type Fleet = Readonly<Partial<Record<Kind, number>>>

/** The kinds of which there is a machine, in the table's order. */
export function kindsOf(fleet: Fleet): readonly Kind[] {
  return KINDS.filter((kind) => (fleet[kind] ?? 0) > 0)
}

/** How many machines of these kinds there are; of all, where none are named. */
export function sizeOf(fleet: Fleet, kinds: readonly Kind[] = KINDS): number {
  return kinds.reduce((sum, kind) => sum + (fleet[kind] ?? 0), 0)
}

export function terminatorOf({ server, own }: Pick<Machine, 'server' | 'own'>): Terminator {
  return own?.terminator ?? TERMINATORS[server]
}

/** Whether it staples what a set delivers. */
export function takesStaples(machine: Pick<Machine, 'server' | 'own'>): boolean {
  return terminatorOf(machine).stapleSettings !== undefined
}

/** Whether machines of this kind staple what a set delivers. */
export function isStapled(kind: Kind): boolean {
  const terminator: Terminator = TERMINATORS[kind]
  return terminator.stapleSettings !== undefined
}
