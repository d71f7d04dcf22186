import { createHash } from 'node:crypto'
import { totalOf } from '../clients/tally.ts'
import { TLS_VERSIONS } from '../clients/tls-client.ts'
import type { Result } from '../report/judge.ts'
import { numbersOf } from '../report/summary.ts'
import { chartOf } from './chart.ts'
import type { RunHistory } from './history.ts'
import { html, Markup } from './markup.ts'
import { STYLE } from './style.ts'

/** What of a result its page shows. */
export type Shown = Pick<Result, 'report' | 'problems' | 'tally' | 'staples' | 'findings'>

/**
 * One page that needs nothing else: no script, no font, no picture from anywhere, and a policy under which a browser would
 * not load any.
 */
export function pageOf(result: Shown, history: RunHistory): string {
  const { report } = result
  const hash = createHash('sha256').update(STYLE).digest('base64')
  const policy = `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>ticketring rehearsal: ${report.ok ? 'OK' : 'NOT OK'}</title>
<style>${new Markup(STYLE)}</style></head>
<body><main>
<header><h1>Ticket keys in rehearsal</h1><strong class="${report.ok ? 'verdict good' : 'verdict bad'}">${report.ok ? 'OK' : 'NOT OK'}</strong>
<p>${report.rotations} rotations over ${report.hosts.length} machines, <time>${new Date(history.from).toISOString().replace(/\.\d+Z$/, 'Z')}</time></p></header>
${figures(result)}
${problems(result)}
<section aria-labelledby="time"><h2 id="time">Machines over time</h2>${chartOf(history)}${key()}</section>
${machines(result)}
${resumptions(result)}
${events(history)}
<footer>${numbersOf(result)}. Real servers and TLS clients on one machine, against a loopback AWS made from the synthesised template; durations are shortened for the show.</footer>
</main></body></html>
`.text
}

function figures({ report, tally, staples }: Shown): Markup {
  const { tried, lost, failed } = totalOf(tally)
  const wrong = Object.values(staples.phases).reduce((sum, { unexpected }) => sum + unexpected, 0)
  const revoke = report.shown?.revoke
  const all: readonly (readonly [string, string, boolean])[] = [
    [tried.toLocaleString('en-US'), 'resumptions tried', true],
    [String(lost + failed), 'lost or failed', lost + failed === 0],
    [
      `${report.retired.accepted} of ${report.retired.tried}`,
      'retired tickets accepted',
      report.retired.accepted === 0,
    ],
    [String(report.keyBytesFound), 'places with key bytes', report.keyBytesFound === 0],
    [String(wrong), 'staples not as expected', wrong === 0],
    ...(revoke === undefined
      ? []
      : [
          [
            `${revoke.seconds.toFixed(1)} s`,
            `until ${revoke.refused} refused after a revoke`,
            revoke.stillAccepting.length + revoke.unproven === 0,
          ] as const,
        ]),
  ]
  return html`<ul class="figures">${all.map(([figure, what, isGood]) => html`<li><b class="${isGood ? 'fine' : 'bad'}">${figure}</b><span>${what}</span></li>`)}</ul>`
}

function problems({ problems: all }: Shown): Markup {
  if (all.length === 0) return html``
  return html`<section aria-labelledby="wrong"><h2 id="wrong" class="bad">What is wrong</h2><ul>${all.map((problem) => html`<li>${problem}</li>`)}</ul></section>`
}

function key(): Markup {
  const square = (name: string) =>
    html`<svg aria-hidden="true" width="12" height="12"><rect class="${name}" width="12" height="12"/></svg>`
  return html`<ul class="key"><li>A bar: the generation that the machine has proved</li><li>${square('held')}the gate waits for a machine</li><li>${square('run')}a run of the program</li><li>${square('run failed')}one that failed</li><li>${square('lost')}a resumption lost</li></ul>`
}

function machines({ report: { hosts, staples } }: Shown): Markup {
  return html`<section aria-labelledby="machines"><h2 id="machines">Machines at the end of the rotations</h2><table class="list"><thead><tr><th scope="col">Machine</th><th scope="col">Server</th><th scope="col">Generation</th><th scope="col">Encrypts with</th><th scope="col">Staples good / asked</th></tr></thead><tbody>
${hosts.map(({ id, server, generation, encryptsWith }) => {
  const { good = 0, asked = 0 } = staples[id] ?? {}
  return html`<tr><th scope="row">${id}</th><td data-name="Server">${server}</td><td data-name="Generation">${generation}</td><td data-name="Encrypts with">${encryptsWith.slice(0, 16)}…</td><td data-name="Staples good / asked">${good} / ${asked}</td></tr>
`
})}</tbody></table></section>`
}

function resumptions({ report: { resumption } }: Shown): Markup {
  return html`<section aria-labelledby="clients"><h2 id="clients">Resumptions</h2><table class="list"><thead><tr><th scope="col">Version</th><th scope="col">Tried</th><th scope="col">Reused</th><th scope="col">Lost</th><th scope="col">Failed</th></tr></thead><tbody>
${TLS_VERSIONS.map((version) => {
  const { tried, reused, lost, failed } = resumption[version]
  return html`<tr><th scope="row">${version}</th><td data-name="Tried">${tried}</td><td data-name="Reused">${reused}</td><td data-name="Lost">${lost}</td><td data-name="Failed">${failed}</td></tr>`
})}</tbody></table></section>`
}

function events({ said, from }: RunHistory): Markup {
  return html`<section aria-labelledby="events"><h2 id="events">What happened</h2><ol>
${said.map(
  ({
    at,
    line,
    tone,
  }) => html`<li><time>${((at - from) / 1000).toFixed(1)} s</time><span class="${tone ?? 'plain'}">${line}</span></li>
`,
)}</ol></section>`
}
