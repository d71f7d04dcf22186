import { performance } from 'node:perf_hooks'

/** ms between two looks. */
const LOOK = 100

/**
 * Waits until the work ends, or until this thread has waited for nothing and its process has worked for so many ms
 * together: an hour in which others have the processor is none of them. The work goes on all the same.
 */
export async function within<T>(patience: number, work: Promise<T>): Promise<T | 'late'> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>((resolve) => {
    let [spent, loop, processor] = [0, performance.eventLoopUtilization(), process.cpuUsage()]
    timer = setInterval(() => {
      const { idle } = performance.eventLoopUtilization(loop)
      const { user, system } = process.cpuUsage(processor)
      // A loop that is woken late has been idle for one look, not for the time that it stood in the queue.
      spent += Math.min(idle, LOOK) + (user + system) / 1000
      if (spent > patience) resolve('late')
      ;[loop, processor] = [performance.eventLoopUtilization(), process.cpuUsage()]
    }, LOOK)
  })
  return await Promise.race([work, late]).finally(() => clearInterval(timer))
}
