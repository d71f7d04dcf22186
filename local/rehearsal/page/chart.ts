import type { MachineHistory, RunHistory, Span } from './history.ts'
import { html, type Markup } from './markup.ts'

/** Hues of generations, which come again after as many. */
const HUES = 6

/** One row of the chart: what it is called, its marks, and the same in words for who cannot see them. */
interface Row {
  readonly name: Markup
  readonly marks: readonly Markup[]
  readonly words: string
  readonly height?: number
}

/** Machines and gate over time, each row with its own words: a table to whatever reads it aloud. */
export function chartOf(history: RunHistory): Markup {
  const scale = scaleOf(history)
  const rows = [
    ringRow(history, scale),
    gateRow(history, scale),
    ...history.machines.map((machine) => machineRow(machine, scale)),
    stapleRow(history, scale),
    clientRow(history, scale),
    axisRow(history, scale),
  ]
  return html`<table class="chart"><caption>Which generation each machine encrypted with, over time</caption><tbody>
${rows.map(
  ({ name, marks, words, height = 26 }) =>
    html`<tr><th scope="row">${name}</th><td><svg aria-hidden="true" width="100%" height="${height}">${marks}</svg><span class="words">${words}</span></td></tr>
`,
)}</tbody></table>`
}

interface Scale {
  /** Seconds since the run began. */
  second(at: number): number
  /** Place of a moment, and the width of a span, in percent. */
  x(at: number): string
  width(span: Span): string
}

function scaleOf({ from, to }: Span): Scale {
  const share = (ms: number) => (100 * ms) / Math.max(1, to - from)
  const within = (at: number) => Math.min(to, Math.max(from, at))
  return {
    second: (at) => Math.round((at - from) / 1000),
    x: (at) => `${share(within(at) - from).toFixed(2)}%`,
    width: (span) => `${share(within(span.to) - within(span.from)).toFixed(2)}%`,
  }
}

function ringRow({ commits, ring }: RunHistory, { x, second }: Scale): Row {
  return {
    name: html`ring ${ring}<small>generation committed</small>`,
    marks: commits.map(
      ({ at, generation }) =>
        html`<circle class="g${generation % HUES}" cx="${x(at)}" cy="13" r="9"/><text class="on" x="${x(at)}" y="17" text-anchor="middle">${generation}</text>`,
    ),
    words: commits.map(({ at, generation }) => `generation ${generation} at ${second(at)} s`).join(', '),
  }
}

function gateRow({ holds }: RunHistory, { x, width, second }: Scale): Row {
  return {
    name: html`gate<small>next generation held</small>`,
    marks: holds.map(
      (hold) =>
        html`<rect class="held" x="${x(hold.from)}" y="5" width="${width(hold)}" height="16" rx="3"><title>${hold.reason}</title></rect>`,
    ),
    words:
      holds.length === 0
        ? 'held nothing'
        : holds
            .map(({ from, to, reason }) => `held from ${second(from)} s to ${second(to)} s: ${reason}`)
            .join('; '),
  }
}

function machineRow({ id, server, generations, runs }: MachineHistory, { x, width, second }: Scale): Row {
  return {
    name: html`${server}<small>${id}</small>`,
    height: 34,
    marks: [
      ...generations.map(
        (span) =>
          html`<rect class="g${span.generation % HUES}" x="${x(span.from)}" y="2" width="${width(span)}" height="20"><title>generation ${span.generation} from ${second(span.from)} s</title></rect><text class="on" x="${x(span.from)}" dx="5" y="16">${span.generation}</text>`,
      ),
      ...runs.map(
        (span) =>
          html`<rect class="${span.isGood ? 'run' : 'run failed'}" x="${x(span.from)}" y="26" width="${width(span)}" height="5"/>`,
      ),
    ],
    words: generations
      .map(({ generation, from, to }) => `generation ${generation} from ${second(from)} s to ${second(to)} s`)
      .concat(`${runs.length} runs, ${runs.filter(({ isGood }) => !isGood).length} failed`)
      .join(', '),
  }
}

/** What befell the staples, as it was said. */
function stapleRow({ said }: RunHistory, { x, second }: Scale): Row {
  const notes = said.filter(({ line }) => line.startsWith('staples: '))
  return {
    name: html`staples<small>what befell them</small>`,
    marks: notes.map(
      ({ at, line }) =>
        html`<circle class="note" cx="${x(at)}" cy="13" r="6"><title>${line}</title></circle>`,
    ),
    words:
      notes.map(({ at, line }) => `at ${second(at)} s ${line.replace('staples: ', '')}`).join('; ') ||
      'nothing',
  }
}

/** Tries a second, as high as the most; what was lost or failed in red over the whole height. */
function clientRow({ samples }: RunHistory, { x, width }: Scale): Row {
  const pairs = samples.slice(1).map((sample, at) => {
    const before = samples[at] as typeof sample
    const span = { from: before.at, to: sample.at }
    return {
      span,
      rate: (sample.tried - before.tried) / (sample.at - before.at),
      bad: sample.bad - before.bad,
    }
  })
  const most = Math.max(...pairs.map(({ rate }) => rate), 0.001)
  const last = samples.at(-1)
  return {
    name: html`clients<small>resumptions a second</small>`,
    height: 38,
    marks: pairs.map(({ span, rate, bad }) => {
      const height = bad > 0 ? 34 : Math.round((34 * rate) / most)
      return html`<rect class="${bad > 0 ? 'lost' : 'tried'}" x="${x(span.from)}" y="${36 - height}" width="${width(span)}" height="${height}"/>`
    }),
    words: `${last?.tried ?? 0} resumptions tried, ${last?.bad ?? 0} lost or failed, at most ${Math.round(most * 1000)} a second`,
  }
}

function axisRow({ from, to }: RunHistory, { x }: Scale): Row {
  const step = [10, 20, 60, 120, 300, 600, 3600].find((seconds) => (to - from) / 1000 / seconds <= 8) ?? 7200
  const anchorOf = (tick: number) =>
    tick === 0 ? 'start' : (to - from) / 1000 - tick < step / 4 ? 'end' : 'middle'
  const ticks = Array.from({ length: Math.floor((to - from) / 1000 / step) + 1 }, (_, at) => at * step)
  return {
    name: html`<small>seconds</small>`,
    height: 20,
    marks: ticks.map(
      (tick) =>
        html`<text class="axis" x="${x(from + tick * 1000)}" y="14" text-anchor="${anchorOf(tick)}">${tick}</text>`,
    ),
    words: `from 0 to ${Math.round((to - from) / 1000)} seconds`,
  }
}
