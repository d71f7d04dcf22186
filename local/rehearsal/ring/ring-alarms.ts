import type { Template } from '../../../infra/app/build-app.ts'
import { EmbeddedMetrics } from '../../aws/embedded-metrics.ts'
import { type AlarmState, type MetricAlarm, stateOf } from '../../aws/metric-alarm.ts'
import type { Override, Timing } from '../timing.ts'

/** What a ring's alarms are judged by. */
interface Watched {
  readonly synthesis: { readonly template: Template; readonly watch: Template }
  readonly ring: {
    readonly name: string
    readonly functionName: string
    /** Seconds. */
    readonly rotation: { readonly maxKeyAge: number }
  }
  readonly history: { readonly logs: readonly { readonly functionName: string; readonly text: string }[] }
  readonly timing: Pick<Timing, 'tick'>
  readonly override: Pick<Override, 'maxKeyAge'>
}

/** The alarms of both stacks on one ring, as CloudWatch would judge them by what the rotation function measured. */
export class RingAlarms {
  readonly #watched: Watched
  readonly #clock: () => number

  constructor(watched: Watched, clock: () => number) {
    this.#watched = watched
    this.#clock = clock
  }

  /** @param heading of the runbook, by which an alarm is named. @throws Error where neither stack has such an alarm. */
  named(heading: string): MetricAlarm {
    const { synthesis, ring } = this.#watched
    const name = `ticketring-${ring.name}-${heading}`
    const alarm = [synthesis.template, synthesis.watch]
      .flatMap(alarmsIn)
      .find((each) => each.AlarmName === name)
    if (alarm === undefined) throw new Error(`There is no alarm ${name} in either stack`)
    return alarm
  }

  stateOf(heading: string): AlarmState {
    return this.#statesOf(heading).at(-1) as AlarmState
  }

  /** Whether it is, or was after something was measured since then (ms), in this state. */
  hasBeen(heading: string, state: AlarmState, since: number): boolean {
    return this.#statesOf(heading, since).includes(state)
  }

  /** After each measurement since then, and now. */
  #statesOf(heading: string, since = Number.POSITIVE_INFINITY): readonly AlarmState[] {
    const alarm = this.#shortened(this.named(heading))
    const entries = this.#entries()
    const measured = measuredIn(entries, alarm.Period * 1000)
    const state = (periods: number) => stateOf(alarm, measured, new Date(periods * alarm.Period * 1000))
    const after = entries.flatMap(({ _aws }, at) => (_aws.Timestamp >= since ? [state(at + 1)] : []))
    return [...after, state(entries.length + this.#missingSince(entries.at(-1)))]
  }

  /** Whether who is on call is woken by an alarm that gets into this state. */
  pages(heading: string, state: Exclude<AlarmState, 'OK'>): boolean {
    const { AlarmActions = [], InsufficientDataActions = [] } = this.named(heading)
    // Silence pages, whatever else does.
    const { InsufficientDataActions: [page = ''] = [] } = this.named('key-age')
    return (state === 'ALARM' ? AlarmActions : InsufficientDataActions).includes(page)
  }

  /** A limit of seconds is shortened as the function's own is. */
  #shortened(alarm: MetricAlarm): MetricAlarm {
    if (alarm.Threshold !== this.#watched.ring.rotation.maxKeyAge) return alarm
    return { ...alarm, Threshold: this.#watched.override.maxKeyAge }
  }

  /** Ticks that did not measure: silence is of as many periods. */
  #missingSince(last: Entry | undefined): number {
    const at = last?._aws.Timestamp ?? 0
    return Math.floor((this.#clock() - at) / (this.#watched.timing.tick * 1000))
  }

  /** One for each tick, in their order: failures are counted by code beside it. A pipe may cut a line in two. */
  #entries(): readonly Entry[] {
    const { history, ring } = this.#watched
    const ofRing = history.logs.filter(({ functionName }) => functionName === ring.functionName)
    const lines = ofRing.flatMap(({ text }) =>
      text.split('\n').filter((line) => /^\{"_aws":.*\}$/.test(line)),
    )
    return lines.map((line) => JSON.parse(line) as Entry).filter(({ Code }) => Code === undefined)
  }
}

/** Of CloudWatch's embedded metric format. */
interface Entry {
  readonly _aws: { readonly Timestamp: number }
  readonly Code?: string
}

/**
 * One tick measures once in a period of CloudWatch, and so it does here, however late a busy processor lets it come: what is
 * measured is of one period each.
 * @param period ms
 */
function measuredIn(entries: readonly Entry[], period: number): EmbeddedMetrics {
  const measured = new EmbeddedMetrics()
  for (const [at, { _aws, ...entry }] of entries.entries())
    measured.write(JSON.stringify({ ...entry, _aws: { ..._aws, Timestamp: at * period } }))
  return measured
}

function alarmsIn({ Resources }: Template): readonly MetricAlarm[] {
  const all = Object.values(Resources) as readonly {
    readonly Type: string
    readonly Properties: MetricAlarm
  }[]
  return all.filter(({ Type }) => Type === 'AWS::CloudWatch::Alarm').map(({ Properties }) => Properties)
}
