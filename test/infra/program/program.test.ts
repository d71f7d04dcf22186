import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { carriedOf } from '../../../infra/program/payload.ts'
import { AGENT, buildProgram } from '../../../infra/program/program.ts'

const scratch = mkdtempSync(join(tmpdir(), 'ticketring-program-'))
afterAll(() => rmSync(scratch, { recursive: true }))

/** The same sources, made at another time, in another order and for other eyes. */
function copyOfAgent(name: string): string {
  const copy = join(scratch, name)
  mkdirSync(join(copy, 'ticketring'), { recursive: true, mode: 0o700 })
  for (const entry of readdirSync(join(AGENT, 'ticketring')).reverse())
    cpSync(join(AGENT, 'ticketring', entry), join(copy, 'ticketring', entry), { recursive: true })
  cpSync(join(AGENT, '__main__.py'), join(copy, '__main__.py'))
  utimesSync(join(copy, '__main__.py'), 1, 1)
  return copy
}

it('is the same bytes, wherever and whenever it was built', () => {
  const umask = process.umask(0o077)
  try {
    expect(Buffer.from(buildProgram(copyOfAgent('other')).zipapp).equals(buildProgram().zipapp)).toBe(true)
  } finally {
    process.umask(umask)
  }
  const elsewhere = `import { buildProgram } from './infra/program/program.ts'; console.log(buildProgram().hash)`
  const env = { ...process.env, TZ: 'Pacific/Kiritimati' }
  const hash = execFileSync('node', ['--import', 'tsx', '--input-type=module', '-e', elsewhere], { env })
  expect(hash.toString().trim()).toBe(buildProgram().hash)
})

it('is named by the SHA-256 of the whole file', () => {
  const { zipapp, hash, version } = buildProgram()
  expect(hash).toBe(createHash('sha256').update(zipapp).digest('hex'))
  expect(version).toBe(hash.slice(0, 12))
})

it('changes its name with a line of code and not with a comment', () => {
  const copy = copyOfAgent('changed')
  writeFileSync(join(copy, '__main__.py'), '# A remark.\n', { flag: 'a' })
  expect(buildProgram(copy).hash).toBe(buildProgram().hash)
  writeFileSync(join(copy, '__main__.py'), 'pass\n', { flag: 'a' })
  expect(buildProgram(copy).hash).not.toBe(buildProgram().hash)
})

it('is a zipapp that Python reads whole: its members stored, in order, of no time', () => {
  const file = join(scratch, 'ticketring.pyz')
  const { zipapp, sources } = buildProgram()
  writeFileSync(file, zipapp)
  const look = `
import json, sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
print(json.dumps([archive.testzip(), [[m.filename, m.compress_type, m.date_time[0], archive.read(m).decode()] for m in archive.infolist()]]))`
  const seen = JSON.parse(execFileSync('/usr/bin/python3', ['-I', '-c', look, file], { encoding: 'utf8' }))
  expect(seen).toEqual([null, sources.map(({ path, text }) => [path, 0, 1980, text])])
  expect(sources.map(({ path }) => path)).toEqual(sources.map(({ path }) => path).sort())
  expect(Buffer.from(zipapp).toString('latin1')).toMatch(/^#!\/usr\/bin\/python3 -IS\n/)
  expect(execFileSync('/usr/bin/python3', ['-I', file, '--help'], { encoding: 'utf8' })).toContain(
    'usage: ticketring',
  )
})

it.each([
  ['a file of another kind', (folder: string) => writeFileSync(join(folder, 'keys.bin'), '')],
  ['a link', (folder: string) => symlinkSync('ring.py', join(folder, 'other.py'))],
  ['a name that cannot be imported', (folder: string) => writeFileSync(join(folder, 'ring-2.py'), '')],
])('takes up nothing but modules: %s', (what, add) => {
  const copy = copyOfAgent(what)
  add(join(copy, 'ticketring'))
  expect(() => buildProgram(copy)).toThrow(/modules of Python and nothing else/)
})

it('refuses a line that would be taken for the name of a source', () => {
  const sources = [{ path: 'ticketring/a.py', text: 'X = """\n#b.py\n"""\n' }]
  expect(() => carriedOf({ ...buildProgram(), sources }, 'carried', 'ring')).toThrow(/ticketring\/a\.py/)
})
