import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Synthesis } from '../../infra/app/build-app.ts'
import { endWithUs, killGroup } from '../process-group.ts'
import type { Fleet } from './machines/kinds.ts'
import { TSX } from './project-root.ts'
import { RehearsalError, stopIfAsked } from './rehearsal-error.ts'
import { type StackPlan, type StackWishes, stackPlanOf } from './stack-plan.ts'
import { SynthesisCache } from './synthesis-cache.ts'

/** What comes of a synthesis: the stack, or why there is none. */
export type SynthesisMessage =
  | { readonly synthesis: Synthesis }
  | { readonly refused: string; readonly next: string }

/**
 * The stack for a fleet, with its assembly in `outdir`: as it was synthesised before, where nothing that goes into it has
 * changed since.
 * @throws RehearsalError where the configuration is refused, or when it is told to stop.
 */
export async function stackFor(
  fleet: Fleet,
  outdir: string,
  signal = new AbortController().signal,
  wishes: StackWishes = {},
): Promise<Synthesis> {
  const plan = stackPlanOf(fleet, wishes)
  // No other rehearsal has these ARNs.
  if (wishes.existing !== undefined) return synthesiseApart(plan, outdir, signal)
  return new SynthesisCache().obtain(plan, outdir, () => synthesiseApart(plan, outdir, signal))
}

/** In a process of its own, which `signal` ends at once. */
async function synthesiseApart(plan: StackPlan, outdir: string, signal: AbortSignal): Promise<Synthesis> {
  stopIfAsked(signal)
  const file = fileURLToPath(new URL('./synthesis-process.ts', import.meta.url))
  const child = fork(file, { execArgv: TSX, detached: true })
  endWithUs(child)
  const stop = () => killGroup(child)
  signal.addEventListener('abort', stop)
  try {
    child.send({ plan, outdir })
    const said = once(child, 'message')
    const [message] = (await Promise.race([said, once(child, 'exit')])) as [SynthesisMessage | number | null]
    stopIfAsked(signal)
    return read(message)
  } finally {
    signal.removeEventListener('abort', stop)
    stop()
  }
}

function read(message: SynthesisMessage | number | null): Synthesis {
  if (typeof message !== 'object' || message === null)
    throw new RehearsalError('The stack could not be synthesised', 'The reason is above')
  if ('refused' in message) throw new RehearsalError(message.refused, message.next)
  return message.synthesis
}
