import { readFileSync } from 'node:fs'
import { describe, expect, it, type RunnerTestCase } from 'vitest'
import { choose } from './choice.ts'
import { FOLDERS, testsOf } from './folders.ts'
import { isEnough, overviewOf, reaches, type Scores } from './overview.ts'
import { type Accepted, acceptedAs, type Score, shareOf, staleOf } from './record.ts'
import { type Known, worthwhile } from './try-mutants.ts'

const ACCEPTED: readonly Accepted[] = JSON.parse(readFileSync('test/mutation/accepted.json', 'utf8'))
const SCORES: Readonly<Record<string, Score>> = JSON.parse(readFileSync('test/mutation/scores.json', 'utf8'))

describe('what no test has to notice', () => {
  it('is a change to a text that is there, and has a reason', () => {
    for (const { file, original, replacement, reason, ...other } of ACCEPTED) {
      expect(readFileSync(file, 'utf8'), file).toContain(original)
      expect(replacement).not.toBe(original)
      expect(reason).toMatch(/\w+ \w+/)
      expect(other).toEqual({})
    }
  })

  it('is known by its text, not by its line', () => {
    const entry = {
      file: 'lambda/ring/gate.ts',
      original: 'a < b',
      replacement: 'a <= b',
      reason: 'never equal',
    }
    const { reason: _, ...text } = entry
    const mutant = { ...text, id: '1', line: 7, mutator: 'EqualityOperator', changed: '' }
    expect(acceptedAs(mutant, [entry])).toBe(entry)
    expect(acceptedAs({ ...mutant, replacement: 'true' }, [entry])).toBeUndefined()
    expect(staleOf({ folder: 'ring', files: [] }, [mutant], [entry])).toEqual([])
    expect(staleOf({ folder: 'ring', files: [] }, [], [entry])).toEqual([entry])
    expect(staleOf({ folder: 'fleet', files: [] }, [], [entry])).toEqual([])
  })
})

it('a recorded score is of a folder that can be run, and the page of the design shows it', () => {
  const page = readFileSync('docs/design.md', 'utf8')
  for (const [folder, score] of Object.entries(SCORES)) {
    expect(FOLDERS).toContain(folder)
    expect(page).toContain(`${folder} ${shareOf(score)}`)
  }
})

describe('without a folder', () => {
  const full = { mutants: 100, killed: 85 }
  const scores: Scores = { kernel: full, fleet: full, ring: full, ocsp: full, staples: full }
  const entry = {
    file: 'lambda/ring/gate.ts',
    original: 'a <\n  b',
    replacement: 'a <= b',
    reason: 'never equal',
  }

  it('each folder is told with its score, and with what is accepted of it and why', () => {
    const { staples: _, ...others } = scores
    const lines = overviewOf(others, [entry]).split('\n')
    expect(lines).toEqual([
      'kernel: 85.0 % (85 of 100 changes noticed, 0 accepted)',
      'fleet: 85.0 % (85 of 100 changes noticed, 0 accepted)',
      'ring: 85.0 % (85 of 100 changes noticed, 1 accepted)',
      '  accepted: lambda/ring/gate.ts: a < b → a <= b: never equal',
      'ocsp: 85.0 % (85 of 100 changes noticed, 0 accepted)',
      'staples: not recorded',
    ])
  })

  it('it is enough where each is on record with the least share', () => {
    expect(isEnough(scores)).toBe(true)
    expect(isEnough({ ...scores, ocsp: { mutants: 100, killed: 84 } })).toBe(false)
    const { staples: _, ...others } = scores
    expect(isEnough(others)).toBe(false)
    expect(reaches({ mutants: 1000, killed: 849 }, 0.85)).toBe(false)
  })
})

it('a share is rounded down, and each folder has tests of its own', () => {
  expect(shareOf({ mutants: 10_000, killed: 8_499 })).toBe('84.9 %')
  for (const folder of FOLDERS) expect(testsOf(folder)[0]).toMatch(`test/${folder}/`)
})

it('a run is of folders or of files that are there, and only folders are recorded', () => {
  const gate = 'lambda/ring/gate.ts'
  expect(choose(['ring', '--record'])).toEqual([{ folder: 'ring', files: [] }])
  expect(choose([gate])).toEqual([{ folder: 'ring', files: [gate] }])
  expect(choose(['ring', gate])).toEqual([{ folder: 'ring', files: [gate] }])
  for (const words of [[], ['rings'], ['lambda/ring/none.ts'], ['lambda/aws/paging.ts'], [gate, '--record']])
    expect(choose(words), words.join(' ')).toBeUndefined()
})

it('a test that often kills does not keep the short ones from being asked', () => {
  const run = {} as RunnerTestCase
  const known = (test: string, cost: number, kills = 0): Known => ({
    test,
    cost,
    run,
    hits: { '7': 1 },
    kills: new Map([['ring.ts', kills]]),
  })
  const tests = [known('short', 20), known('long', 1490, 100), known('middling', 1400), known('longer', 1495)]
  const asked = worthwhile('7', 'ring.ts', tests).map(({ test }) => test)
  expect(asked).toEqual(['long', 'short', 'middling'])
  expect(worthwhile('8', 'ring.ts', tests)).toEqual([])
})
