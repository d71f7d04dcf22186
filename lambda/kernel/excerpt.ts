/** Characters of a text from outside that an operator is shown: more of it explains nothing, and fills the log. */
const LONGEST = 160

/** What shows nothing or moves what stands around it, line ends included, and halves of surrogate pairs. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/gu

/** Text from a certificate, a response or a server as it may be shown: one line, cut. Does not throw. */
export function excerpt(text: string, longest = LONGEST): string {
  const cut = text.length > longest ? `${text.slice(0, longest)}…` : text
  return cut.replace(UNPRINTABLE, '?')
}
