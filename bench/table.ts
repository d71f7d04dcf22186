/** One line of the result: what was measured, ours, and what else there is. */
export interface Row {
  readonly what: string
  readonly ours: string
  /** One line each. */
  readonly others: readonly string[]
  readonly target?: Target
}

/** A number to reach (docs/design.md, "Numbers to reach"): an observation of this run, nothing more. */
export interface Target {
  readonly text: string
  readonly met: boolean
}

export function atMost(limit: number, unit: string, value: number): Target {
  return { text: `<= ${limit.toLocaleString('en')} ${unit}`, met: value <= limit }
}

const HEAD = ['what', 'ours', 'the alternative', 'target', ''] as const
const WIDEST = [42, 30, 58, 12, 6] as const

/** The table as text: columns as wide as they need to be, long cells wrapped. */
export function renderTable(rows: readonly Row[]): string {
  const body = rows.map(cellsOf)
  const lines = [HEAD.map((title) => [title]), ...body]
  const widths = HEAD.map((_, column) =>
    Math.max(...lines.flatMap((cells) => (cells[column] ?? []).map(({ length }) => length))),
  )
  const rule = widths.map((width) => '-'.repeat(width)).join('  ')
  return [layOut(lines[0] ?? [], widths), rule, ...body.map((cells) => layOut(cells, widths)), ''].join('\n')
}

type Cells = readonly (readonly string[])[]

function cellsOf({ what, ours, others, target }: Row): Cells {
  const verdict = target === undefined ? '' : target.met ? 'met' : 'missed'
  const texts = [[what], [ours], others, [target?.text ?? ''], [verdict]]
  return texts.map((lines, column) => lines.flatMap((line) => wrap(line, WIDEST[column] ?? 40)))
}

function layOut(cells: Cells, widths: readonly number[]): string {
  const height = Math.max(1, ...cells.map(({ length }) => length))
  return Array.from({ length: height }, (_, line) =>
    widths
      .map((width, column) => (cells[column]?.[line] ?? '').padEnd(width))
      .join('  ')
      .trimEnd(),
  ).join('\n')
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= width) lines.splice(-1, 1, `${last} ${word}`)
    else lines.push(word)
  }
  return lines
}
