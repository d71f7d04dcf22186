import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { terminatorOf } from '../machines/kinds.ts'
import { oneOfEach, type Scene } from './scene.ts'

export const tampered: Scene = {
  shows:
    'key files are overwritten by hand: State Manager finds it, repairs it, and the next delivery counts it',
  least: 1,
  async play(stage) {
    await stage.calm()
    const machines = oneOfEach(stage.machines)
    const since = Date.now()
    stage.say('key files are overwritten by hand')
    for (const machine of machines) overwrite(terminatorOf(machine).keyFiles(machine))
    for (const machine of machines)
      await stage.until(`a run on ${machine.id} tells of a repair`, () =>
        stage.heard(machine, since).some(({ drifted = 0 }) => drifted > 0),
      )
    await stage.until('the function counts every repair', () => stage.driftRepaired >= machines.length)
    return [
      ...machines.map(
        (machine) => `the file of ${machine.server} on ${machine.id} was found changed and put right`,
      ),
      `the function counted ${stage.driftRepaired} repairs (metric DriftRepaired)`,
    ]
  },
}

/** In place, as an editor would: owner and mode stay. */
function overwrite([file = '']: readonly string[]): void {
  writeFileSync(file, randomBytes(readFileSync(file).length).toString('hex'))
}
