/** A document that brings no program calls the one of a package, if it is the very same. */
import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { parseConfiguration } from '../../infra/app/configuration.ts'
import { packageContents } from '../../infra/packages/contents.ts'
import { buildTarball } from '../../infra/packages/tar.ts'
import { buildProgram, type Program } from '../../infra/program/program.ts'
import { buildRingDocument } from '../../infra/ring/document.ts'
import { buildStapleDocument } from '../../infra/stapling/document.ts'
import { parseResultLine } from '../../lambda/ring/result-line.ts'
import { exampleRing, exampleSet } from '../infra/app/example.ts'
import { BareMachine, standIn } from './stand-in.ts'
import { tmpfsDirectory } from './terminators.ts'

const scratch = tmpfsDirectory()
afterAll(() => rmSync(scratch, { recursive: true }))

const A = standIn(scratch, 'a')
const program = 'installed'
const { rings, stapling } = parseConfiguration({
  rings: [exampleRing({ program })],
  stapling: [exampleSet({ program })],
})
const [ring] = rings
const [set] = stapling
if (ring === undefined || set === undefined) throw new Error('no example')
const textOf = (of: Program) => buildRingDocument(ring, of).content.mainSteps[0].inputs.runCommand.join('\n')

let machine: BareMachine
let machines = 0
beforeEach(() => {
  machines += 1
  machine = new BareMachine(join(scratch, `machine-${machines}`))
})

const fileOf = ({ hash }: Program) => join(machine.library, hash, 'ticketring.pyz')

/** As a package has it: `current` may be another one by now. */
function place(of: Program): void {
  mkdirSync(join(machine.library, of.hash), { recursive: true })
  writeFileSync(fileOf(of), of.zipapp, { mode: 0o755 })
}

function failure(of: Program) {
  const { status, stdout } = machine.run(textOf(of))
  return { status, ...parseResultLine(stdout) }
}

test('the program of the package runs, with what the document says', () => {
  place(A)
  const told = machine.output(textOf(A))
  expect(told).toMatchObject({ version: 'a', given: { TICKETRING_SCRIPT: A.version } })
  expect(told.argv.slice(1)).toEqual(['ring', 'edge'])
  const conf = readFileSync(join(machine.library, 'edge.conf'), 'utf8')
  expect(conf).toBe(`# ${A.hash}\n${told.given.TICKETRING_SETTINGS}`)
  expect(existsSync(join(machine.library, 'current'))).toBe(false)
})

test('a set runs the same one', () => {
  place(A)
  const text = buildStapleDocument(set, A).content.mainSteps[0].inputs.runCommand.join('\n')
  expect(machine.output(text).argv.slice(1)).toEqual(['staples', 'edge'])
})

test('the tarball unpacked, the real program answers by the name that the function expects', () => {
  const real = buildProgram()
  const { name, data } = buildTarball(packageContents(real))
  writeFileSync(join(machine.directory, name), data)
  execFileSync('tar', ['-C', machine.directory, '-xzf', join(machine.directory, name)])
  const TICKETRING_LIB = join(machine.directory, 'usr/local/lib/ticketring')
  const TICKETRING_CONF_DIR = join(machine.directory, 'etc/ticketring')
  // No server and no AWS is asked: the machine's own settings are refused first.
  writeFileSync(join(TICKETRING_CONF_DIR, 'edge.conf'), 'UNHEARD=1\n')
  const document = buildRingDocument(ring, real)
  const text = document.content.mainSteps[0].inputs.runCommand.join('\n')
  const { stdout } = machine.run(text, { TICKETRING_LIB, TICKETRING_CONF_DIR })
  expect(parseResultLine(stdout)).toMatchObject({ error: 'config-invalid', script: document.script })
})

test('it brings none: its document is small', () => {
  expect(textOf(buildProgram()).length).toBeLessThan(10_000)
})

test('without the program nothing runs, and nothing is made', () => {
  expect(failure(A)).toMatchObject({ status: 1, error: 'program-missing', script: A.version })
  expect(existsSync(machine.library)).toBe(false)
})

test('another program is none', () => {
  place(standIn(scratch, 'b'))
  expect(failure(A)).toMatchObject({ status: 1, error: 'program-missing' })
  expect(readdirSync(machine.library)).toHaveLength(1)
})

test('a changed one does not run', () => {
  place(A)
  appendFileSync(fileOf(A), 'x')
  expect(failure(A)).toMatchObject({ status: 1, error: 'program-missing' })
})

test('one that another user may write does not run', () => {
  place(A)
  chmodSync(fileOf(A), 0o757)
  expect(failure(A)).toMatchObject({ status: 1, error: 'program-missing' })
})

test('nor does one in a directory that another user may write', () => {
  place(A)
  chmodSync(join(machine.library, A.hash), 0o777)
  expect(failure(A)).toMatchObject({ status: 1, error: 'path-unsafe' })
})
