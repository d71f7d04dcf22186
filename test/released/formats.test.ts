import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parseRecord, serialiseRecord } from '../../lambda/ring/delivery-record-text.ts'
import { parseResultLine } from '../../lambda/ring/result-line.ts'
import { parseRing, serialiseRing } from '../../lambda/ring/ring.ts'
import { parseStapleRecord, serialiseStapleRecord } from '../../lambda/staples/delivery-record.ts'
import { parseEntry, serialiseEntry } from '../../lambda/staples/entry.ts'
import { parseStapleLine } from '../../lambda/staples/result-line.ts'

/** What each release wrote, kept as it was: what comes after it reads all of that. */
const RELEASES = readdirSync(new URL('.', import.meta.url)).filter((name) => /^\d+\.\d+\.\d+$/.test(name))
const AGENT = fileURLToPath(new URL('../../agent', import.meta.url))

const textOf = (release: string, name: string) =>
  readFileSync(new URL(`./${release}/${name}`, import.meta.url), 'utf8')
const linesOf = (release: string, name: string) => textOf(release, name).trimEnd().split('\n')

/** What the machine's program makes of a text on its standard input. */
function askAgent(expression: string, input: string) {
  const script = `import sys\nsys.path.insert(0, ${JSON.stringify(AGENT)})\ntext = sys.stdin.read().rstrip("\\n")\n${expression}`
  const { status, stdout, stderr } = spawnSync('python3', ['-I', '-c', script], { input, encoding: 'utf8' })
  expect(stderr).toBe('')
  return { status, stdout: stdout.trim() }
}

it('there is a release to hold to', () => {
  expect(RELEASES).toContain('0.1.0')
})

describe.each(RELEASES)('what %s wrote', (release) => {
  it('a ring is read by the function, which writes it as it was', () => {
    const text = textOf(release, 'ring.json').trimEnd()
    const ring = parseRing(text, 'edge')
    expect(ring?.generation).toBe(2)
    expect(ring && serialiseRing(ring)).toBe(text)
  })

  it('a ring is read by the program', () => {
    const parse =
      'from ticketring.keys import parse_ring\nprint(parse_ring(text, "edge", "ticketring/edge").generation)'
    expect(askAgent(parse, textOf(release, 'ring.json'))).toEqual({ status: 0, stdout: '2' })
  })

  it("a ring's delivery record is read, and written as it was", () => {
    const text = textOf(release, 'ring-record.json').trimEnd()
    const record = parseRecord(text)
    expect(record.delivery).toMatchObject({ generation: 2, members: 3, confirmed: 2 })
    expect(JSON.parse(serialiseRecord(record))).toEqual(JSON.parse(text))
  })

  it("a program's result lines are read, for a ring and for staples", () => {
    for (const line of linesOf(release, 'ring-lines.jsonl'))
      expect(parseResultLine(`${line}\n`), line).toMatchObject({ ring: 'edge' })
    for (const line of linesOf(release, 'staple-lines.jsonl'))
      expect(parseStapleLine(`${line}\n`), line).toMatchObject({ staples: 'web' })
  })

  it("a staple's entry is read by the function and by the program, and written as it was", () => {
    for (const line of linesOf(release, 'staple-entries.jsonl')) {
      const entry = parseEntry(line)
      expect(JSON.parse(serialiseEntry(entry))).toEqual(JSON.parse(line))
      const parse = `from ticketring.entry import parse_entry\nprint(parse_entry(text, ${JSON.stringify(entry.id)}).state)`
      expect(askAgent(parse, line)).toEqual({ status: 0, stdout: entry.state })
    }
  })

  it("a set's delivery record is read, and written as it was", () => {
    const text = textOf(release, 'staple-record.json').trimEnd()
    expect(JSON.parse(serialiseStapleRecord(parseStapleRecord(text)))).toEqual(JSON.parse(text))
  })
})
