import { counted } from '../../../lambda/kernel/count.ts'
import { deliveryShare, type StapleCounts, stapleTotalOf, totalOf } from '../clients/tally.ts'
import { TLS_VERSIONS } from '../clients/tls-client.ts'
import { SCENES } from '../scenes/scenes.ts'
import { revocationInWords } from '../show/revocation.ts'
import { STAPLE_OUTCOMES } from '../staples/observed-staple.ts'
import { ALLOWED } from '../staples/staple-set.ts'
import { stapleTimingInWords, timingInWords } from '../timing.ts'
import type { Result } from './judge.ts'
import { percent } from './problems.ts'

/** The last lines: what was tried, what came of it, and what it was tried under. */
export function summaryOf(result: Result): string {
  const { report } = result
  const { timing } = result.testbed
  return [
    '',
    ...headline(result),
    ...hostLines(result),
    ...resumptionLines(result),
    ...sceneLines(result),
    ...shownLines(result),
    ...proofLines(result),
    ...theftLines(result),
    ...stapleLines(result),
    `AWS calls by the rotation function: ${callsInWords(report.apiCalls)}`,
    `AWS calls by the staple function: ${callsInWords(result.testbed.aws.apiCalls(result.testbed.set.functionName))}`,
    `Durations shortened for the rehearsal, by one override: ${timingInWords(timing, configuredOf(result))}; staples: ${stapleTimingOf(result)}`,
    '',
    ...(report.ok ? [] : failureLines(result)),
    `${report.ok ? 'OK' : 'NOT OK'}: ${numbersOf(result)}`,
  ].join('\n')
}

function headline({ report }: Result): readonly string[] {
  const { rotations, generation, hosts } = report
  return [`${counted(rotations, 'rotation')}, generation ${generation}, ${counted(hosts.length, 'machine')}:`]
}

function hostLines({ report, testbed }: Result): readonly string[] {
  return report.hosts.map(({ id, server, address, generation, encryptsWith }) => {
    const machine = testbed.all.find((each) => each.id === id)
    const behind =
      machine?.proxyProtocol && machine.publicPort !== machine.plainPort
        ? `behind PROXY protocol at ${machine.publicPort}, proved at `
        : 'at '
    return `  ${id} ${server.padEnd(13)} generation ${generation}, encrypts with ${encryptsWith || 'no known key'}, ${behind}${address}`
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
    ...(crossKind.tried === 0
      ? []
      : [
          `Between kinds of server: ${crossKind.tried} tried, ${crossKind.reused} reused (not expected: each puts its own session-id context into its tickets; h2o and dnsdist put none, and take each other's)`,
        ]),
  ]
}

/** What the clients were given in each part of the scenario, and what the function said of it. */
function stapleLines({ staples, said, testbed }: Result): readonly string[] {
  if (testbed.stapled.length === 0)
    return ['OCSP staples: none, since no machine of this fleet takes any that are delivered']
  const { certificates } = testbed.pki
  const total = stapleTotalOf(staples)
  const choices = certificates.slice(1).map(({ name, revoked }) => `${name} to ${revoked}`)
  const parts = Object.entries(staples.phases).flatMap(([part, { certificates: seen }]) => [
    `  ${part}: ${certificates
      .flatMap(({ name }) => (seen[name] === undefined ? [] : `${name} ${countsInWords(seen[name])}`))
      .join('; ')}`,
    ...said
      .filter(({ when }) => when === part)
      .map(({ words }) => `    the function, asked by hand: ${words.join('; ')}`),
  ])
  return [
    `OCSP staples: ${total.asked} asked for, ${total.good} good, ${total.missing} missing, ${total.expired} expired, ${total.revoked} revoked`,
    ...parts,
    `  The responder is openssl's, at ${testbed.responder.url}; the set's "allow" lists ${ALLOWED.join(', ')} for that.`,
    `  Once revoked, the owner wants ${choices.join(' and ')}: what is missing was withheld.`,
  ]
}

function countsInWords(counts: StapleCounts): string {
  return STAPLE_OUTCOMES.filter((outcome) => counts[outcome] > 0)
    .map((outcome) => `${counts[outcome]} ${outcome}`)
    .join(', ')
}

function stapleTimingOf({ testbed }: Result): string {
  return stapleTimingInWords(testbed.override.configuredStaples.get(testbed.set.functionName)?.timing)
}

/** What befell the fleet, and what it cost: what is named here is in none of the other counts. */
function sceneLines({ report: { scene } }: Result): readonly string[] {
  if (scene === undefined) return []
  const costs = Object.entries(scene.expected).map(([reason, { lost, failed }]) => {
    const connections = failed === 0 ? '' : ` and ${counted(failed, 'connection')} broken`
    return `  expected: ${counted(lost, 'session')} lost${connections}, since ${reason}`
  })
  return [
    `Scene ${scene.name}: ${SCENES[scene.name].shows}`,
    ...scene.told.map((sentence) => `  ${sentence}`),
    ...(costs.length === 0 ? ['  expected losses: none'] : costs),
  ]
}

/** Where nothing else was asked of the run. */
function shownLines({ report: { shown } }: Result): readonly string[] {
  if (shown === undefined) return []
  const { straggler, revoke } = shown
  return [
    ...straggler.map((sentence) => `Straggler: ${sentence}`),
    ...(revoke === undefined ? [] : [`Revoke, after all that: ${revocationInWords(revoke)}`]),
  ]
}

function proofLines({ findings, execs }: Result): readonly string[] {
  return [
    `Key bytes: ${counted(findings.length, 'place')} (command history, outputs, logs, function environments, ${execs} traced execs, files)`,
  ]
}

function theftLines({ report, theft }: Result): readonly string[] {
  if (theft === undefined) return []
  const { opened, tried, oldest, window, outside } = theft
  const since = oldest === undefined ? '' : `, the oldest given at ${oldest}`
  return [
    `Exposure: a thief of generation ${report.generation} opens ${opened} of ${counted(tried, 'ticket')}${since}; status says sessions from ${window.readsFrom}: ${outside} outside`,
  ]
}

function callsInWords(calls: Readonly<Record<string, number>>): string {
  return Object.entries(calls)
    .map(([operation, count]) => `${operation} ${count}`)
    .join(', ')
}

function configuredOf({ testbed }: Result) {
  return testbed.override.configured.get(testbed.ring.functionName)
}

/** The last line: what was tried and what came of it, in numbers. */
export function numbersOf({
  tally,
  staples,
  findings,
}: Pick<Result, 'tally' | 'staples' | 'findings'>): string {
  const { tried, lost, failed } = totalOf(tally)
  const { retired } = tally
  const unexpected = Object.values(staples.phases).reduce((sum, phase) => sum + phase.unexpected, 0)
  return [
    `${counted(tried, 'resumption')}, ${lost} lost${failed === 0 ? '' : `, ${counted(failed, 'connection')} failed`}`,
    `${retired.accepted} of ${counted(retired.tried, 'retired ticket')} accepted`,
    `key bytes in ${counted(findings.length, 'place')}`,
    `${unexpected} of ${counted(stapleTotalOf(staples).asked, 'staple')} not as expected`,
  ].join(', ')
}

function failureLines({ incidents, problems, testbed }: Result): readonly string[] {
  const shown = incidents.examples.slice(0, 5).map((incident) => `  ${incident}`)
  const more = incidents.total > 5 ? [`  and ${incidents.total - 5} more like these`] : []
  return [
    'What is wrong:',
    ...problems.map((problem) => `  ${problem}`),
    ...(shown.length === 0 ? [] : ['What the clients saw:', ...shown, ...more]),
    `Logs, configurations and script outputs: ${testbed.workspace.disk}`,
    "Look at the machine's orchestration folder and server log there first, then run it again.",
  ]
}
