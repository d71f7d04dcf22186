import { main } from '../../cli/main.ts'

export interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** `ticketring …`, in this process. */
export async function ticketring(...words: readonly string[]): Promise<Ended> {
  let [stdout, stderr] = ['', '']
  const code = await main(words, {
    out: (text) => {
      stdout += `${text}\n`
    },
    error: (text) => {
      stderr += `${text}\n`
    },
    state: () => {},
    endState: () => {},
    onInterrupt: () => {},
    now: Date.now,
  })
  return { code, stdout, stderr }
}
