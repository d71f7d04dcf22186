// biome-ignore-all lint/suspicious/noTemplateCurlyInString: HAProxy's variables are written so.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SERVER_PATH } from '../../../local/rehearsal/machines/required-servers.ts'
import { readWords, UnreadableLine, writeLine } from '../../../local/rehearsal/own/haproxy/words.ts'

const VARIABLES: Readonly<Record<string, string>> = { HOST: 'a.example', LIST: 'one two', EMPTY: '' }
const read = (line: string) => readWords(line, (name) => VARIABLES[name])

describe('words of haproxy.cfg', () => {
  it.each([
    ['bind *:443 ssl # the public one', ['bind', '*:443', 'ssl']],
    ['  option\thttplog  ', ['option', 'httplog']],
    [`log-format "%{+Q}o %t"' %s'\\ %r`, ['log-format', '%{+Q}o %t %s %r']],
    [String.raw`a\#b c\\d \"e\" \'f\' \x41 \q`, ['a#b', 'c\\d', '"e"', "'f'", 'A', '\\q']],
    [String.raw`'\x41 $HOST # "' "a # b" "it's"`, ['\\x41 $HOST # "', 'a # b', "it's"]],
    ['$HOST "$HOST" "${HOST}:1" "\\$HOST"', ['$HOST', 'a.example', 'a.example:1', '$HOST']],
    ['"${LIST[*]}" "${LIST}" "${NONE-usual}" x', ['one', 'two', 'one two', 'usual', 'x']],
    ['stats auth ""', ['stats', 'auth', '']],
    ['a#b', ['a']],
    ['   # nothing', []],
  ])('%s', (line, words) => {
    expect(read(line)).toEqual(words)
  })

  it.each([
    ['say "this', 'a " that is not closed'],
    ["say 'this", "a ' that is not closed"],
    ['log "${NONE}:514"', 'the environment variable NONE, which is not set here'],
    ['say "${1}"', 'a variable that is none'],
    ['say "${.LINE}"', 'a variable that is none'],
    [String.raw`say \x4`, 'without two hexadecimal digits'],
    [String.raw`say \x00`, 'without two hexadecimal digits'],
  ])('refuses %s', (line, why) => {
    expect(() => read(line)).toThrow(UnreadableLine)
    expect(() => read(line)).toThrow(why)
  })

  // Bytes, as a file in UTF-8 has them; without the one that no file may have.
  const word = fc
    .array(fc.integer({ min: 1, max: 255 }))
    .map((bytes) => Buffer.from(bytes).toString('latin1'))
  const line = fc.array(word, { minLength: 1, maxLength: 5 })

  it('that are written are read again as they were, with no variable in them', () => {
    fc.assert(
      fc.property(line, (words) => {
        expect(readWords(writeLine(words), () => 'a variable')).toEqual(words)
      }),
    )
  })

  it('that are written HAProxy itself reads as they were', () => {
    const folder = mkdtempSync(join(tmpdir(), 'ticketring-words-'))
    try {
      const texts = fc.sample(word, 200).filter((text) => text !== '')
      // It prints what it was to notice, in quotes.
      writeFileSync(
        join(folder, 'a.cfg'),
        texts.map((text) => `.notice ${writeLine([text])}\n`).join(''),
        'latin1',
      )
      const { stderr } = spawnSync('haproxy', ['-c', '-f', join(folder, 'a.cfg')], {
        encoding: 'latin1',
        env: { PATH: SERVER_PATH },
      })
      for (const [at, text] of texts.entries()) expect(stderr).toContain(`a.cfg:${at + 1}]: '${text}'.\n`)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
