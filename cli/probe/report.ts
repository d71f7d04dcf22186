import { counted } from '../../lambda/kernel/count.ts'
import { durationText } from '../../lambda/kernel/durations.ts'
import type { Fact, Facts, Resumption } from './facts.ts'
import type { Finding } from './findings.ts'
import { VERSIONS, type Version } from './handshake.ts'

/** A larger matrix is told in numbers alone. */
const LARGEST_MATRIX = 16
/** Findings of one kind that are told one by one; `--json` has all. */
const MOST_TOLD = 20

/** What a person reads: listeners, matrix, findings, and the verdict in the last line. */
export function reportOf(facts: Facts, findings: readonly Finding[]): string {
  const parts = [listenersOf(facts), ...VERSIONS.map((version) => matrixOf(facts, version)), told(findings)]
  return [...parts.filter((part) => part !== ''), verdictOf(facts, findings)].join('\n\n')
}

/** Whether anything could be looked at. */
export function isAnswered({ listeners }: Facts): boolean {
  return listeners.some(({ state }) => state !== 'unreachable' && state !== 'version-off')
}

function listenersOf({ listeners }: Facts): string {
  const names = [...new Set(listeners.map(({ listener }) => listener))]
  const rows = names.map((name, at) => [
    `${at + 1}`,
    name,
    ...VERSIONS.map((version) =>
      cellOf(listeners.find((each) => each.listener === name && each.version === version)),
    ),
  ])
  return table([['', 'listener', ...VERSIONS], ...rows])
}

function cellOf(fact: Fact | undefined): string {
  switch (fact?.state) {
    case 'tickets': {
      const name = fact.keyName === null ? 'no key name' : `${fact.keyName.slice(0, 8)}…`
      return fact.lifetime === null || fact.lifetime === 0 ? name : `${name} ${durationText(fact.lifetime)}`
    }
    case 'no-tickets':
      return 'no tickets'
    case 'guarded':
      return 'wants a certificate'
    case 'version-off':
      return 'not spoken'
    default:
      return 'no answer'
  }
}

function matrixOf({ listeners, resumptions }: Facts, version: Version): string {
  const tried = resumptions.filter((each) => each.version === version)
  if (tried.length === 0) return ''
  const reused = tried.filter(({ outcome }) => outcome === 'reused').length
  const head = `${version}: ${reused} of ${counted(tried.length, 'ticket')} resumed`
  const names = [...new Set(listeners.map(({ listener }) => listener))]
  if (names.length > LARGEST_MATRIX) return head
  const rows = names
    .filter((from) => tried.some((each) => each.from === from))
    .map((from) => [`of ${names.indexOf(from) + 1}`, ...names.map((to) => mark(tried, from, to))])
  return `${head} (row: whose ticket, column: where; + resumed, - full handshake, x refused, ! no answer)\n${table(
    [['', ...names.map((_, at) => `${at + 1}`)], ...rows],
  )}`
}

const MARKS: Readonly<Record<Resumption['outcome'], string>> = {
  reused: '+',
  full: '-',
  refused: 'x',
  failed: '!',
}

function mark(tried: readonly Resumption[], from: string, to: string): string {
  const found = tried.find((each) => each.from === from && each.to === to)
  return found === undefined ? ' ' : MARKS[found.outcome]
}

/** The fix once for all that need the same. */
function told(findings: readonly Finding[]): string {
  const groups = grouped(findings)
  return [...groups.values()].map(groupText).join('\n\n')
}

function grouped(findings: readonly Finding[]): Map<string, Finding[]> {
  const groups = new Map<string, Finding[]>()
  for (const each of findings) {
    const key = `${each.code} ${each.fix}`
    groups.set(key, [...(groups.get(key) ?? []), each])
  }
  return groups
}

function groupText(group: readonly Finding[]): string {
  const [first] = group
  const lines = group.slice(0, MOST_TOLD).map(({ code, detail }) => `${code}: ${detail}`)
  const more = group.length - lines.length
  return [...lines, ...(more > 0 ? [`and ${more} more`] : []), `  ${first?.fix}.`].join('\n')
}

function verdictOf(facts: Facts, findings: readonly Finding[]): string {
  const listeners = counted(new Set(facts.listeners.map(({ listener }) => listener)).size, 'listener')
  if (!isAnswered(facts)) return `CANNOT TELL: no TLS from ${listeners}`
  const { resumptions } = facts
  const reused = resumptions.filter(({ outcome }) => outcome === 'reused').length
  const tickets = `${reused} of ${counted(resumptions.length, 'ticket')} resumed`
  if (findings.length === 0) return `OK: ${listeners}, ${tickets}`
  const codes = [...new Set(findings.map(({ code }) => code))]
  const counts = codes.map((code) => `${findings.filter((each) => each.code === code).length} ${code}`)
  return `NOT OK: ${listeners}, ${tickets}; ${counts.join(', ')}`
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => (row[at] ?? '').length)))
  return rows
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
