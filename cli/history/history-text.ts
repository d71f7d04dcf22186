import { counted } from '../../lambda/kernel/count.ts'
import type { Generation, Tenure } from './history.ts'

/** Who encrypted with which key from when to when: the newest first, in lines that fit 60 columns. */
export function historyText(
  ring: string,
  generations: readonly Generation[],
  missing: readonly number[],
): string {
  if (generations.length === 0) return `${ring}: nothing in the log in that time`
  const told = generations.toReversed().flatMap(linesOf)
  const gaps = missing.length === 0 ? [] : [`NOT IN THE LOG: generation ${missing.join(', ')}`]
  return [`${ring}: ${counted(generations.length, 'generation')}, the newest first`, ...told, ...gaps].join(
    '\n',
  )
}

/** One machine's keys: the newest first. */
export function machineText(instance: string, generations: readonly Generation[]): string {
  const told = generations.toReversed().flatMap(({ generation, encryptsWith, machines }) => {
    const tenure = machines.find((each) => each.instance === instance)
    return tenure === undefined ? [] : [`generation ${generation}  ${encryptsWith}`, `  ${spanOf(tenure)}`]
  })
  return told.length === 0 ? `${instance} told nothing in that time` : [instance, ...told].join('\n')
}

function linesOf(each: Generation): readonly string[] {
  const { generation, encryptsWith, machines } = each
  return [
    `generation ${generation}  ${encryptsWith}`,
    `  ${madeBy(each)}`,
    ...(each.asked?.reason === undefined ? [] : [`  reason: ${each.asked.reason}`]),
    `  ${provedBy(each)}`,
    ...(machines.length === 0
      ? []
      : [`  ${counted(machines.length, 'machine')}: ${spanOf(wholeOf(machines))}`]),
  ]
}

function madeBy({ committedAt, origin, forced, asked }: Generation): string {
  if (committedAt === undefined) return 'made before what was read'
  const by = asked === undefined ? '' : ` by ${asked.callerSays ?? asked.caller}`
  const how = origin === 'revoke' ? 'REVOKED' : forced ? 'FORCED, though machines were missing,' : 'made'
  return `${how} at ${committedAt}${by}`
}

function provedBy({ converged }: Generation): string {
  if (converged === undefined) return 'not proved by all that were waited for'
  const { at, confirmed, members } = converged
  if (members === 0) return `no machine was there to prove it at ${at}`
  return `proved by ${confirmed} of ${members} at ${at}`
}

/** From the first that began to the last that changed. */
function wholeOf(machines: readonly Tenure[]): Omit<Tenure, 'instance'> {
  const from = machines.map((each) => each.from).sort()[0] ?? ''
  const ends = machines.map(({ to }) => to)
  const last = ends.includes(undefined) ? undefined : ends.sort().at(-1)
  return { from, ...(last === undefined ? {} : { to: last }) }
}

function spanOf({ from, to }: Omit<Tenure, 'instance'>): string {
  return to === undefined ? `since ${from}` : `${from} to ${to}`
}
