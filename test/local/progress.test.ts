import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { progressOn } from '../../local/rehearsal/progress.ts'

function screen(isTTY: boolean, columns = 40) {
  let now = 0
  let text = ''
  const progress = progressOn({ isTTY, columns, write: (more) => (text += more) }, () => now)
  return { progress, at: (ms: number) => (now = ms), text: () => text }
}

/** What a line that warns looks like on a terminal, or on a pipe, with these variables. */
function colours(isTerminal: boolean, variables: Readonly<Record<string, string>> = {}): string {
  const stream = isTerminal
    ? "new (await import('node:tty')).WriteStream((await import('node:fs')).openSync('/dev/ptmx', 'r+'))"
    : 'process.stdout'
  const text = `import { paintOn } from './local/paint.ts'
    console.log(JSON.stringify(paintOn(${stream})('warning', 'held')))
    process.exit()`
  const env = { PATH: process.env.PATH, TERM: 'xterm', ...variables }
  const words = ['--import', 'tsx', '--input-type=module', '-e', text]
  return JSON.parse(spawnSync(process.execPath, words, { encoding: 'utf8', env }).stdout)
}

describe('colour', () => {
  it('is on a terminal alone, and on none where its user wants none', () => {
    expect(colours(true)).toBe('\u001b[33mheld\u001b[39m')
    expect(colours(true, { NO_COLOR: '1' })).toBe('held')
    expect(colours(true, { TERM: 'dumb' })).toBe('held')
    expect(colours(false)).toBe('held')
    expect(colours(false, { FORCE_COLOR: '1' })).toBe('held')
  })
})

describe('progress', () => {
  it('elsewhere than on a terminal is plain lines, and a state only after two seconds of silence', () => {
    const { progress, at, text } = screen(false)
    progress.say('began')
    at(1_900)
    progress.state('too early')
    at(2_000)
    progress.state('still at it')
    progress.end()
    expect(text()).toBe('   0.0 s  began\n   2.0 s  still at it\n')
  })

  it('on a terminal is one line that is rewritten, never wider than the terminal, below those that last', () => {
    const { progress, text } = screen(true)
    progress.state('x'.repeat(100))
    progress.say('lasting')
    progress.end()
    const lines = text().split('\r\u001b[2K')
    expect(lines[1]).toHaveLength(39)
    expect(lines[2]).toContain('lasting\n')
    expect(text().endsWith('\r\u001b[2K')).toBe(true)
  })

  it('gives a line that lasts the colour of what it says, and never cuts one', () => {
    let text = ''
    const screen = { isTTY: true, columns: 40, write: (more: string) => (text += more) }
    const progress = progressOn(
      screen,
      () => 0,
      (tone, words) => `<${tone}>${words}</>`,
    )
    progress.say('x'.repeat(60), 'warning')
    progress.say('plain')
    expect(text).toContain(`<faint>   0.0 s  </><warning>${'x'.repeat(60)}</>\n`)
    expect(text).toContain('<faint>   0.0 s  </>plain\n')
  })

  it('takes a terminal that does not know its width for one of 80 columns', () => {
    const { progress, text } = screen(true, 0)
    progress.state('x'.repeat(100))
    expect(text().split('\r\u001b[2K')[1]).toHaveLength(79)
  })
})
