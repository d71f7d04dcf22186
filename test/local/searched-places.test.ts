import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { genesis } from '../../lambda/ring/ring.ts'
import { KeySearch } from '../../local/rehearsal/secrecy/key-search.ts'
import { placesOf, type Remains } from '../../local/rehearsal/secrecy/searched-places.ts'

const directory = mkdtempSync(join(tmpdir(), 'ticketring-test-'))
afterAll(() => rmSync(directory, { recursive: true }))

const now = Date.now()
const ring = genesis('edge', '00000000-0000-4000-8000-000000000000', {
  parent: 'p',
  now: new Date(0),
  random: randomBytes,
})
const key = ring.next.reveal().hmac.toString('base64')
const search = new KeySearch([ring])

/** What a clean run leaves: bent one place at a time. */
const run = { instance: 'i-1', stdout: '{"v":1}', stderr: 'a note' }
const clean = {
  history: {
    commands: [{ id: 'c-1', parameters: { Generation: ['2'] }, comment: '', invocations: [run] }],
    associations: [run],
    logs: [{ functionName: 'rotation', text: '{"key":"none"}' }],
  },
  resources: { functions: [{ name: 'rotation', environment: { A: 'b' } }] },
}
const { history } = clean
const [command] = history.commands
const traced = (text: string) => [{ label: 'script on i-1', text: Buffer.from(text) }]
const findingsIn = (remains: Remains, strings = traced('PATH=/bin'), folders: string[] = []) =>
  search.findings(placesOf(remains, strings, folders, now - 1_000))

describe('a key is found in', () => {
  it.each([
    ['command history', { ...clean, history: { ...history, commands: [{ ...command, comment: key }] } }],
    [
      'command history',
      { ...clean, history: { ...history, commands: [{ ...command, parameters: { Generation: [key] } }] } },
    ],
    [
      'command output',
      {
        ...clean,
        history: { ...history, commands: [{ ...command, invocations: [{ ...run, stderr: key }] }] },
      },
    ],
    ['command output', { ...clean, history: { ...history, associations: [{ ...run, stdout: key }] } }],
    ['log', { ...clean, history: { ...history, logs: [{ functionName: 'rotation', text: `x ${key}` }] } }],
    [
      'function environment',
      { ...clean, resources: { functions: [{ name: 'rotation', environment: { KEY: key } }] } },
    ],
  ])('the %s', (kind, remains) => {
    expect(findingsIn(remains as Remains)).toEqual([{ kind, where: expect.any(String) }])
  })

  it('the arguments or the environment of a traced process, once however often it appears', () => {
    const where = 'script on i-1'
    expect(findingsIn(clean, [...traced(`KEY=${key}`), ...traced(key)])).toEqual([
      { kind: 'process argument or environment', where },
    ])
  })

  it('a file, in whatever folder below the one that is searched', () => {
    const folder = join(directory, 'orchestration', 'deep')
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, '_script.sh'), `key=${key}\n`)
    expect(findingsIn(clean, [], [directory])).toEqual([{ kind: 'file', where: join(folder, '_script.sh') }])
  })

  it('a file at the top of the temporary folder, whichever process wrote it', () => {
    const file = join(tmpdir(), `ticketring-planted-${process.pid}`)
    writeFileSync(file, ring.current.reveal().aes)
    try {
      expect(findingsIn(clean)).toEqual([{ kind: 'file', where: file }])
    } finally {
      rmSync(file)
    }
  })
})

describe('nothing is found', () => {
  it('where no key is', () => {
    expect(findingsIn(clean)).toEqual([])
  })

  it('in a file that was last written before the run', () => {
    const folder = mkdtempSync(join(directory, 'old-'))
    const file = join(folder, 'old')
    writeFileSync(file, key)
    utimesSync(file, new Date(now - 60_000), new Date(now - 60_000))
    expect(findingsIn(clean, [], [folder])).toEqual([])
  })
})
