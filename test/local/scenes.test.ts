import { expect, it } from 'vitest'
import { totalOf } from '../../local/rehearsal/clients/tally.ts'
import { SCENE_NAMES, type SceneName } from '../../local/rehearsal/scenes/scenes.ts'
import { QUICK, rehearseWith } from './rehearsing.ts'

/** What each has to say of itself. */
const TELLS: Readonly<Record<SceneName, readonly RegExp[]>> = {
  reboot: [
    /^haproxy .* came back with generation \d+ from its boot unit/,
    /^nginx .* came back with generation \d+/,
  ],
  'reboot-without-secrets': [
    /^haproxy .* started on keys of its own, and the next contact replaced them/,
    /^nginx .* started on keys of its own/,
  ],
  away: [/^haproxy .* left with generation \d+ and came back with generation \d+/],
  tampered: [
    /^the file of haproxy .* put right$/,
    /^the file of nginx .* put right$/,
    /^the function counted \d+ repairs/,
  ],
  pull: [/^3 machines pulled generation \d+ while no agent could be reached/],
  autoscaling: [/^haproxy .* was launched with generation \d+/],
  'tag-typo': [
    /^no machine had the ring's tag: generation \d+ stayed/,
    /^paged: ticketring-edge-rotation-held ALARM: .*runbook\.md#rotation-held$/,
    /^\$ ticketring status edge$/,
    /edge: HELD: generation \d+/,
    /now: hold: 0 machines with the tag ticketring=edge, fewer than minInstances/,
    /next: ticketring /,
    /^the tag was mended, .* ticketring-edge-rotation-held OK again$/,
  ],
}
/** Those that cost sessions, and say whose. */
const COSTLY: readonly SceneName[] = ['reboot-without-secrets']

it.each(SCENE_NAMES)(
  'the scene %s comes to its end, and what it cost is expected, or nothing',
  async (scene) => {
    const fleet = { haproxy: 2, nginx: 1 }
    const { report, problems, tally, told, incidents } = await rehearseWith({}, 1, QUICK, fleet, scene)

    expect(problems).toEqual([])
    expect(incidents.examples).toEqual([])
    expect(totalOf(tally)).toMatchObject({ lost: 0, failed: 0 })
    expect(told.length).toBe(TELLS[scene].length)
    for (const [at, words] of TELLS[scene].entries()) expect(told[at]).toMatch(words)
    expect(report.scene).toEqual({ name: scene, told, expected: tally.expected })
    const lost = Object.values(tally.expected).reduce((sum, each) => sum + each.lost, 0)
    if (COSTLY.includes(scene)) expect(lost).toBeGreaterThan(0)
    else expect(lost).toBe(0)
  },
  600_000,
)
