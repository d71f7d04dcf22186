import type { Machine } from '../machines/machine.ts'
import { RehearsalError } from '../rehearsal-error.ts'
import { oneOfEach, type Scene } from './scene.ts'
import type { Stage } from './stage.ts'

/** Seconds that its boot unit waits: a minute is long in a show. */
const BOOT_WAIT = '2'

export const rebootWithoutSecrets: Scene = {
  shows:
    'machines reboot while Secrets Manager does not answer them: they serve with keys of their own until it does',
  least: 2,
  async play(stage) {
    await stage.calm()
    const machines = oneOfEach(stage.machines)
    const reasons = machines.map(
      (machine) => `${machine.server} on ${machine.id} served with keys of its own`,
    )
    // A run that began before it answers again may be the one that is answered.
    const since = Date.now()
    stage.cutOff(machines)
    stage.say('Secrets Manager does not answer some machines, and they reboot')
    for (const [at, machine] of machines.entries()) await restart(stage, machine, reasons[at] as string)
    for (const [at, { server }] of machines.entries())
      await stage.until(
        `clients lose a session at ${server}`,
        () => stage.expected(reasons[at] as string).lost > 0,
      )
    stage.reconnect()
    stage.say('Secrets Manager answers again')
    for (const machine of machines) {
      await stage.until(`${machine.id} has the ring again`, () =>
        stage.heard(machine, since).some(({ afterLocalRing }) => afterLocalRing === true),
      )
      stage.stand(machine, { serves: true })
      await stage.visited(machine)
    }
    return machines.map(
      ({ server, id }) =>
        `${server} on ${id} started on keys of its own, and the next contact replaced them by the ring`,
    )
  },
}

async function restart(stage: Stage, machine: Machine, reason: string): Promise<void> {
  stage.stand(machine, { serves: false, reason })
  await stage.lifecycle.goDown(machine)
  const line = await stage.lifecycle.comeUp(machine, { BOOT_WAIT })
  if (line?.result !== 'local-ring')
    throw new RehearsalError(`${machine.id} started with ${line?.result}, not with keys of its own`)
  stage.stand(machine, { serves: true, reason })
}
