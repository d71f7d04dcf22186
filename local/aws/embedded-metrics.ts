import { isDeepStrictEqual } from 'node:util'

interface Line {
  readonly _aws?: {
    /** Milliseconds. */
    readonly Timestamp: number
    readonly CloudWatchMetrics: readonly {
      readonly Namespace: string
      readonly Dimensions: readonly (readonly string[])[]
      readonly Metrics: readonly { readonly Name: string }[]
    }[]
  }
  readonly [name: string]: unknown
}

/** What CloudWatch takes from a function's log. Source: its user guide, embedded metric format specification. */
export class EmbeddedMetrics {
  readonly #lines: Line[] = []

  /** Takes a line of a log; what is no metric is no data. */
  readonly write = (line: string): void => {
    this.#lines.push(JSON.parse(line))
  }

  /** The values of one metric, each with its time in milliseconds. */
  of(namespace: string, metric: string, dimensions: Readonly<Record<string, string>>) {
    return this.#lines.flatMap((line) => {
      const definitions = line._aws?.CloudWatchMetrics ?? []
      const measured = definitions.some(
        ({ Namespace, Dimensions, Metrics }) =>
          Namespace === namespace &&
          Metrics.some(({ Name }) => Name === metric) &&
          Dimensions.some((names) =>
            isDeepStrictEqual(Object.fromEntries(names.map((name) => [name, line[name]])), dimensions),
          ),
      )
      const value = line[metric]
      return measured && line._aws !== undefined && typeof value === 'number'
        ? [{ time: line._aws.Timestamp, value }]
        : []
    })
  }
}
