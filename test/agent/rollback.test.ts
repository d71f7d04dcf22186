/** A command that says `back` undoes what its own document brought: the machine runs what it was brought before. */
import { chmodSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { BareMachine, ringText, standIn } from './stand-in.ts'
import { tmpfsDirectory } from './terminators.ts'

const scratch = tmpfsDirectory()
afterAll(() => rmSync(scratch, { recursive: true }))

const A = standIn(scratch, 'a')
const B = standIn(scratch, 'b')
const C = standIn(scratch, 'c')

let machine: BareMachine
let machines = 0
beforeEach(() => {
  machines += 1
  machine = new BareMachine(join(scratch, `machine-${machines}`))
})

type Word = 'bring' | 'keep' | 'back'
/** As the agent puts it into the text. */
const said = (text: string, word: Word) => text.replace('{{Program}}', word)
const run = (program: typeof A, word: Word) => machine.output(said(ringText(program), word)).version
const bring = (program: typeof A) => run(program, 'bring')
const keep = (program: typeof A) => run(program, 'keep')
const back = (program: typeof A) => run(program, 'back')
const read = (name: string) => readFileSync(join(machine.library, name), 'utf8')

test('the program and the settings of before come back, and stay for State Manager and for the boot', () => {
  bring(A)
  const before = read('edge.conf')
  expect(bring(B)).toBe('b')
  expect(back(B)).toBe('a')
  expect(read('edge.conf')).toBe(before)
  expect(readlinkSync(join(machine.library, 'current-ring'))).toBe(A.hash)
  expect(keep(B)).toBe('a')
})

test('said again, and said to a machine that never had that document, it changes nothing', () => {
  for (const program of [A, B]) bring(program)
  expect(back(C)).toBe('b')
  for (let times = 0; times < 3; times++) expect(back(B)).toBe('a')
})

test('a document that came twice has the one before it as its way back', () => {
  for (const program of [A, B, B, B]) bring(program)
  expect(back(B)).toBe('a')
})

test('settings go back where the program is the same', () => {
  bring(A)
  const other = ringText(A).replace('SECRET=ticketring/edge\n', 'SECRET=ticketring/other\n')
  const given = (word: Word) => machine.output(said(other, word)).given.TICKETRING_SETTINGS
  expect(given('bring')).toContain('SECRET=ticketring/other\n')
  expect(given('back')).toContain('SECRET=ticketring/edge\n')
})

test('what is brought after that goes its own way, also the same document once more', () => {
  for (const program of [A, B]) bring(program)
  back(B)
  expect(bring(B)).toBe('b')
  expect(back(B)).toBe('a')
  expect(bring(C)).toBe('c')
  expect(back(C)).toBe('a')
})

test('where nothing was brought before, the machine keeps what it has, and says so', () => {
  bring(A)
  const { stdout, stderr } = machine.run(said(ringText(A), 'back'))
  expect(JSON.parse(stdout)).toMatchObject({ version: 'a' })
  expect(stderr).toContain('no way back')
})

test('a machine that has nothing at all is brought the program of the document', () => {
  expect(back(A)).toBe('a')
})

test.each([
  ['is gone', () => rmSync(join(machine.library, A.hash), { recursive: true })],
  ['is damaged', () => writeFileSync(join(machine.library, A.hash, 'ticketring.pyz'), 'x')],
  ['has settings that name none', () => writeFileSync(join(machine.library, 'edge.before'), 'SECRET=x\n')],
])('where the program of before %s, the machine keeps the one that it has', (_, damage) => {
  for (const program of [A, B]) bring(program)
  damage()
  expect(back(B)).toBe('b')
  expect(read('edge.conf')).toContain(B.hash)
})

test('what was written by a user who may not is no way back', () => {
  for (const program of [A, B]) bring(program)
  const file = join(machine.library, 'edge.before')
  rmSync(file)
  writeFileSync(file, read('edge.conf').replace(B.hash, A.hash))
  chmodSync(file, 0o666)
  expect(back(B)).toBe('b')
})
