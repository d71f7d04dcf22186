import type { Tone } from '../../paint.ts'
import { type Tally, totalOf } from '../clients/tally.ts'
import type { Progress } from '../progress.ts'

/** A line that was said. */
export interface Said {
  readonly at: number
  readonly line: string
  readonly tone: Tone | undefined
}

/** How many resumptions had been tried by then, and how many of them were lost or failed. */
export interface Sample {
  readonly at: number
  readonly tried: number
  readonly bad: number
}

/** What of a run is known only while it goes on: what was said, and what its clients had met by when (ms). */
export class RunRecord {
  readonly startedAt = Date.now()
  readonly said: Said[] = []
  readonly samples: Sample[] = []

  /** The same progress, with all that it says on record. */
  listenTo(progress: Progress): Progress {
    return {
      say: (line, tone) => {
        this.said.push({ at: Date.now(), line, tone })
        progress.say(line, tone)
      },
      state: (text) => progress.state(text),
      end: () => progress.end(),
    }
  }

  /** Once a second. */
  sample(tally: Tally): void {
    const at = Date.now()
    if (at - (this.samples.at(-1)?.at ?? 0) < 1000) return
    const { tried, lost, failed } = totalOf(tally)
    this.samples.push({ at, tried, bad: lost + failed })
  }
}
