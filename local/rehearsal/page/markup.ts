/** Text that is HTML already: all else is escaped where it is put in. */
export class Markup {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

type Part = Markup | string | number | readonly Markup[]

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** A template whose values are escaped, for a text and for an attribute in quotes alike. */
export function html(texts: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  return new Markup(texts.map((text, at) => text + rendered(parts[at])).join(''))
}

function rendered(part: Part | undefined): string {
  if (part === undefined) return ''
  if (part instanceof Markup) return part.text
  if (typeof part === 'object') return part.map(({ text }) => text).join('')
  // A control character is nothing that a page could show.
  return String(part)
    .replace(/\p{Cc}/gu, '\ufffd')
    .replace(/[&<>"']/g, (sign) => ENTITIES[sign] as string)
}
