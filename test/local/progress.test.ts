import { describe, expect, it } from 'vitest'
import { progressOn } from '../../local/rehearsal/progress.ts'

function screen(isTTY: boolean, columns = 40) {
  let now = 0
  let text = ''
  const progress = progressOn({ isTTY, columns, write: (more) => (text += more) }, () => now)
  return { progress, at: (ms: number) => (now = ms), text: () => text }
}

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

  it('takes a terminal that does not know its width for one of 80 columns', () => {
    const { progress, text } = screen(true, 0)
    progress.state('x'.repeat(100))
    expect(text().split('\r\u001b[2K')[1]).toHaveLength(79)
  })
})
