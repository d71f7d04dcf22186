import { type Bound, explore } from './explorer.ts'
import { judge } from './judge.ts'
import { actorsFor, pairsOf, STATES, type State, scenarioOf } from './scenarios.ts'

const USAGE = `Usage: npm run explore -- [deviations] [state]

Explores the schedules of two invocations at once over the in-memory world: every pair from every state, with at most so
many deviations (1 or 2; 2 unless told) from one after the other: switches between port calls, a stale read, a kill.
With the beginning of a state's name, from that state alone. Exit code 0 only where all of it was explored and no fault
was found. With 2 it takes half an hour of one processor: progress goes to standard error.

  -h, --help  this text`

/** Switches, a stale read and a kill; how many of these together is the argument. */
const BOUND: Omit<Bound, 'all'> = { switches: 2, stale: 1, kills: 1 }
/** ms from one word on progress to the next. */
const SAYING_EVERY = 10_000

/** What has been explored so far. */
const done = { schedules: 0, faults: 0, states: 0 }

const words = process.argv.slice(2)
if (words.some((word) => word === '--help' || word === '-h')) {
  console.log(USAGE)
  process.exit(0)
}
const [most = '2', beginning = '', ...others] = words
const states = STATES.filter(({ name }) => name.startsWith(beginning))
if (!/^[12]$/.test(most) || states.length === 0 || others.length > 0) {
  const names = [...new Set(STATES.map(({ name }) => name))]
  console.error(`${USAGE}\n\nStates: ${names.join('; ')}`)
  process.exit(2)
}
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)
  process.on(signal, () => end(`ended early, by ${signal}`, code))
for (const state of states) await exploreFrom(state)
end('explored to the end', done.faults === 0 ? 0 : 1)

async function exploreFrom(state: State): Promise<void> {
  const start = await state.make()
  const began = Date.now()
  const before = done.schedules
  const pairs = pairsOf(actorsFor(state))
  let said = Date.now()
  console.error(`  ${state.name}: ${pairs.length} pairs`)
  for (const [at, pair] of pairs.entries()) {
    const exploration = await explore(scenarioOf(state, start, pair), { ...BOUND, all: Number(most) }, judge)
    done.schedules += exploration.runs
    done.faults += exploration.findings.length
    for (const { scenario, problem, schedule } of exploration.findings)
      console.log(`${scenario}\n  ${problem}\n  ${schedule}`)
    if (Date.now() - said < SAYING_EVERY) continue
    said = Date.now()
    console.error(`  ${state.name}: pair ${at + 1} of ${pairs.length}, ${done.schedules - before} schedules`)
  }
  done.states += 1
  const seconds = Math.round((Date.now() - began) / 1000)
  console.log(
    `${state.name} (${state.trigger}): ${pairs.length} pairs, ${done.schedules - before} schedules, ${seconds} s`,
  )
}

function end(how: string, code: number): never {
  const whole = `${done.states} of ${states.length} states`
  console.log(`${how}: ${whole}, ${done.schedules} schedules, ${done.faults} pairs with a fault`)
  process.exit(code)
}
