/** Control characters but the end of a line and a tab, and what turns the direction of writing. */
const UNSEEN = /(?![\n\t])[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu

/** Reasons, logs and outputs are others' texts, and a terminal obeys what it is sent. JSON stays the same value. */
export function shownText(text: string): string {
  return text.replace(UNSEEN, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
