import { readFileSync, writeFileSync } from 'node:fs'
import { type Choice, choose } from './choice.ts'
import { FOLDERS, testsOf } from './folders.ts'
import { instrument, type Mutant } from './mutants.ts'
import { acceptedLine, isEnough, LEAST, onOneLine, overviewOf, reaches, type Scores } from './overview.ts'
import { type Accepted, acceptedAs, type Score, shareOf, staleOf } from './record.ts'
import { tryAll } from './try-all.ts'
import { refusedByTypes } from './types.ts'

const USAGE = `Usage: npm run mutate
       npm run mutate -- FOLDER… [--record]
       npm run mutate -- FILE…

Without a folder: prints what is on record, and what is accepted with its reason.
With one: changes one place of lambda/FOLDER after the other (StrykerJS's mutators), and runs tests that pass there,
likely and cheap ones first and 3 s of them: at least ${shareOf({ mutants: 100, killed: 100 * LEAST })} of the changes that compile have to turn one red.
Prints the score, those that no test notices, and of those in test/mutation/accepted.json the reason. Takes 1 to 15
minutes. Exit code 1 where a folder's score is too low or below the recorded one, or where a listed change is noticed
by now. Folders: ${FOLDERS.join(', ')}.

  FILE        only the changes of this file, such as lambda/ring/gate.ts
  --record    write a folder's score into test/mutation/scores.json
  -h, --help  this text`

const SCORES = 'test/mutation/scores.json'

const words = process.argv.slice(2)
if (words.includes('--help') || words.includes('-h')) {
  console.log(USAGE)
  process.exit(0)
}
const accepted = readJson<readonly Accepted[]>('test/mutation/accepted.json')
if (words.length === 0) {
  const scores = readJson<Scores>(SCORES)
  console.log(
    `On record; \`npm run mutate -- FOLDER\` tries it again, \`npm run mutate -- --help\` says how:\n`,
  )
  console.log(overviewOf(scores, accepted))
  process.exit(isEnough(scores) ? 0 : 1)
}
const choices = choose(words)
if (choices === undefined) {
  console.error(USAGE)
  process.exit(2)
}
let fine = true
for (const choice of choices) fine = (await judge(choice)) && fine
process.exit(fine ? 0 : 1)

async function judge(choice: Choice): Promise<boolean> {
  const { score, survivors } = await measure(choice)
  const stale = staleOf(choice, survivors, accepted)
  const open = survivors.filter((mutant) => acceptedAs(mutant, accepted) === undefined)
  for (const mutant of open) console.log(lineOf(mutant))
  for (const mutant of survivors) {
    const entry = acceptedAs(mutant, accepted)
    if (entry !== undefined) console.log(acceptedLine(entry))
  }
  for (const { file, original, replacement } of stale)
    console.log(
      `accepted.json lists what is noticed or gone: ${file} ${onOneLine(original)} → ${onOneLine(replacement)}`,
    )
  const said = `${shareOf(score)} (${score.killed} of ${score.mutants}), ${survivors.length - open.length} accepted`
  const before = recordedFor(choice)
  console.log(`${nameOf(choice)}: ${said}; recorded ${before === undefined ? 'nothing' : shareOf(before)}`)
  if (words.includes('--record')) record(choice, score)
  const least = Math.max(LEAST, before === undefined ? 0 : before.killed / before.mutants)
  return reaches(score, least) && stale.length === 0
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
  return `${file}:${line} ${mutator}: ${onOneLine(original)} → ${onOneLine(replacement)}`
}

function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(path, 'utf8')) as T
}
