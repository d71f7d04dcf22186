import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { terminatorOf } from '../machines/kinds.ts'
import type { Machine } from '../machines/machine.ts'
import { RehearsalError } from '../rehearsal-error.ts'
import type { FleetControl } from './fleet-control.ts'
import { oneOfEach, type Scene } from './scene.ts'

/** A rotation that comes first replaces a file that was changed, and finds nothing: then it is changed again. */
const ATTEMPTS = 20

export const tampered: Scene = {
  shows:
    'key files are overwritten by hand: State Manager finds it, repairs it, and the next delivery counts it',
  least: 1,
  async play(fleet) {
    const machines = oneOfEach(fleet.machines)
    for (const machine of machines) await tamper(fleet, machine)
    await fleet.until('the function counts every repair', () => fleet.driftRepaired >= machines.length)
    return [
      ...machines.map(
        (machine) => `the file of ${machine.server} on ${machine.id} was found changed and put right`,
      ),
      `the function counted ${fleet.driftRepaired} repairs (metric DriftRepaired)`,
    ]
  },
}

/** @throws RehearsalError where no run tells that it has put a file right. */
async function tamper(fleet: FleetControl, machine: Machine): Promise<void> {
  fleet.say(`the key file of ${machine.server} on ${machine.id} is overwritten by hand`)
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    await fleet.calm()
    const since = Date.now()
    overwrite(terminatorOf(machine).keyFiles(machine))
    await fleet.runAssociations()
    if (fleet.heard(machine, since).some(({ drifted = 0 }) => drifted > 0)) return
  }
  throw new RehearsalError(`no run on ${machine.id} tells that it has put the file right`)
}

/** In place, as an editor would: owner and mode stay. */
function overwrite([file = '']: readonly string[]): void {
  writeFileSync(file, randomBytes(readFileSync(file).length).toString('hex'))
}
