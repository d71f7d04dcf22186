import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { ticketring } from './command-line.ts'

describe('ticketring', () => {
  it('is a program that runs from any directory', () => {
    const program = `${process.cwd()}/bin/ticketring.mjs`
    const { status, stdout, stderr } = spawnSync(program, ['--help'], { cwd: '/', encoding: 'utf8' })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toContain('Usage: ticketring <command>')
  })

  it('lists its commands, and ends with 2 where none was asked for', async () => {
    const [asked, bare] = await Promise.all([ticketring('--help'), ticketring()])
    expect(asked).toMatchObject({ code: 0, stderr: '' })
    expect(asked.stdout).toMatch(/^ {2}probe +\S/m)
    expect(bare).toEqual({ ...asked, code: 2 })
  })

  it.each([
    [['prob'], 'No command "prob"\nDid you mean probe?'],
    [
      ['zzz'],
      'No command "zzz"\nThere is status, history, rotate, deliver, promote, revoke, pause, resume, quarantine, rollback, explain, document, preflight, offboard, probe',
    ],
    [['probe'], 'At least one HOST:PORT is wanted\nticketring probe --help has the options'],
    [['probe', '--loud', '127.0.0.1:1'], "Unknown option '--loud'"],
  ])('refuses %j, and says what to type', async (words, why) => {
    const { code, stdout, stderr } = await ticketring(...words)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(why)
  })

  it('sends a terminal no control characters of others', async () => {
    const { stderr } = await ticketring('probe', '--x\u001b[2J\u009b2J\u202e', '127.0.0.1:1')
    expect(stderr).toContain('--x\\u001b[2J\\u009b2J\\u202e')
    expect(stderr).not.toMatch(/(?!\n)\p{Cc}|\u202e/u)
  })

  it('prints a document as it is, or as JSON with its name', async () => {
    const [plain, json] = await Promise.all([
      ticketring('document', 'edge'),
      ticketring('document', 'edge', '--json'),
    ])
    expect([plain.code, json.code]).toEqual([0, 0])
    expect(JSON.parse(json.stdout)).toEqual({ name: 'edge', text: plain.stdout.slice(0, -1) })
  })

  it('says which documents there are, and prints each by its own name', async () => {
    const list = await ticketring('document')
    const names = list.stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split(' ')[0] ?? '')
    expect(names).toEqual([
      expect.stringMatching(/^ticketring-edge-[0-9a-f]{12}$/),
      expect.stringMatching(/^ticketring-staples-web-/),
      expect.stringMatching(/^ticketring_preflight-/),
      expect.stringMatching(/^ticketring-edge_offboard-/),
    ])
    const json = await ticketring('document', '--json')
    expect(JSON.parse(json.stdout)).toMatchObject(
      names.map((name) => ({ name, description: expect.any(String) })),
    )
    const texts = await Promise.all(names.map((name) => ticketring('document', name)))
    for (const [at, { code, stdout }] of texts.entries()) {
      expect(code).toBe(0)
      expect(stdout).toMatch(new RegExp(`^# Document ${names[at]}: \\d+ bytes`))
    }
    // What a machine runs to look at itself, in clear.
    expect(texts[2]?.stdout).toContain('\n# ---- ticketring/check.py\n')
    expect(texts[3]?.stdout).toContain('sys.exit(main("edge", ')
    for (const { stdout } of texts) expect(stdout).not.toMatch(/.{700}/)
  })

  it('names the documents that there are where one is asked for that is not there', async () => {
    expect(await ticketring('document', 'edgy')).toEqual({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/wanted one of edge, web, ticketring_preflight-.*; got "edgy"/),
    })
  })

  it('has help for each command', async () => {
    const { code, stdout } = await ticketring('probe', '--help')
    expect(code).toBe(0)
    expect(stdout).toContain('Usage: ticketring probe HOST:PORT')
  })
})
