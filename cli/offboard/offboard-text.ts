import { namesKeys } from '../../infra/servers/servers.ts'
import { counted } from '../../lambda/kernel/count.ts'
import type { ExitCode } from '../command.ts'
import type { Outcome } from './outcome.ts'

/** A machine, and what it said. */
export interface Told {
  readonly id: string
  readonly name?: string | undefined
  readonly outcome: Outcome
}

const GUIDE = 'docs/operations.md#to-leave'
const LEFT = new Set<Outcome['kind']>(['clear', 'removed'])

/** 0 every machine is clear, or has nothing left; 1 one is not; 2 one cannot be told. */
export function exitCodeOf(told: readonly Told[]): ExitCode {
  const kinds = new Set(told.map(({ outcome }) => outcome.kind))
  if (told.length === 0 || kinds.has('offline') || kinds.has('unanswered')) return 2
  return kinds.has('named') || kinds.has('failed') ? 1 : 0
}

/**
 * Machine by machine, those with something to do there first; then what to take out, and what to type next.
 * @param servers kinds that the ring names
 */
export function offboardText(
  ring: string,
  told: readonly Told[],
  servers: readonly string[],
  isRemoval: boolean,
): string {
  const done = told.filter(({ outcome }) => LEFT.has(outcome.kind))
  const open = told.filter(({ outcome }) => !LEFT.has(outcome.kind))
  return [
    headOf(ring, told.length, done.length, isRemoval),
    ...open.flatMap(linesOf),
    ...(isRemoval ? done.flatMap(linesOf) : []),
    ...(told.some(({ outcome }) => outcome.kind === 'named') ? takenOut(servers) : []),
    nextOf(ring, told, open.length, isRemoval),
  ].join('\n')
}

function headOf(ring: string, all: number, done: number, isRemoval: boolean): string {
  if (all === 0) return `${ring}: no machine has its tag`
  return isRemoval
    ? `${ring}: taken off ${done} of ${counted(all, 'machine')}`
    : `${ring}: ${done} of ${counted(all, 'machine')} name none of its files any more`
}

function linesOf({ id, name, outcome }: Told): readonly string[] {
  const [first, ...more] = wordsOf(outcome)
  return [`  ${id}${name === undefined ? '' : ` (${name})`}  ${first}`, ...more.map((each) => `    ${each}`)]
}

function wordsOf(outcome: Outcome): readonly string[] {
  switch (outcome.kind) {
    case 'named':
      return ['still names its files:', ...outcome.lines, ...andMore(outcome.more, 'line')]
    case 'clear':
      return ['names none of its files']
    case 'removed':
      return [
        outcome.files.length === 0 ? 'had nothing left' : 'removed:',
        ...outcome.files,
        ...andMore(outcome.more, 'file'),
      ]
    case 'failed':
      return [
        `removed nothing: ${outcome.error}${outcome.detail === '' ? '' : `: ${outcome.detail}`}`,
        `docs/errors.md#${outcome.error}`,
      ]
    case 'offline':
      return ['offline: Systems Manager has lost it, so it was not asked', 'bring it back, or terminate it']
    case 'unanswered':
      return [`did not answer (${outcome.status})`, 'run it again; look there at the SSM agent']
  }
}

function andMore(more: number, noun: string): readonly string[] {
  return more > 0 ? [`and ${counted(more, noun)} more`] : []
}

function takenOut(servers: readonly string[]): readonly string[] {
  const kinds = servers.flatMap((kind) => {
    const lines = namesKeys(kind)
    return lines === undefined ? [] : [`    ${kind}: ${lines}`]
  })
  return ['  take these out, then reload or restart the server:', ...kinds]
}

function nextOf(ring: string, told: readonly Told[], open: number, isRemoval: boolean): string {
  if (told.length === 0)
    return `  next: see that they did not lose it while files are left there; else delete the ring, and deploy   (${GUIDE})`
  if (open > 0)
    return `  next: mend what is named, then ticketring offboard ${ring}${isRemoval ? ' --remove' : ''}   (${GUIDE})`
  return isRemoval
    ? `  next: delete the ring from the configuration, and deploy   (${GUIDE})`
    : `  next: ticketring offboard ${ring} --remove   (${GUIDE})`
}
