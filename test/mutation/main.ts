import { readFileSync, writeFileSync } from 'node:fs'
import { FOLDERS, type Folder, testsOf } from './folders.ts'
import { instrument, type Mutant } from './mutants.ts'
import { type Accepted, isAccepted, type Score, shareOf, staleOf } from './record.ts'
import { runTests } from './run-tests.ts'
import { refusedByTypes } from './types.ts'

const USAGE = `Usage: npm run mutate -- FOLDER… [--record]

Changes one place of lambda/FOLDER after the other (StrykerJS's mutators), and runs the tests that pass there: at least
${shareOf({ mutants: 100, killed: 85 })} of the changes that compile have to turn one red. Prints the score and those that no test notices and that
test/mutation/accepted.json does not list. Exit code 1 where a folder's score is too low or below the recorded one, or
where a listed change is noticed by now. Folders: ${FOLDERS.join(', ')}.

  --record    write the score into test/mutation/scores.json
  -h, --help  this text`

const LEAST = 0.85
const SCORES = 'test/mutation/scores.json'

const words = process.argv.slice(2)
if (words.includes('--help') || words.includes('-h')) {
  console.log(USAGE)
  process.exit(0)
}
const wanted = words.filter((word) => word !== '--record')
const folders = FOLDERS.filter((folder) => wanted.includes(folder))
if (folders.length === 0 || folders.length < new Set(wanted).size) {
  console.error(USAGE)
  process.exit(2)
}
const accepted = readJson<readonly Accepted[]>('test/mutation/accepted.json')
let fine = true
for (const folder of folders) fine = (await judge(folder)) && fine
process.exit(fine ? 0 : 1)

async function judge(folder: Folder): Promise<boolean> {
  const { score, survivors } = await measure(folder)
  const scores = readJson<Record<string, Score>>(SCORES)
  const before = scores[folder]
  const open = survivors.filter((mutant) => !isAccepted(mutant, accepted))
  const stale = staleOf(folder, survivors, accepted)
  for (const mutant of open) console.log(lineOf(mutant))
  for (const { file, original, replacement } of stale)
    console.log(`accepted.json lists what is noticed or gone: ${file} ${original} → ${replacement}`)
  const said = `${shareOf(score)} (${score.killed} of ${score.mutants}), ${survivors.length - open.length} accepted`
  console.log(`${folder}: ${said}; recorded ${before === undefined ? 'nothing' : shareOf(before)}`)
  if (words.includes('--record'))
    writeFileSync(SCORES, `${JSON.stringify({ ...scores, [folder]: score }, null, 2)}\n`)
  const share = score.killed / score.mutants
  return (
    share >= LEAST &&
    share >= (before === undefined ? 0 : before.killed / before.mutants) &&
    stale.length === 0
  )
}

interface Measured {
  readonly score: Score
  readonly survivors: readonly Mutant[]
}

async function measure(folder: Folder): Promise<Measured> {
  const code = await instrument(folder)
  console.error(`${folder}: ${code.mutants.length} changes; which of them compile?`)
  const refused = refusedByTypes(code.mutants)
  const mutants = code.mutants.filter(({ id }) => !refused.has(id))
  const tests = testsOf(folder)
  console.error(`${folder}: ${mutants.length} do; ${tests.length} files of tests`)
  const outcome = await runTests(tests, code, mutants)
  for (const name of outcome.unrepeatable) console.error(`  left out, for it fails when run again: ${name}`)
  const tried = mutants.filter(({ id }) => outcome.covered.has(id) || !outcome.loaded.has(id))
  console.error(
    `${folder}: ${mutants.length - tried.length} run only as their module loads, and are left out`,
  )
  const survivors = tried.filter(({ id }) => !outcome.killed.has(id))
  return { score: { mutants: tried.length, killed: tried.length - survivors.length }, survivors }
}

function lineOf({ file, line, mutator, original, replacement }: Mutant): string {
  const [before, after] = [original, replacement].map((text) => text.replaceAll(/\s+/g, ' ').slice(0, 120))
  return `${file}:${line} ${mutator}: ${before} → ${after}`
}

function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(path, 'utf8')) as T
}
