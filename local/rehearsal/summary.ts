import type { Result } from './judge.ts'
import { type Pace, paceInWords } from './pace.ts'
import { deliveryShare } from './tally.ts'
import { TLS_VERSIONS } from './tls-client.ts'
import { percent } from './verdict.ts'

/** The last lines: what was tried, what came of it, and what it was tried under. */
export function summaryOf(result: Result, pace: Pace): string {
  const { report, problems } = result
  return [
    '',
    ...headline(result),
    ...hostLines(result),
    ...resumptionLines(result),
    ...proofLines(result),
    `AWS calls by the functions: ${callsInWords(report.apiCalls)}`,
    `Durations shortened for the show, by one override: ${paceInWords(pace, configuredOf(result))}`,
    '',
    report.ok
      ? 'OK: nothing was lost, nothing retired was accepted, no key byte was found.'
      : failureOf(result, problems),
  ].join('\n')
}

function headline({ report }: Result): readonly string[] {
  return [`${report.rotations} rotations, generation ${report.generation}, ${report.hosts.length} machines:`]
}

function hostLines({ report, stage }: Result): readonly string[] {
  return report.hosts.map(({ id, server, address, generation, encryptsWith }) => {
    const machine = stage.machines.find((each) => each.id === id)
    const behind = machine?.proxyProtocol
      ? `behind PROXY protocol at ${machine.publicPort}, proved at `
      : 'at '
    return `  ${id} ${server.padEnd(7)} generation ${generation}, encrypts with ${encryptsWith || 'no known key'}, ${behind}${address}`
  })
}

function resumptionLines({ report, tally }: Result): readonly string[] {
  const rows = TLS_VERSIONS.map((version) => {
    const { tried, reused, lost, failed } = report.resumption[version]
    return `  ${version}  tried ${tried}, reused ${reused}, lost ${lost}, connections failed ${failed}`
  })
  const moments = Object.entries(tally.moments).map(([moment, count]) => `${count} ${moment}`)
  const { crossKind, retired } = tally
  return [
    `Resumptions over ${Object.keys(tally.pairs).length} pairs of machine, machine and TLS version:`,
    ...rows,
    `  when: ${moments.join(', ')} (${percent(deliveryShare(tally))} during a delivery)`,
    `Retired tickets: ${retired.tried} tried, ${retired.accepted} accepted`,
    `Between HAProxy and nginx: ${crossKind.tried} tried, ${crossKind.reused} reused (not expected: each puts another session-id context into its tickets)`,
  ]
}

function proofLines({ findings, execs }: Result): readonly string[] {
  return [
    `Key bytes: ${findings.length} places (command history, outputs, logs, function environments, ${execs} traced execs, files)`,
  ]
}

function callsInWords(calls: Readonly<Record<string, number>>): string {
  return Object.entries(calls)
    .map(([operation, count]) => `${operation} ${count}`)
    .join(', ')
}

function configuredOf({ stage }: Result) {
  return stage.override.configured.get(stage.ring.functionName)
}

function failureOf({ incidents, stage }: Result, problems: readonly string[]): string {
  const shown = incidents.slice(0, 5).map((incident) => `  ${incident}`)
  const more = incidents.length > 5 ? [`  and ${incidents.length - 5} more like these`] : []
  return [
    'NOT OK:',
    ...problems.map((problem) => `  ${problem}`),
    ...(shown.length === 0 ? [] : ['What the clients saw:', ...shown, ...more]),
    `Logs, configurations and script outputs: ${stage.workspace.disk}`,
    "Look at the machine's orchestration folder and server log there first, then run it again.",
  ].join('\n')
}
