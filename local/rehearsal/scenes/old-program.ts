import type { Machine } from '../machines/machine.ts'
import type { FleetControl } from './fleet-control.ts'
import type { Scene } from './scene.ts'

export const oldProgram: Scene = {
  shows:
    'the next release is deployed while the canary soaks: its program goes to the canary alone, old and new prove one ring, and a rollback brings the old one back',
  least: 3,
  canary: true,
  async play(fleet) {
    const { operator, ring, machines } = fleet
    const canary = fleet.lifecycle.canary as Machine
    const others = machines.filter((each) => each !== canary)
    const old = ring.document.script
    const next = fleet.aws.nextRelease()
    await fleet.calm()
    const has = (each: Machine) => fleet.provedAt(each, fleet.generation) !== undefined
    await fleet.until('the canary soaks', () => has(canary) && !others.some(has))
    const soaking = fleet.generation
    const since = Date.now()
    await fleet.aws.deploy(next)
    fleet.say(`a release with another program is deployed while the canary ${canary.id} soaks`)
    const ran = (each: Machine, from = 0) =>
      fleet.heard(each, since).some(({ script, generation }) => script === next.script && generation >= from)
    const allow = fleet.forbid(() => {
      const early = others.find((each) => ran(each))
      return early && `${early.id} ran the program ${next.script} before it passed the canary`
    })
    // So that the next generation leaves time to look.
    const words = ['pause', ring.name, '--for', '1h', '--reason', 'a release']
    const paused = await operator.types(words, { code: 0, says: [/: paused until /] })
    await proved(fleet, others, soaking, old, since)
    fleet.say('what it soaked for has gone to the others, by the program that they have')
    const status = await operator.repeats(['status', ring.name], {
      code: 1,
      says: [
        /: PAUSED: /,
        new RegExp(`has not passed the canary \\(${canary.id}\\)`),
        new RegExp(`^programs: ${old} on ${others.length}, ${next.script} on 1$`),
      ],
    })
    for (const each of machines) await fleet.visited(each)
    allow()
    const resumed = await operator.types(['resume', ring.name], { code: 0, says: [/resumed/] })
    await proved(fleet, machines, soaking + 1, next.script, since)
    const first = fleet.provedAt(canary, soaking + 1) as number
    const followed = Math.min(...others.map((each) => fleet.provedAt(each, soaking + 1) as number))
    if (followed < first) fleet.fail(`machines proved generation ${soaking + 1} before the canary`)
    fleet.say('the canary has passed it, and every machine runs the new program')
    for (const each of machines) await fleet.visited(each)
    const backSince = Date.now()
    const back = await operator.types(['rollback', ring.name, '--reason', 'slow since noon'], {
      says: [/ is rolled back by .*: slow since noon$/],
    })
    fleet.say('the release is rolled back')
    // One that was being committed meanwhile may have been sent before.
    const last = fleet.generation + 1
    fleet.forbid(() => {
      const late = machines.find((each) => ran(each, last + 1))
      return late && `${late.id} ran the program ${next.script}, which is rolled back`
    })
    await fleet.generations(1)
    const { generation } = fleet
    await proved(fleet, machines, generation, old, backSince)
    for (const each of machines) await fleet.visited(each)
    const over = await operator.repeats(['status', ring.name], {
      says: [/the last deploy is rolled back .*by .*: slow since noon$/],
    })
    return [
      `a release with the program ${next.script} was deployed while ${canary.server} on ${canary.id} soaked, the canary of ${machines.length} machines: the others proved generation ${soaking} by ${old}, which they had`,
      ...paused,
      ...status,
      ...resumed,
      `all proved generation ${soaking + 1} by the program ${next.script}, the others ${((followed - first) / 1000).toFixed(1)} s after the canary`,
      ...back,
      `all proved generation ${generation} by the program ${old} again, and clients came back to each`,
      ...over,
    ]
  },
}

/** Every one of them has, by this program, since then (ms). */
async function proved(
  fleet: FleetControl,
  machines: readonly Machine[],
  wanted: number,
  program: string,
  since: number,
): Promise<void> {
  const have = (machine: Machine) =>
    fleet
      .heard(machine, since)
      .some(
        ({ error, generation, script }) => error === undefined && generation >= wanted && script === program,
      )
  await fleet.until(`every machine has proved generation ${wanted} by the program ${program}`, () =>
    machines.every(have),
  )
}
