import { styleText } from 'node:util'

/** What a piece of text is to its reader. */
export type Tone = 'good' | 'warning' | 'bad' | 'faint'

/** Gives a text its colour, where there are colours. */
export type Paint = (tone: Tone, text: string) => string

export const PLAIN: Paint = (_tone, text) => text

const STYLES = { good: 'green', warning: 'yellow', bad: 'red', faint: 'dim' } as const

/** In colour on a terminal that has colours, unless NO_COLOR is set (https://no-color.org); plain elsewhere. */
export function paintOn(stream: NodeJS.WriteStream): Paint {
  if (!stream.isTTY) return PLAIN
  return (tone, text) => styleText(STYLES[tone], text, { stream })
}
