import type { Machine } from '../machines/machine.ts'
import { RehearsalError } from '../rehearsal-error.ts'
import type { FleetControl } from './fleet-control.ts'
import { oneOfEach, type Scene } from './scene.ts'

/** Seconds that its boot unit waits: a minute is long in a rehearsal. */
const BOOT_WAIT = '2'

export const rebootWithoutSecrets: Scene = {
  shows:
    'machines reboot while Secrets Manager does not answer them: they serve with keys of their own until it does',
  least: 2,
  async play(fleet) {
    await fleet.calm()
    const machines = oneOfEach(fleet.machines)
    const reasons = machines.map(
      (machine) => `${machine.server} on ${machine.id} served with keys of its own`,
    )
    // A run that began before it answers again may be the one that is answered.
    const since = Date.now()
    fleet.aws.cutOff(machines)
    fleet.say('Secrets Manager does not answer some machines, and they reboot')
    for (const [at, machine] of machines.entries()) await restart(fleet, machine, reasons[at] as string)
    for (const [at, { server }] of machines.entries())
      await fleet.until(
        `clients lose a session at ${server}`,
        () => fleet.expected(reasons[at] as string).lost > 0,
      )
    fleet.aws.reconnect()
    fleet.say('Secrets Manager answers again')
    for (const machine of machines) {
      await fleet.until(`${machine.id} has the ring again`, () =>
        fleet.heard(machine, since).some(({ afterLocalRing }) => afterLocalRing === true),
      )
      fleet.setAvailability(machine, { serves: true })
      await fleet.visited(machine)
    }
    return machines.map(
      ({ server, id }) =>
        `${server} on ${id} started on keys of its own, and the next contact replaced them by the ring`,
    )
  },
}

async function restart(fleet: FleetControl, machine: Machine, reason: string): Promise<void> {
  fleet.setAvailability(machine, { serves: false, reason })
  await fleet.lifecycle.goDown(machine)
  const line = await fleet.lifecycle.comeUp(machine, { BOOT_WAIT })
  if (line?.result !== 'local-ring')
    throw new RehearsalError(`${machine.id} started with ${line?.result}, not with keys of its own`)
  fleet.setAvailability(machine, { serves: true, reason })
}
