import { readScript } from './document.ts'
import { buildProgram, type Program } from './program.ts'

/** What every document carries: the scripts of `fleet/`, or the program of `agent/`. */
const CARRIED: 'scripts' | 'program' = 'scripts'

/** What a document of a ring carries. */
export function carriedForRing(): string | Program {
  return CARRIED === 'program' ? buildProgram() : readScript('apply-ring.sh')
}

/** What a document of a set of staples carries. */
export function carriedForStaples(): string | Program {
  return CARRIED === 'program' ? buildProgram() : readScript('apply-staple.sh')
}
