import { isRefusal } from '../../lambda/kernel/errors.ts'
import type { Options } from './options.ts'
import { RehearsalError } from './rehearsal-error.ts'
import type { SynthesisMessage } from './synthesis.ts'
import { synthesiseFor } from './synthesise.ts'

/** A process of its own: the CDK and the bundler let nothing else happen for seconds, not even Ctrl-C. */
process.once('message', ({ fleet, outdir }: { fleet: Options['fleet']; outdir: string }) => {
  process.send?.(answer(fleet, outdir), () => process.disconnect())
})

function answer(fleet: Options['fleet'], outdir: string): SynthesisMessage {
  try {
    return { synthesis: synthesiseFor(fleet, outdir) }
  } catch (error) {
    if (error instanceof RehearsalError) return { refused: error.message, next: error.next }
    if (isRefusal(error)) return { refused: error.message, next: 'Mend cdk.json, then run it again' }
    throw error
  }
}
