import { type Bound, explore } from './explorer.ts'
import { judge } from './judge.ts'
import { actorsFor, pairsOf, STATES, scenarioOf } from './scenarios.ts'

const USAGE = `Usage: npm run explore -- [switches]

Explores the schedules of two invocations at once over the in-memory world: every pair from every state, with at most so
many switches between port calls (2 unless told), one stale read and one kill. Exit code 0 only where no fault was found.

  -h, --help  this text`

/** Every pair from every state, two switches, one stale read and one kill among them. */
const BOUND: Bound = { switches: 2, stale: 1, kills: 1, all: 2 }

const [word] = process.argv.slice(2)
if (word === '--help' || word === '-h') {
  console.log(USAGE)
  process.exit(0)
}
const most = Number(word ?? BOUND.all)
let runs = 0
let found = 0
for (const state of STATES) {
  const start = await state.make()
  const began = Date.now()
  const before = runs
  for (const pair of pairsOf(actorsFor(state))) {
    const exploration = await explore(scenarioOf(state, start, pair), { ...BOUND, all: most }, judge)
    runs += exploration.runs
    found += exploration.findings.length
    for (const { scenario, problem, schedule } of exploration.findings)
      console.log(`${scenario}\n  ${problem}\n  ${schedule}`)
  }
  console.log(`${state.name} (${state.trigger}): ${runs - before} schedules, ${Date.now() - began} ms`)
}
console.log(`${runs} schedules explored, ${found} of them with a fault`)
process.exitCode = found === 0 ? 0 : 1
