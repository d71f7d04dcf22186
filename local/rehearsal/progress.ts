import { type Paint, PLAIN, type Tone } from '../paint.ts'

/** Says what happens while it happens: lasting lines, and below them one line of the present state. */
export interface Progress {
  /** A lasting line. */
  say(line: string, tone?: Tone): void
  /** The present state: replaces the one before. */
  state(text: string): void
  /** Leaves the last state behind. */
  end(): void
}

/** The most a user waits without a sign of life (ms). */
const SILENCE = 2_000

/** The part of a terminal that is written to. */
interface Screen {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

/** One rewritten line on a terminal; elsewhere a plain line whenever nothing was said for two seconds. */
export function progressOn(screen: Screen, clock: () => number, paint: Paint = PLAIN): Progress {
  const start = clock()
  const stamp = () => `${((clock() - start) / 1000).toFixed(1).padStart(6)} s  `
  const lineOf = (line: string, tone?: Tone) =>
    paint('faint', stamp()) + (tone === undefined ? line : paint(tone, line))
  return screen.isTTY === true ? liveProgress(screen, lineOf, stamp) : plainProgress(screen, lineOf, clock)
}

type LineOf = (line: string, tone?: Tone) => string

function liveProgress(screen: Screen, lineOf: LineOf, stamp: () => string): Progress {
  const CLEAR = '\r\u001b[2K'
  let shown = ''
  return {
    say(line, tone) {
      screen.write(`${CLEAR}${lineOf(line, tone)}\n${shown}`)
    },
    state(text) {
      shown = `${stamp()}${text}`.slice(0, (screen.columns || 80) - 1)
      screen.write(`${CLEAR}${shown}`)
    },
    end() {
      shown = ''
      screen.write(CLEAR)
    },
  }
}

function plainProgress(screen: Screen, lineOf: LineOf, clock: () => number): Progress {
  let last = clock()
  const write = (line: string, tone?: Tone) => {
    last = clock()
    screen.write(`${lineOf(line, tone)}\n`)
  }
  return {
    say: write,
    state(text) {
      if (clock() - last >= SILENCE) write(text)
    },
    end() {},
  }
}

/** For runs that are not watched. */
export const SILENT: Progress = { say() {}, state() {}, end() {} }
