import { expect } from 'vitest'
import { totalOf } from '../../local/rehearsal/clients/tally.ts'
import type { Scene } from '../../local/rehearsal/scenes/scene.ts'
import { SCENES, type SceneName } from '../../local/rehearsal/scenes/scenes.ts'
import { QUICK, rehearseWith } from './rehearsing.ts'

const FLEET = { haproxy: 2, nginx: 1 }
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
    /next: .*ticketring /,
    /^the tag was mended, .* ticketring-edge-rotation-held OK again$/,
  ],
  'run-command-outage': [
    /^no command was sent for 3 T: 2 machines pulled each generation and lost nothing/,
    /^\$ ticketring status edge$/,
    /edge: (HELD|DEGRADED): generation \d+/,
    /has not been delivered yet; the last command was not sent/,
    /^paged: ticketring-edge-rotation-forced ALARM: /,
    /^all have proved generation \d+ since Run Command works again$/,
  ],
  'ten-percent-offline': [
    /^nginx on i-\S+, one of 10, was lost with generation \d+: the others turned without it/,
    /^\$ ticketring status edge$/,
    /edge: (HELD|DEGRADED): generation \d+.*, 9 of 10 machines encrypt with /,
    /^ {2}i-\S+ \(.*\) {2}connection lost$/,
    /^ {2}Not waited for, as Systems Manager has lost it: /,
    /next: ticketring /,
    /^two generations later they lost [1-9]\d* sessions between it and the others$/,
    /^back, it was brought what it lacked, and all have proved generation \d+$/,
  ],
  'pause-over-max-key-age': [
    /^\$ ticketring pause edge --for 1h --reason a sale$/,
    /edge: paused until /,
    /^generation \d+ stayed past maxKeyAge/,
    /^paged: ticketring-edge-key-age ALARM: /,
    /^paged: ticketring-edge-rotation-held ALARM: /,
    /^\$ ticketring status edge$/,
    /edge: PAUSED: generation \d+/,
    /paused until .* by .*: a sale$/,
    /now: hold: .*past maxKeyAge/,
    /next: ticketring resume edge/,
    /^\$ ticketring resume edge$/,
    /resumed/,
    /^the ring went on with generation \d+; ticketring-edge-rotation-held OK again$/,
  ],
  'destroy-and-redeploy': [
    /^without the stack generation \d+ stayed in its secret and on every machine/,
    /^paged: ticketring-edge-key-age INSUFFICIENT_DATA: /,
    /^\$ ticketring status edge$/,
    /No stack Ticketring in this account and Region$/,
    /^deployed again, the ring of lineage \S+ went on with generation \d+; ticketring-edge-key-age OK again$/,
    /^\$ ticketring status edge$/,
    /edge: .*generation \d+/,
  ],
  'canary-fails': [
    /^haproxy on i-\S+ is the canary and could not take generation \d+: 2 machines stayed on the one before, and clients/,
    /^paged: ticketring-edge-canary-failed ALARM: .*runbook\.md#canary-failed$/,
    /^\$ ticketring status edge$/,
    /edge: (HELD|CANARY): /,
    /^ {2}canary: i-\S+: not proved yet; the others stay on the generation before, which costs nothing$/,
    /^ {2}i-\S+ \(.*\) {2}socket-refused: /,
    /next: .*ticketring deliver edge/,
    /^\$ ticketring deliver edge$/,
    /edge: /,
    /^mended, i-\S+ proved generation \d+ alone; the others followed \d+\.\d s later, after its soak$/,
    /^the ring went on with generation \d+; ticketring-edge-canary-failed OK again$/,
  ],
  'old-program': [
    /^a release with the program [0-9a-f]{12} was deployed while haproxy on i-\S+ soaked, the canary of 3 machines/,
    /^\$ ticketring pause edge --for 1h --reason a release$/,
    /edge: paused until /,
    /^\$ ticketring status edge$/,
    /edge: PAUSED: generation \d+.*, 3 of 3 machines encrypt with /,
    /has not passed the canary \(i-\S+\): the others keep their program$/,
    /^ {2}programs: [0-9a-f]{12} on 2, [0-9a-f]{12} on 1$/,
    /^\$ ticketring resume edge$/,
    /resumed/,
    /^all proved generation \d+ by the program [0-9a-f]{12}, the others \d+\.\d s after the canary$/,
    /^\$ ticketring rollback edge --reason slow since noon$/,
    /is rolled back by .*: slow since noon$/,
    /^all proved generation \d+ by the program [0-9a-f]{12} again, and clients came back to each$/,
    /^\$ ticketring status edge$/,
    /the last deploy is rolled back .*by .*: slow since noon$/,
  ],
  'tickets-off': [
    /^nginx on i-\S+ had its session tickets turned off, and clients came back to all others$/,
    /^paged: ticketring-edge-rotation-held ALARM: /,
    /^\$ ticketring status edge$/,
    /edge: (HELD|DEGRADED): /,
    /^ {2}i-\S+ \(.*\) {2}tickets-off: /,
    /next: ticketring /,
    /^\$ ticketring deliver edge --instance i-/,
    /edge: /,
    /^the ring went on with generation \d+; ticketring-edge-rotation-held OK again$/,
  ],
  'half-edited-nginx': [
    /^nginx on i-\S+ served on with what it had loaded before: what was half done was never published$/,
    /^paged: ticketring-edge-rotation-held ALARM: /,
    /^\$ ticketring status edge$/,
    /edge: (HELD|DEGRADED): /,
    /^ {2}i-\S+ \(.*\) {2}config-test-failed: /,
    /next: ticketring /,
    /^\$ ticketring status edge$/,
    /edge: (HELD|DEGRADED): /,
    /^ {2}i-\S+ \(.*\) {2}config-changed-by-others: /,
    /next: ticketring /,
    /^\$ ticketring deliver edge --instance i-/,
    /edge: /,
    /^the ring went on with generation \d+; ticketring-edge-rotation-held OK again$/,
  ],
  'key-leak-and-revoke': [
    /^a thief of the ring read \d+ tickets of before, and none of after the revoke$/,
    /^\$ ticketring revoke edge --reason ring stolen --yes-drop-all-sessions$/,
    /^ {2}2 refuse tickets from before/,
    /^ {2}STILL ACCEPTS OLD TICKETS: i-/,
    /deregister-targets/,
    /^the revoke answered after \d+ s; i-\S+ forgot the key that it had kept$/,
    /^\$ ticketring status edge$/,
    /^ {2}3 refuse tickets from before, 0 have not proved it$/,
    /^the ring went on with generation \d+$/,
  ],
  'open-and-guarded': [
    /^a ticket of 127\.0\.0\.1:\d+ opened 127\.0\.0\.1:\d+, which demands a client certificate, without one/,
    /^paged: ticketring-edge-auth-bypass ALARM: /,
    /^\$ ticketring status edge$/,
    /edge: AUTH-BYPASS: /,
    /^ {2}i-\S+ \(.*\) {2}auth-bypass: a ticket of /,
    /next: /,
    /^\$ ticketring probe 127\.0\.0\.1:\d+ 127\.0\.0\.1:\d+ --servername /,
    /^ {2}auth-bypass: a ticket of 127\.0\.0\.1:\d+=\S+ opens 127\.0\.0\.1:\d+=/,
    /^ {2}Give the listeners that ask for a certificate ticket keys of their own/,
    /^\$ ticketring deliver edge --instance i-/,
    /edge: /,
    /^the ring went on with generation \d+; ticketring-edge-auth-bypass OK again$/,
  ],
}
/** What befalls any fleet; the others are of failures, and take a minute or two each. */
export const ORDINARY: readonly SceneName[] = [
  'reboot',
  'reboot-without-secrets',
  'away',
  'tampered',
  'pull',
  'autoscaling',
]
/** Those that cost sessions, and say whose. */
const COSTLY: readonly SceneName[] = [
  'reboot-without-secrets',
  'run-command-outage',
  'ten-percent-offline',
  'tickets-off',
]

/** Plays it on a small fleet: it has to come to its end, and what it costs is expected, or nothing. */
export async function expectScene(scene: SceneName): Promise<void> {
  const { fleet = FLEET }: Scene = SCENES[scene]
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
}
