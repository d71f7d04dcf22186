import type { Scene } from './scene.ts'

export const pauseOverMaxKeyAge: Scene = {
  shows:
    'an operator pauses the ring for longer than maxKeyAge: it stays as it is and pages, until it is resumed',
  least: 1,
  async play(fleet) {
    const { operator, ring } = fleet
    await fleet.calm()
    const paused = await operator.types(['pause', ring.name, '--for', '1h', '--reason', 'a sale'], {
      code: 0,
      says: [/^\w+: paused until .*: a sale$/],
    })
    const before = fleet.generation
    fleet.aws.limitKeyAge(3)
    fleet.say('the ring is paused, and maxKeyAge is 3 T, as cdk.json has it')
    // One that was being committed when the pause began still comes.
    const allow = fleet.forbid(() =>
      fleet.generation > before + 1
        ? `the ring went on from generation ${before} to ${fleet.generation} in a pause`
        : undefined,
    )
    const pages = [await operator.isPaged('key-age'), await operator.isPaged('rotation-held')]
    const held = fleet.generation
    const status = await operator.repeats(['status', ring.name], {
      code: 1,
      says: [/: PAUSED: /, /^paused until /, /past maxKeyAge/, /^next: ticketring resume /],
    })
    for (const machine of fleet.machines) await fleet.visited(machine)
    allow()
    // What is due comes with the next tick; what is too old would come without its proof.
    fleet.aws.limitKeyAge()
    const resumed = await operator.types(['resume', ring.name], { code: 0, says: [/pause/] })
    await fleet.generations(1)
    const over = await operator.isRelieved('rotation-held')
    return [
      ...paused,
      `generation ${held} stayed past maxKeyAge, and clients came back to every machine`,
      ...pages,
      ...status,
      ...resumed,
      `the ring went on with generation ${fleet.generation}; ${over}`,
    ]
  },
}
