/** Directives of nginx.conf. Source: ngx_conf_file.c, ngx_conf_read_token. */
import type { Spot } from '../findings.ts'

/** A directive: its words, and what is in its braces if it has any. */
export interface Node {
  readonly spot: Spot
  readonly words: readonly string[]
  readonly block?: readonly Node[]
}

/** Why a file cannot be read, and where. */
export class UnreadableFile extends Error {
  readonly spot: Spot

  constructor(spot: Spot, why: string) {
    super(why)
    this.spot = spot
  }
}

/** @throws UnreadableFile */
export function readDirectives(text: string, file: string): readonly Node[] {
  return new DirectiveReader(text, file).nodes(0)
}

/** A word, without its quotes, and the character that ends a directive or a block. */
type Token = { readonly word: string } | { readonly mark: ';' | '{' | '}' }

class DirectiveReader {
  readonly #text: string
  readonly #file: string
  #at = 0
  #line = 1

  constructor(text: string, file: string) {
    this.#text = text
    this.#file = file
  }

  nodes(depth: number): readonly Node[] {
    const found: Node[] = []
    for (;;) {
      const words: string[] = []
      let line = this.#line
      let token = this.#token()
      for (; token !== undefined && 'word' in token; token = this.#token()) {
        if (words.length === 0) line = this.#line
        words.push(token.word)
      }
      const spot = { file: this.#file, line }
      if (token === undefined) {
        if (words.length > 0 || depth > 0)
          throw this.#refuse(depth > 0 ? 'a { that is not closed' : 'a line without ;')
        return found
      }
      if (token.mark === '}') {
        if (words.length > 0 || depth === 0) throw this.#refuse('an unexpected }')
        return found
      }
      if (words.length === 0) throw this.#refuse(`an unexpected ${token.mark}`)
      if (token.mark === ';') found.push({ spot, words })
      else found.push({ spot, words, block: this.#block(words, depth + 1) })
    }
  }

  /** What is in braces: of Lua nothing, since its lines are no directives. */
  #block([directive = '']: readonly string[], depth: number): readonly Node[] {
    if (!directive.endsWith('_by_lua_block')) return this.nodes(depth)
    for (let open = 1; open > 0; ) {
      const code = this.#next(/[^{}]*[{}]/y)
      if (code === undefined) throw this.#refuse('a { that is not closed')
      this.#move(code)
      open += code.endsWith('{') ? 1 : -1
    }
    return []
  }

  #refuse(why: string): UnreadableFile {
    return new UnreadableFile({ file: this.#file, line: this.#line }, why)
  }

  #token(): Token | undefined {
    this.#skip()
    const char = this.#text[this.#at]
    if (char === undefined) return undefined
    if (char === ';' || char === '{' || char === '}') {
      this.#at += 1
      return { mark: char }
    }
    return { word: unescaped(char === '"' || char === "'" ? this.#quoted(char) : this.#plain()) }
  }

  /** White space and comments, which begin between words alone. */
  #skip(): void {
    this.#move(this.#next(/(?:[ \t\r\n]+|#[^\n]*)*/y) ?? '')
  }

  #quoted(quote: string): string {
    const found = this.#next(quote === '"' ? /"(?:\\[\s\S]|[^"\\])*"/y : /'(?:\\[\s\S]|[^'\\])*'/y)
    if (found === undefined) throw this.#refuse(`a ${quote} that is not closed`)
    this.#move(found)
    const after = this.#text[this.#at] ?? ' '
    if (!/[ \t\r\n;{)]/.test(after)) throw this.#refuse(`an unexpected ${after} after a quote`)
    return found.slice(1, -1)
  }

  /** A brace after a $ begins a variable. */
  #plain(): string {
    const word = this.#next(/(?:\$+\{|\\[\s\S]|[^ \t\r\n;{\\$]|\$(?!\$*\{))+/y)
    if (word === undefined) throw this.#refuse('an unexpected \\')
    this.#move(word)
    return word
  }

  #next(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    return pattern.exec(this.#text)?.[0]
  }

  #move(text: string): void {
    this.#at += text.length
    this.#line += text.split('\n').length - 1
  }
}

const ESCAPES: Readonly<Record<string, string>> = { t: '\t', r: '\r', n: '\n' }

function unescaped(text: string): string {
  return text.replaceAll(/\\(["'\\trn])/g, (_, char: string) => ESCAPES[char] ?? char)
}

/** The inverse of reading: a word that nginx reads as it is, whatever is in it. */
export function writeWord(word: string): string {
  if (/^[A-Za-z0-9_.:/@,=+*%!()[\]<>|?~^&$-]+$/.test(word)) return word
  const escaped = word
    .replaceAll(/["\\]/g, '\\$&')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
    .replaceAll('\t', '\\t')
  return `"${escaped}"`
}
