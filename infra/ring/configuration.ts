import { target } from '../../lambda/fleet/configuration.ts'
import { type DurationRule, duration, refuseDurations } from '../../lambda/kernel/durations.ts'
import type { Place } from '../../lambda/kernel/inspection.ts'
import { flag, list, oneOf, text } from '../../lambda/kernel/kinds.ts'
import { type Kind, object, optional, orEmpty, setting, type Values } from '../../lambda/kernel/settings.ts'
import { canary, mode, refuseSoak, rotation } from '../../lambda/ring/configuration.ts'
import { KEY_ARN, SECRET_ARN } from '../fleet/arns.ts'
import { deliverySettings, refuseRepair, ringEndpoints } from '../fleet/delivery-configuration.ts'
import { readWhole } from '../fleet/inspection.ts'
import { fleetRoles } from '../fleet/machines.ts'
import { NAME, secretName } from '../fleet/names.ts'
import { KEY_SERVERS, refuseNone, withoutOneKey } from '../servers/servers.ts'
import { refuseAnnounced, refuseHalves, refuseTrust } from './trust-group.ts'

const HOUR = 3600
const DAY = 24 * HOUR

const keyArn = text(KEY_ARN, 'the ARN of a KMS key')
/** Secret and KMS key that an earlier stack retained: used as they are, with the ring in them. */
const EXISTING = {
  secretArn: setting(text(SECRET_ARN, 'the whole ARN of a secret, with its six last characters')),
  keyArn: setting(text(KEY_ARN, "the ARN of a KMS key, in the secret's Region")),
}
export type ExistingRing = Values<typeof EXISTING>

const names = list(text(/./, 'names of IAM roles'), { least: 1, most: 20, of: 'names in fleetRoles' })
/** Words of a machine's settings, of signs that mean nothing in a policy's pattern and in a form but + alone. */
const groups = list(
  text(/^[\w./=@+-]{1,255}$/, 'names of Auto Scaling groups, of letters, digits and _ . / = @ + -'),
  { least: 1, most: 10, of: 'names of Auto Scaling groups' },
  { text: (all) => all.join(' ') },
)
/** One name, or several. */
const oneOrMore: Kind<readonly string[]> = {
  read: (value, place, earlier) => names.read(typeof value === 'string' ? [value] : value, place, earlier),
}

const ACCESS_WATCH = {
  readers: setting(
    list(text(/^[\w+=,.@-]{1,64}$/, 'names of IAM roles'), { least: 0, most: 20, of: 'names of IAM roles' }),
    {
      says: 'names of roles of this account that may read the ring without a page, beside `fleetRoles`: of an audit, say',
      normal: [],
    },
  ),
}
const accessWatch = object(ACCESS_WATCH)

export const RING = {
  name: setting(NAME, {
    says: "the trust group: hosts that must not accept each other's sessions get rings of their own",
  }),
  targets: setting(target),
  servers: setting(withoutOneKey(object(KEY_SERVERS, refuseNone(KEY_SERVERS)))),
  mixedClientAuthentication: optional(oneOf('refused', 'checked'), {
    says: '`refused`, or `checked`: open and guarded listeners share the ring, and each delivery tries whether a ticket of the ones opens the others',
    usual: 'refused',
    machine: 'MIXED_CLIENT_AUTHENTICATION',
  }),
  mode: setting(mode, {
    says: '`observe`: each machine fetches and checks the ring, says whether it would take it, and loads nothing; `enforce`: its servers run with it. [One machine first](first-machine.md)',
    normal: 'observe',
    machine: 'MODE',
  }),
  rotation: setting(orEmpty(rotation)),
  canary: optional(canary, {
    says: 'machines that [each new generation and document](operations.md#the-canary) goes to first',
  }),
  ...deliverySettings(ringEndpoints),
  staleAfter: setting(duration, {
    says: "a machine that has had no answer of Secrets Manager for so long fails its timer's unit: an hour to six days; after seven, [keys of its own](machines.md#boot-and-timer) replace the ring",
    normal: 2 * DAY,
    machine: 'STALE_AFTER',
  }),
  fleetRoles: setting(fleetRoles, { says: 'names of the roles that may read the ring', normal: [] }),
  sharedRole: optional(oneOrMore, {
    says: 'the roles among them that may read other rings too, named by each of those rings: a role joins the trust groups that it reads',
  }),
  launchGroups: optional(groups, {
    says: 'Auto Scaling groups of the machines, whose [launch hook](autoscaling.md) each completes once it has proved the ring',
    machine: 'LAUNCH_GROUPS',
  }),
  accessWatch: optional(accessWatch, {
    says: 'alarms that page when any other principal [reads the ring or changes it](operations.md#who-else-reads-the-ring): wants a trail of CloudTrail with management events, reads too',
  }),
  offboard: optional(flag, {
    says: '`true`: the first step to [take the ring off its machines](operations.md#to-leave): its schedules rest, State Manager runs nothing',
    usual: false,
  }),
  existing: optional(object(EXISTING), {
    says: '`secretArn` and `keyArn` that [an earlier stack left](runbook.md#after-deleting-the-stack): used with the ring in them',
  }),
  key: optional(keyArn, {
    says: 'ARN of a KMS key of yours that encrypts the secret, in place of one that is made',
  }),
}
export type RingConfiguration = Values<typeof RING>

const STALE: readonly DurationRule<{ staleAfter: number }>[] = [
  ['staleAfter', '1h to 6d', ({ staleAfter: after }) => after < HOUR || after > 6 * DAY],
]

export const ring = object(RING, (values, place) => {
  refuseDurations(STALE, values, place)
  refuseTrust(values, place)
  refuseHalves(values, place)
  refuseAnnounced(values, place)
  refuseRepair(values, place)
  refuseOtherKeeping(values, place)
  refuseUnknownRoles(values, place)
  refuseSoak(values, place)
})

/**
 * Reads one ring; what this returns reads as itself again.
 * @throws TicketringError `configuration-invalid` that lists every problem with its path, what was wanted and what came.
 */
export function parseRing(value: unknown): RingConfiguration {
  return readWhole(value, { path: 'ring', what: 'a sound ring', kind: ring })
}

/** Notes a secret of another ring, and keys that are none of it. */
function refuseOtherKeeping({ name, existing, key }: RingConfiguration, place: Place): void {
  if (existing === undefined) return
  if (key !== undefined) place.at('key').note('absent beside existing, which names the key', key)
  const { secretArn, keyArn: encrypts } = existing
  if (secretArn !== '' && !secretArn.slice(0, -7).endsWith(`:secret:${secretName(name)}`)) {
    const wanted = `the whole ARN of the secret ${secretName(name)}, with its six last characters`
    place.at('existing').at('secretArn').note(wanted, secretArn)
  }
  if (secretArn !== '' && encrypts !== '' && regionOf(encrypts) !== regionOf(secretArn)) {
    place.at('existing').at('keyArn').note("the ARN of a KMS key, in the secret's Region", encrypts)
  }
}

function regionOf(arn: string): string | undefined {
  return arn.split(':')[3]
}

function refuseUnknownRoles({ fleetRoles: roles, sharedRole = [] }: RingConfiguration, place: Place): void {
  if (sharedRole.every((role) => roles.includes(role))) return
  const wanted = 'a list of 1 to 20 names in fleetRoles, of roles that may read other rings too'
  place.at('sharedRole').note(wanted, sharedRole)
}
