/** Says what happens while it happens: lasting lines, and below them one line of the present state. */
export interface Progress {
  /** A lasting line. */
  say(line: string): void
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
export function progressOn(screen: Screen, clock: () => number): Progress {
  const start = clock()
  const stamp = () => `${((clock() - start) / 1000).toFixed(1).padStart(6)} s  `
  return screen.isTTY === true ? liveProgress(screen, stamp) : plainProgress(screen, stamp, clock)
}

function liveProgress(screen: Screen, stamp: () => string): Progress {
  const CLEAR = '\r\u001b[2K'
  let shown = ''
  return {
    say(line) {
      screen.write(`${CLEAR}${stamp()}${line}\n${shown}`)
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

function plainProgress(screen: Screen, stamp: () => string, clock: () => number): Progress {
  let last = clock()
  const write = (line: string) => {
    last = clock()
    screen.write(`${stamp()}${line}\n`)
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
