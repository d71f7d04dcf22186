import { isRefusal } from '../../lambda/kernel/errors.ts'
import { RehearsalError } from './rehearsal-error.ts'
import type { StackPlan } from './stack-plan.ts'
import type { SynthesisMessage } from './synthesis.ts'
import { synthesiseFor } from './synthesise.ts'

/** A process of its own: the CDK and the bundler let nothing else happen for seconds, not even Ctrl-C. */
process.once('message', ({ plan, outdir }: { plan: StackPlan; outdir: string }) => {
  process.send?.(answer(plan, outdir), () => process.disconnect())
})

function answer(plan: StackPlan, outdir: string): SynthesisMessage {
  try {
    return { synthesis: synthesiseFor(plan, outdir) }
  } catch (error) {
    if (error instanceof RehearsalError) return { refused: error.message, next: error.next }
    if (isRefusal(error)) return { refused: error.message, next: 'Mend cdk.json, then run it again' }
    throw error
  }
}
