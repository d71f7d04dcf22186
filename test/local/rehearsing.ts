import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Synthesis } from '../../infra/app/build-app.ts'
import type { Faults } from '../../local/rehearsal/faults.ts'
import type { Fleet } from '../../local/rehearsal/machines/kinds.ts'
import { SILENT } from '../../local/rehearsal/progress.ts'
import { rehearse } from '../../local/rehearsal/rehearsal.ts'
import type { Result } from '../../local/rehearsal/report/judge.ts'
import type { SceneName } from '../../local/rehearsal/scenes/scenes.ts'
import { stackFor } from '../../local/rehearsal/synthesis.ts'
import type { Timing } from '../../local/rehearsal/timing.ts'
import { forgetDisk } from '../../local/rehearsal/workspace.ts'

export const FLEET = { haproxy: 2, nginx: 2 }
/** As short as whole seconds and the gate allow. */
export const QUICK: Timing = { every: 5, ticketLifetime: 2, tick: 2, association: 60 }

/** The stack once for all rehearsals of a test file. */
export async function synthesiseOnce(): Promise<{
  readonly synthesis: Synthesis
  readonly forget: () => void
}> {
  const directory = mkdtempSync(join(tmpdir(), 'ticketring-test-'))
  const synthesis = await stackFor(FLEET, join(directory, 'cdk.out'))
  return { synthesis, forget: () => rmSync(directory, { recursive: true, force: true }) }
}

/** One, not the command's four, which would spend most of the time on handshakes: what it finds out is the same. */
const CLIENTS = 1

/** A rehearsal as the command runs it, with something broken or not; its folder is removed either way. */
export async function rehearseWith(
  faults: Faults,
  rotations: number,
  timing = QUICK,
  fleet: Fleet = FLEET,
  scene?: SceneName,
  more: Partial<Parameters<typeof rehearse>[0]> = {},
): Promise<Result> {
  const signal = new AbortController().signal
  const result = await rehearse({
    rotations,
    fleet,
    keep: false,
    progress: SILENT,
    signal,
    timing,
    faults,
    lanes: CLIENTS,
    ...(scene === undefined ? {} : { scene }),
    ...more,
  })
  forgetDisk(result.testbed.workspace)
  return result
}
