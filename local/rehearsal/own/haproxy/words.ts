/** Words of a line of haproxy.cfg. Source: configuration manual, "Quoting and escaping", "Environment variables"; tools.c. */

/** Why a line cannot be cut into words. */
export class UnreadableLine extends Error {}

/** Value of an environment variable; undefined where it is not set. */
export type Variables = (name: string) => string | undefined

const ESCAPED: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r' }

/**
 * Cuts a line into its words, with quotes, escapes and variables resolved and the comment gone.
 * @throws UnreadableLine
 */
export function readWords(line: string, variables: Variables): readonly string[] {
  const reader = new Reader(line, variables)
  return reader.words()
}

class Reader {
  readonly #line: string
  readonly #variables: Variables
  readonly #words: string[] = []
  #at = 0
  /** The word that is being read; undefined between two. */
  #word: string | undefined
  #quote = ''

  constructor(line: string, variables: Variables) {
    this.#line = line
    this.#variables = variables
  }

  words(): readonly string[] {
    while (this.#at < this.#line.length && this.#step());
    if (this.#quote !== '') throw new UnreadableLine(`a ${this.#quote} that is not closed`)
    this.#endWord()
    return this.#words
  }

  /** @returns whether there is more: a comment ends the line. */
  #step(): boolean {
    const char = this.#line[this.#at] as string
    if (this.#quote === "'") return this.#take(char === "'" ? 'quote' : 'plain')
    if (char === '\\') return this.#escape()
    if (this.#quote === '"') {
      if (char === '$') return this.#variable()
      return this.#take(char === '"' ? 'quote' : 'plain')
    }
    if (char === '#') return false
    if (char === '"' || char === "'") return this.#take('quote')
    if (/\s/.test(char)) return this.#take('space')
    return this.#take('plain')
  }

  #take(what: 'quote' | 'space' | 'plain'): true {
    const char = this.#line[this.#at++] as string
    if (what === 'space') this.#endWord()
    else if (what === 'plain') this.#add(char)
    else {
      this.#quote = this.#quote === '' ? char : ''
      this.#add('')
    }
    return true
  }

  #escape(): true {
    const next = this.#line[this.#at + 1] ?? ''
    const isEscaped = [' ', '\\', '#', "'", '"'].includes(next) || (next === '$' && this.#quote === '"')
    if (next === 'x') return this.#hexadecimal()
    const char = isEscaped ? next : ESCAPED[next]
    this.#add(char ?? '\\')
    this.#at += char === undefined ? 1 : 2
    return true
  }

  #hexadecimal(): true {
    const [digits] = /^[0-9a-f]{2}/i.exec(this.#line.slice(this.#at + 2)) ?? []
    if (digits === undefined || digits === '00')
      throw new UnreadableLine('\\x without two hexadecimal digits')
    this.#add(String.fromCharCode(Number.parseInt(digits, 16)))
    this.#at += 4
    return true
  }

  #variable(): true {
    const rest = this.#line.slice(this.#at)
    const found = /^\$(?:(\w+)|\{(\w+)(\[\*\])?(?:-([^}]*))?\})/.exec(rest)
    const [text = '', plain, braced, isList, usual] = found ?? []
    const name = plain ?? braced ?? ''
    if (!/^[A-Za-z_]/.test(name)) throw new UnreadableLine(`a variable that is none: ${rest.slice(0, 20)}`)
    const value = this.#variables(name) ?? usual
    if (value === undefined)
      throw new UnreadableLine(`the environment variable ${name}, which is not set here`)
    this.#at += text.length
    if (isList === undefined) this.#add(value)
    else this.#addList(value)
    return true
  }

  #addList(value: string): void {
    for (const [index, part] of value.split(/\s+/).entries()) {
      if (index > 0) this.#endWord()
      if (part !== '') this.#add(part)
    }
    if (this.#word === '') this.#word = undefined
  }

  #add(text: string): void {
    this.#word = (this.#word ?? '') + text
  }

  #endWord(): void {
    if (this.#word !== undefined) this.#words.push(this.#word)
    this.#word = undefined
  }
}

/** The inverse of {@link readWords}: a word that HAProxy reads as it is, whatever is in it. */
export function writeWord(word: string): string {
  if (/^[A-Za-z0-9_.:/@,=+*%!()[\]{}<>|?;~^&-]+$/.test(word)) return word
  return word === '' ? "''" : word.replaceAll(/'|[^ -~\x80-\xff]|(?:(?!')[ -~\x80-\xff])+/g, writePart)
}

function writePart(part: string): string {
  if (part === "'") return "\\'"
  // What cannot be in a line: the control characters.
  if (/^[ -~\x80-\xff]/.test(part)) return `'${part}'`
  return `\\x${part.charCodeAt(0).toString(16).padStart(2, '0')}`
}

export function writeLine(words: readonly string[]): string {
  return words.map(writeWord).join(' ')
}

/** A line of a crt-list, in which nothing is quoted. */
export function writeCrtListLine(words: readonly string[]): string {
  return words.join(' ').replace('[ ', '[').replace(' ]', ']')
}
