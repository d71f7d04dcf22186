import type { Machine } from '../machines/machine.ts'
import type { FleetControl } from './fleet-control.ts'
import type { Scene } from './scene.ts'

export const runCommandOutage: Scene = {
  shows:
    'Run Command and State Manager fail for 3 T: machines pull by their timers, and the ring is forced on, and pages',
  least: 3,
  async play(fleet) {
    const { operator, ring } = fleet
    await fleet.calm()
    // Its timer does not run: what no one brings it, it has not.
    const [idle, ...pulling] = fleet.machines as [Machine, ...Machine[]]
    fleet.aws.stopCommands()
    fleet.say('Run Command and State Manager reach no machine')
    const before = fleet.generation
    await fleet.until('the next generation is committed', () => fleet.generation > before)
    await pullAll(fleet, pulling)
    const reason = `${idle.server} on ${idle.id} had neither Run Command nor a timer, and was left behind by two generations`
    fleet.setAvailability(idle, { serves: true, reason, isBehind: true })
    const waiting = fleet.generation
    const status = await operator.repeats(['status', ring.name], {
      code: 1,
      says: [/: (HELD|DEGRADED): /, /^now: .*not been delivered yet/],
    })
    fleet.aws.limitKeyAge(3)
    fleet.say(
      `every machine but ${idle.id} has pulled generation ${waiting}; maxKeyAge is 3 T, as cdk.json has it`,
    )
    await fleet.until('the ring is forced on', () => fleet.generation > waiting)
    fleet.aws.limitKeyAge()
    if (fleet.expected(reason).lost > 0)
      fleet.fail('sessions were lost before any machine was two generations behind')
    const paged = await operator.isPaged('rotation-forced')
    await pullAll(fleet, pulling)
    await fleet.until('clients lose a session', () => fleet.expected(reason).lost > 0)
    const since = Date.now()
    fleet.aws.resumeCommands()
    fleet.say('Run Command and State Manager work again')
    await fleet.until(`${idle.id} has proved the ring again`, () =>
      fleet.heard(idle, since).some(({ generation, error }) => error === undefined && generation > waiting),
    )
    fleet.setAvailability(idle, { serves: true })
    await fleet.visited(idle)
    await fleet.generations(1)
    return [
      `no command was sent for 3 T: ${pulling.length} machines pulled each generation and lost nothing between them`,
      ...status,
      paged,
      `all have proved generation ${fleet.generation} since Run Command works again`,
    ]
  },
}

async function pullAll(fleet: FleetControl, machines: readonly Machine[]): Promise<void> {
  const wanted = fleet.generation
  for (const machine of machines) {
    const line = await fleet.lifecycle.pull(machine)
    if (line === undefined || line.generation < wanted)
      fleet.fail(`${machine.id} pulled generation ${line?.generation}, not ${wanted}`)
  }
}
