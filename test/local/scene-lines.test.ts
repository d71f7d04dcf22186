/** The scenes of failure take a quarter of an hour, and are seldom played: that they read what `status` prints is held here. */
import { expect, it } from 'vitest'
import { stragglerLines } from '../../cli/ring/straggler-lines.ts'
import type { Machine } from '../../local/rehearsal/machines/machine.ts'
import { lineOn } from '../../local/rehearsal/scenes/scene.ts'

const id = 'i-0123456789abcdef0'
const machine = { id } as Machine
const fleet = { members: 2, confirmed: 1, stragglers: [{ id, reason: 'tickets-off: wanted a ticket' }] }
const linesOf = (places: object) =>
  stragglerLines({ fleet, places } as unknown as Parameters<typeof stragglerLines>[0]).map((line) =>
    line.trim(),
  )

it.each([
  ['nothing but its id', {}],
  ['its name', { [id]: { name: 'edge haproxy' } }],
  ['its name and its zone', { [id]: { name: 'edge haproxy', zone: 'us-east-1a' } }],
])('a scene finds the line of a machine of which status tells %s', (_, places) => {
  const [line] = linesOf(places)
  expect(line).toMatch(lineOn(machine, 'tickets-off'))
  expect(line).not.toMatch(lineOn(machine, 'tickets'))
  expect(line).not.toMatch(lineOn(machine, 'socket-refused'))
  expect(line).not.toMatch(lineOn({ ...machine, id: 'i-0123456789abcdef1' }, 'tickets-off'))
})
