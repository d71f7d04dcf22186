import type { Scene } from './scene.ts'

export const destroyAndRedeploy: Scene = {
  shows:
    'the stack is deleted: the watch pages, the secret stays, no session is lost; deployed again, it goes on with the ring',
  least: 1,
  async play(fleet) {
    const { operator, ring } = fleet
    await fleet.calm()
    const existing = await fleet.aws.destroyStack()
    const left = fleet.identity
    fleet.say(`the stack is deleted, and leaves ${existing.secretArn}`)
    const paged = await operator.isPaged('key-age', 'INSUFFICIENT_DATA')
    const unknown = await operator.repeats(['status', ring.name], {
      code: 2,
      says: [/^No stack \w+ in this account and Region$/],
    })
    for (const machine of fleet.machines) await fleet.visited(machine)
    await fleet.aws.deployAgain(existing)
    fleet.say('it is deployed again, with "existing" in cdk.json')
    await fleet.generations(1)
    const now = fleet.identity
    if (now.lineage !== left.lineage)
      fleet.fail(`the ring is another: lineage ${now.lineage}, not ${left.lineage}`)
    const over = await operator.isRelieved('key-age')
    const status = await operator.repeats(['status', ring.name], {
      code: 0,
      says: [/^\w+: .*generation \d+/],
    })
    return [
      `without the stack generation ${left.generation} stayed in its secret and on every machine, and clients came back to each`,
      paged,
      ...unknown,
      `deployed again, the ring of lineage ${now.lineage} went on with generation ${now.generation}; ${over}`,
      ...status,
    ]
  },
}
