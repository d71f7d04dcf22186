import { counted } from '../../lambda/kernel/count.ts'
import { durationText } from '../../lambda/kernel/durations.ts'
import type { Targets } from '../aws/run-command.ts'
import type { ExitCode } from '../command.ts'
import { indented, readable } from '../wrapped-text.ts'
import type { Facts, Look } from './look.ts'
import { FOUND_BESIDE, remedyFor } from './remedies.ts'
import { type Row, rowsText } from './rows.ts'

const GUIDE = 'docs/first-machine.md'

/** 0 all could take the ring; 1 something is in the way; 2 of none, or of one, it cannot be told and nothing else is in the way. */
export function exitCodeOf(looks: readonly Look[]): ExitCode {
  if (looks.some(({ answered, problems }) => answered && problems.length > 0)) return 1
  return looks.length > 0 && looks.every(({ answered }) => answered) ? 0 : 2
}

export interface Telling {
  /** Of the terminal, where it is one. */
  readonly columns?: number | undefined
  /** What asks the same once more. */
  readonly again: string
  readonly targets?: Targets | undefined
}

/** How it stands, each problem of each machine, the others, what to do about each problem, and what to type next. */
export function preflightText(
  ring: string,
  looks: readonly Look[],
  { columns, again, targets }: Telling,
): string {
  if (looks.length === 0) return withoutMachines(ring, targets, again)
  const rows = rowsOf(looks)
  const remedies = [...new Set(rows.map(({ problem }) => problem))].flatMap((code) => remedyOf(code, columns))
  return [
    readable({ columns }, headOf(ring, looks)),
    '',
    rowsText(rows, columns),
    ...(remedies.length === 0 ? [] : ['', 'What to do:', ...remedies]),
    '',
    readable({ columns }, nextOf(ring, looks, again)),
  ].join('\n')
}

function headOf(ring: string, looks: readonly Look[]): string {
  const clear = looks.filter(({ answered, problems }) => answered && problems.length === 0).length
  const unheard = looks.filter(({ answered }) => !answered).length
  const inTheWay = looks.length - clear - unheard
  return [
    `${ring}: ${clear} of ${counted(looks.length, 'machine')} could take the ring as they are`,
    ...(inTheWay > 0 ? [`something is to be done on ${inTheWay}`] : []),
    ...(unheard > 0 ? [`of ${unheard} it cannot be told`] : []),
  ].join(', ')
}

/** What stops a run first, by code; then what is found besides, who was not heard, and who has nothing in the way. */
function rowsOf(looks: readonly Look[]): readonly Row[] {
  const problems = looks.flatMap((look) =>
    look.problems.map(({ code, detail }) => ({
      rank: rankOf(look, code),
      row: { problem: code, machine: who(look), found: detail },
    })),
  )
  const order = [...new Set(problems.map(({ row }) => row.problem))]
  const sorted = problems.toSorted(
    (one, other) =>
      one.rank - other.rank || order.indexOf(one.row.problem) - order.indexOf(other.row.problem),
  )
  const clear = looks.filter((look) => look.answered && look.problems.length === 0)
  return [
    ...sorted.map(({ row }) => row),
    ...clear.map((look) => ({ problem: NONE, machine: who(look), found: factsText(look.facts) })),
  ]
}

const NONE = 'none'

function rankOf({ answered }: Look, code: string): number {
  if (!answered) return 2
  return Object.hasOwn(FOUND_BESIDE, code) ? 1 : 0
}

function who({ instance, name }: Look): string {
  return name === undefined ? instance : `${instance} (${name})`
}

function factsText({
  server,
  serverVersion,
  generation,
  open,
  guarded,
  lifetime,
  clock,
  python,
  openssl,
}: Facts): string {
  return [
    ...(server ? [`${server}${serverVersion === undefined ? '' : ` ${serverVersion}`}`] : []),
    ...(generation === undefined ? [] : [`reads generation ${generation}`]),
    ...(open === undefined ? [] : [`${counted(open, 'open listener')}`]),
    ...(guarded ? [`${guarded} guarded`] : []),
    ...(lifetime ? [`tickets of ${durationText(lifetime)}`] : []),
    ...(clock === undefined || clock === 0 ? [] : [`clock ${clock > 0 ? '+' : ''}${clock} s`]),
    ...(openssl === undefined ? [] : [`OpenSSL ${openssl}`]),
    ...(python === undefined ? [] : [`Python ${python}`]),
  ].join(', ')
}

function remedyOf(code: string, columns: number | undefined): readonly string[] {
  const remedy = remedyFor(code)
  return remedy === undefined ? [] : [`  ${code}:`, ...indented(remedy, columns, '    ')]
}

function withoutMachines(ring: string, targets: Targets | undefined, again: string): string {
  const tag = targets === undefined ? '' : ` ${targets.tag}=${targets.values.join(',')}`
  return [
    `${ring}: no machine under Systems Manager has its tag${tag}`,
    `next: give it to one machine, then ${again}   (${GUIDE})`,
  ].join('\n')
}

function nextOf(ring: string, looks: readonly Look[], again: string): string {
  return exitCodeOf(looks) === 0
    ? `next: ticketring deliver ${ring}, then ticketring status ${ring}   (${GUIDE})`
    : `next: mend what is named, then ${again}   (${GUIDE})`
}
