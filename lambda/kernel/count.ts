/** `1 machine`, `3 machines`, `6,500 resumptions`. */
export function counted(count: number, noun: string): string {
  return `${count.toLocaleString('en-US')} ${noun}${count === 1 ? '' : 's'}`
}

/** `all 3 machines hold`, `the one machine holds`. @param verb as several do it. */
export function allMachines(count: number, verb: string): string {
  return count === 1 ? `the one machine ${verb}s` : `all ${count} machines ${verb}`
}
