/** The lock under which documents install. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { BareMachine } from './stand-in.ts'

/** Holds it until the process is killed. */
export async function holdLock({ library }: BareMachine): Promise<ChildProcess> {
  mkdirSync(library, { recursive: true })
  const lock = join(library, '.lock')
  const holder = spawn('flock', ['--no-fork', lock, 'sleep', '600'], { stdio: 'ignore' })
  await waitFor(() => spawnSync('flock', ['-n', lock, 'true']).status === 1)
  return holder
}

/** Whether it has the lock's file open: it cannot get further. */
export function waitsForLock({ library }: BareMachine, pid: number): boolean {
  const { stdout } = spawnSync('ls', ['-l', `/proc/${pid}/fd`], { encoding: 'utf8' })
  return stdout.includes(join(library, '.lock'))
}

export async function waitFor(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20))
}
