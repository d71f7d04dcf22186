import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Synthesis } from '../../infra/build-app.ts'
import type { Result } from '../../local/rehearsal/judge.ts'
import type { Pace } from '../../local/rehearsal/pace.ts'
import { SILENT } from '../../local/rehearsal/progress.ts'
import { rehearse } from '../../local/rehearsal/rehearsal.ts'
import type { Seed } from '../../local/rehearsal/seed.ts'
import { synthesiseFor } from '../../local/rehearsal/synthesise.ts'
import { forgetDisk } from '../../local/rehearsal/workspace.ts'

export const FLEET = { haproxy: 2, nginx: 2 }
/** As short as whole seconds and the gate allow. */
export const QUICK: Pace = { every: 5, ticketLifetime: 2, tick: 2, association: 60 }

/** The stack once for all rehearsals of a test file. */
export function synthesiseOnce(): { readonly synthesis: Synthesis; readonly forget: () => void } {
  const directory = mkdtempSync(join(tmpdir(), 'ticketring-test-'))
  const synthesis = synthesiseFor(FLEET, join(directory, 'cdk.out'))
  return { synthesis, forget: () => rmSync(directory, { recursive: true, force: true }) }
}

/** One, not the show's four, which would spend most of the time on handshakes: what it finds out is the same. */
const CLIENTS = 1

/** A rehearsal as the command runs it, with something broken or not; its folder is removed either way. */
export async function rehearseWith(
  seed: Seed,
  rotations: number,
  pace = QUICK,
  fleet = FLEET,
): Promise<Result> {
  const signal = new AbortController().signal
  const result = await rehearse({
    rotations,
    fleet,
    keep: false,
    progress: SILENT,
    signal,
    pace,
    seed,
    lanes: CLIENTS,
  })
  forgetDisk(result.stage.workspace)
  return result
}
