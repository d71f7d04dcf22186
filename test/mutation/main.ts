import { readFileSync, writeFileSync } from 'node:fs'
import { type Choice, choose } from './choice.ts'
import { FOLDERS, testsOf } from './folders.ts'
import { instrument, type Mutant } from './mutants.ts'
import { type Accepted, isAccepted, type Score, shareOf, staleOf } from './record.ts'
import { tryAll } from './try-all.ts'
import { refusedByTypes } from './types.ts'

const USAGE = `Usage: npm run mutate -- FOLDER… [--record]
       npm run mutate -- FILE…

Changes one place of lambda/FOLDER after the other (StrykerJS's mutators), and runs tests that pass there, likely and
cheap ones first and 3 s of them: at least ${shareOf({ mutants: 100, killed: 85 })} of the changes that compile have to turn one red. Prints the score and those
that no test notices and that test/mutation/accepted.json does not list. Exit code 1 where a folder's score is too low or
below the recorded one, or where a listed change is noticed by now. Folders: ${FOLDERS.join(', ')}.

  FILE        only the changes of this file, such as lambda/ring/gate.ts
  --record    write a folder's score into test/mutation/scores.json
  -h, --help  this text`

const LEAST = 0.85
const SCORES = 'test/mutation/scores.json'

const words = process.argv.slice(2)
if (words.includes('--help') || words.includes('-h')) {
  console.log(USAGE)
  process.exit(0)
}
const choices = choose(words)
if (choices === undefined) {
  console.error(USAGE)
  process.exit(2)
}
const accepted = readJson<readonly Accepted[]>('test/mutation/accepted.json')
let fine = true
for (const choice of choices) fine = (await judge(choice)) && fine
process.exit(fine ? 0 : 1)

async function judge(choice: Choice): Promise<boolean> {
  const { score, survivors } = await measure(choice)
  const open = survivors.filter((mutant) => !isAccepted(mutant, accepted))
  const stale = staleOf(choice, survivors, accepted)
  for (const mutant of open) console.log(lineOf(mutant))
  for (const { file, original, replacement } of stale)
    console.log(`accepted.json lists what is noticed or gone: ${file} ${original} → ${replacement}`)
  const said = `${shareOf(score)} (${score.killed} of ${score.mutants}), ${survivors.length - open.length} accepted`
  const before = recordedFor(choice)
  console.log(`${nameOf(choice)}: ${said}; recorded ${before === undefined ? 'nothing' : shareOf(before)}`)
  if (words.includes('--record')) record(choice, score)
  const share = score.killed / score.mutants
  const least = Math.max(LEAST, before === undefined ? 0 : before.killed / before.mutants)
  return share >= least && stale.length === 0
}

function nameOf({ folder, files }: Choice): string {
  return files.length === 0 ? folder : files.join(', ')
}

function recordedFor({ folder, files }: Choice): Score | undefined {
  return files.length === 0 ? readJson<Record<string, Score>>(SCORES)[folder] : undefined
}

function record({ folder }: Choice, score: Score): void {
  const scores = { ...readJson<Record<string, Score>>(SCORES), [folder]: score }
  writeFileSync(SCORES, `${JSON.stringify(scores, null, 2)}\n`)
}

interface Measured {
  readonly score: Score
  readonly survivors: readonly Mutant[]
}

async function measure(choice: Choice): Promise<Measured> {
  const { sources, mutants: made } = await instrument(choice)
  console.error(`${nameOf(choice)}: ${made.length} changes; which of them compile?`)
  const refused = refusedByTypes(made)
  const mutants = made.filter(({ id }) => !refused.has(id))
  const tests = testsOf(choice.folder)
  console.error(`${mutants.length} do; ${tests.length} files of tests are run without them first`)
  const targets = mutants.map(({ id, file }) => ({ id, file }))
  const { lessons, killed } = await tryAll({ tests, sources, mutants: targets }, progressOf(mutants))
  for (const name of lessons.unrepeatable) console.error(`left out, for it fails when run again: ${name}`)
  const covered = new Set(lessons.tests.flatMap(({ hits }) => Object.keys(hits)))
  const tried = mutants.filter(({ id }) => covered.has(id) || !lessons.loaded.includes(id))
  console.error(`${mutants.length - tried.length} run only as their module loads, and are left out`)
  const survivors = tried.filter(({ id }) => !killed.has(id))
  return { score: { mutants: tried.length, killed: tried.length - survivors.length }, survivors }
}

/** A line on standard error for each file that is through. */
function progressOf(mutants: readonly Mutant[]): (tried: number) => void {
  return (tried) => {
    const [file, next] = [mutants[tried - 1]?.file, mutants[tried]?.file]
    if (file !== next) console.error(`  ${tried} of ${mutants.length}: ${file}`)
  }
}

function lineOf({ file, line, mutator, original, replacement }: Mutant): string {
  const [before, after] = [original, replacement].map((text) => text.replaceAll(/\s+/g, ' ').slice(0, 120))
  return `${file}:${line} ${mutator}: ${before} → ${after}`
}

function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(path, 'utf8')) as T
}
