import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Synthesis } from '../../infra/build-app.ts'
import type { Result } from '../../local/rehearsal/judge.ts'
import type { Pace } from '../../local/rehearsal/pace.ts'
import { SILENT } from '../../local/rehearsal/progress.ts'
import { rehearse } from '../../local/rehearsal/rehearsal.ts'
import type { Seed } from '../../local/rehearsal/seed.ts'
import { synthesiseFor } from '../../local/rehearsal/stage.ts'
import { forgetDisk } from '../../local/rehearsal/workspace.ts'

export const FLEET = { haproxy: 2, nginx: 2 }
/** As short as whole seconds and the gate allow. */
export const QUICK: Pace = { every: 5, ticketLifetime: 2, tick: 1, association: 30 }

/** The stack once for all rehearsals of a test file. */
export function synthesiseOnce(): { readonly synthesis: Synthesis; readonly forget: () => void } {
  const directory = mkdtempSync(join(tmpdir(), 'ticketring-test-'))
  const synthesis = synthesiseFor(FLEET, join(directory, 'cdk.out'))
  return { synthesis, forget: () => rmSync(directory, { recursive: true, force: true }) }
}

/** Rehearsals that run side by side: more of them would only fight for two processors. */
const LANES = 2
const lanes: Promise<unknown>[] = Array.from({ length: LANES }, () => Promise.resolve())
let turn = 0

/** A rehearsal as the command runs it, with something broken or not; its folder is removed either way. */
export function rehearseWith(seed: Seed, rotations: number, pace = QUICK): Promise<Result> {
  const lane = turn % LANES
  turn += 1
  const result = (lanes[lane] as Promise<unknown>).then(() => runOne(seed, rotations, pace))
  lanes[lane] = result.catch(() => {})
  return result
}

async function runOne(seed: Seed, rotations: number, pace: Pace): Promise<Result> {
  const signal = new AbortController().signal
  const result = await rehearse({
    rotations,
    fleet: FLEET,
    keep: false,
    progress: SILENT,
    signal,
    pace,
    seed,
  })
  forgetDisk(result.stage.workspace)
  return result
}
