import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'

/** Leaders of the groups whose processes may still run. */
const living = new Set<ChildProcess>()

/**
 * Starts a process in a group of its own: what a terminal sends to ours does not reach it, and whatever it started ends
 * with it, a master's workers too.
 */
export function spawnGroup([command = '', ...words]: readonly string[], options: SpawnOptions): ChildProcess {
  const leader = spawn(command, words, { ...options, detached: true })
  endWithUs(leader)
  // Before its number is given to another process: what it leaves in its group would never be stopped.
  leader.once('exit', () => killGroup(leader))
  return leader
}

/** Has the group of a process that was started `detached` end with this program, however that ends. */
export function endWithUs(leader: ChildProcess): void {
  living.add(leader)
  for (const end of ['close', 'error'] as const) leader.once(end, () => living.delete(leader))
}

/** SIGKILL to all processes of a group. @returns false if none of it was left. */
export function killGroup({ pid }: ChildProcess): boolean {
  if (pid === undefined) return false
  try {
    return process.kill(-pid, 'SIGKILL')
  } catch {
    return false
  }
}

/** The last resort, when there is no time left to wait for anything. */
function killAllGroups(): void {
  for (const leader of living) killGroup(leader)
}

process.on('exit', killAllGroups)
