import { tolerateClosedPipes } from './closed-pipe.ts'

/** What a shell shows for a command that Ctrl-C ended, and for one whose reader has left. */
const INTERRUPTED = 130
const UNREAD = 141
/** One Ctrl-C comes more than once: from the terminal, and from what started us (ms). */
const ONE_KEY = 1_000

/** A user's wish that a long command ends before its time. */
interface Interruption {
  readonly signal: AbortSignal
  /** The exit code that says so. */
  readonly code: number
}

/** Listens for Ctrl-C and the like, and for a reader who leaves. A user who asks twice gets a quick end, not an orderly one. */
export function listenForInterruption(): Interruption {
  const controller = new AbortController()
  const { signal } = controller
  const interruption = { signal, code: INTERRUPTED }
  let askedAt: number | undefined
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (askedAt !== undefined && Date.now() - askedAt > ONE_KEY) process.exit(interruption.code)
      askedAt ??= Date.now()
      controller.abort()
    })
  }
  tolerateClosedPipes(() => {
    if (!signal.aborted) interruption.code = UNREAD
    controller.abort()
  })
  return interruption
}
