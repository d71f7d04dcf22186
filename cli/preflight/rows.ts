import { counted } from '../../lambda/kernel/count.ts'
import { indented } from '../wrapped-text.ts'

/** What was found on a machine. */
export interface Row {
  readonly problem: string
  readonly machine: string
  readonly found: string
}

/** Columns that a table's last one needs to be read: with fewer, what is found stands below its machine. */
const LEAST_LAST = 40

/** A table where it fits, else a heading for each problem. Nothing is cut. @param columns of the terminal, where it is one */
export function rowsText(rows: readonly Row[], columns: number | undefined): string {
  const widths = (['problem', 'machine'] as const).map((each) =>
    Math.max(...[HEAD, ...rows].map((row) => row[each].length)),
  )
  const before = widths.reduce((sum, width) => sum + width + 2, 0)
  if (columns !== undefined && columns - before < LEAST_LAST) return stacked(rows, columns)
  return [HEAD, ...rows].flatMap((row) => tableRow(row, widths, before, columns)).join('\n')
}

const HEAD: Row = { problem: 'PROBLEM', machine: 'MACHINE', found: 'FOUND' }

function tableRow(
  { problem, machine, found }: Row,
  [first = 0, second = 0]: readonly number[],
  before: number,
  columns: number | undefined,
): readonly string[] {
  const [line = '', ...more] = indented(found, columns, ' '.repeat(before))
  const head = `${problem.padEnd(first)}  ${machine.padEnd(second)}  `
  return [`${head}${line.slice(before)}`.trimEnd(), ...more]
}

function stacked(rows: readonly Row[], columns: number): string {
  const problems = [...new Set(rows.map(({ problem }) => problem))]
  return problems
    .flatMap((problem) => {
      const own = rows.filter((row) => row.problem === problem)
      const machines = own.flatMap(({ machine, found }) => [
        `  ${machine}`,
        ...indented(found, columns, '    '),
      ])
      return [`${problem}: ${counted(own.length, 'machine')}`, ...machines]
    })
    .join('\n')
}
