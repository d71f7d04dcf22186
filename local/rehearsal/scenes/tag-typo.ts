import type { Scene } from './scene.ts'

export const tagTypo: Scene = {
  shows:
    'a typo in the tag of every machine empties the roll call: the rotation is held and pages, until it is mended',
  least: 2,
  async play(fleet) {
    const { operator, ring } = fleet
    const { tag } = ring.targets
    await fleet.calm()
    const before = fleet.generation
    for (const instance of fleet.lifecycle.instances)
      instance.retag({ ...instance.tags, [tag]: misspelt(instance.tags[tag]) })
    fleet.say(`every machine has the tag ${tag}=${misspelt(ring.targets.values[0])}`)
    const allow = fleet.forbid(() =>
      fleet.generation > before + 1
        ? `the ring went on from generation ${before} to ${fleet.generation} without its fleet`
        : undefined,
    )
    const paged = await operator.isPaged('rotation-held')
    const held = fleet.generation
    const status = await operator.repeats(['status', ring.name], {
      code: 1,
      says: [/^\w+: HELD/, /now: hold: .*machines? with the tag/, /next: /],
    })
    for (const machine of fleet.machines) await fleet.visited(machine)
    allow()
    for (const instance of fleet.lifecycle.instances)
      instance.retag({ ...instance.tags, [tag]: ring.targets.values[0] as string })
    fleet.say('the tag is mended')
    await fleet.generations(1)
    const over = await operator.isRelieved('rotation-held')
    return [
      `no machine had the ring's tag: generation ${held} stayed, and clients came back to every machine`,
      paged,
      ...status,
      `the tag was mended, and the ring went on with generation ${fleet.generation}; ${over}`,
    ]
  },
}

/** Two letters change places. */
function misspelt(value = ''): string {
  return `${value.slice(0, 1)}${value.slice(2, 3)}${value.slice(1, 2)}${value.slice(3)}`
}
