import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/**
 * Processes that have to do with a folder: in an argument, a variable, the working directory or an open file. So they
 * are found whatever they are called, and no others are.
 */
export function processesOf(folder: string): readonly number[] {
  const numbers = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return numbers.filter((pid) => facts(pid).some((fact) => fact.includes(folder))).map(Number)
}

function facts(pid: string): readonly string[] {
  const files = ['cmdline', 'environ'].map((name) =>
    attempt(() => readFileSync(`/proc/${pid}/${name}`, 'latin1')),
  )
  const open = attempt(() => readdirSync(`/proc/${pid}/fd`)) ?? []
  const links = ['cwd', ...open.map((fd) => `fd/${fd}`)].map((name) =>
    attempt(() => readlinkSync(`/proc/${pid}/${name}`)),
  )
  return [...files, ...links].filter((fact) => fact !== undefined)
}

/** A process may end while it is looked at. */
function attempt<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch {
    return undefined
  }
}
