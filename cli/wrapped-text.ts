import type { Io } from './command.ts'

/** What is typed as it stands, up to what ends it in a sentence; what is quoted; a word. */
const UNBROKEN = /(?:(?:npx )?\bticketring|\baws|\bcurl|\bsudo) [^;]*?(?=;|\s{2,}|$)\S*|`[^`]*`\S*|\S+/g
const HANGING = 4

/** For who reads it: on a terminal in lines no longer than that is wide, elsewhere as it is. */
export function readable({ columns }: Pick<Io, 'columns'>, text: string): string {
  return columns === undefined ? text : wrappedText(text, columns)
}

/** Lines that all stand as far in; one where there is no terminal. */
export function indented(text: string, columns: number | undefined, indent: string): readonly string[] {
  const line = `${indent}${text}`
  return columns === undefined ? [line] : wrappedText(line, columns, 0).split('\n')
}

/**
 * Broken between words alone: what is to be copied stays on a line of its own, however long that gets.
 * @param hanging columns that what follows stands further in
 */
export function wrappedText(text: string, columns: number, hanging = HANGING): string {
  return text
    .split('\n')
    .flatMap((line) => (line.length <= columns ? [line] : wrapped(line, columns, hanging)))
    .join('\n')
}

function wrapped(line: string, columns: number, hanging: number): readonly string[] {
  const lead = /^ */.exec(line)?.[0] ?? ''
  const lines: string[] = []
  let [open, end] = ['', 0]
  for (const { 0: unit, index } of line.matchAll(UNBROKEN)) {
    const gap = line.slice(end, index)
    end = index + unit.length
    if (open === '' || open.length + gap.length + unit.length <= columns) {
      open += gap + unit
      continue
    }
    lines.push(open)
    open = `${lead}${' '.repeat(hanging)}${unit}`
  }
  return [...lines, open]
}
