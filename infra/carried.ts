import type { DeliveryConfiguration } from './delivery-configuration.ts'
import { readScript } from './document.ts'
import { buildProgram, type Program } from './program.ts'

/** What every document carries: the scripts of `fleet/`, or the program of `agent/`. */
const CARRIED: 'scripts' | 'program' = 'scripts'

type Origin = Pick<DeliveryConfiguration, 'program'>

/** What a document of a ring carries. */
export function carriedForRing(origin: Origin): string | Program {
  return isProgram(origin) ? buildProgram() : readScript('apply-ring.sh')
}

/** What a document of a set of staples carries. */
export function carriedForStaples(origin: Origin): string | Program {
  return isProgram(origin) ? buildProgram() : readScript('apply-staple.sh')
}

/** No package has the scripts. */
function isProgram({ program }: Origin): boolean {
  return CARRIED === 'program' || program === 'installed'
}
