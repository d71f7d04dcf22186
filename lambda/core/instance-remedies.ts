import type { Straggler } from './delivery-record.ts'
import type { Member } from './gate.ts'
import type { InstanceError } from './result-line.ts'
import type { StapleError } from './staple-line.ts'

const BY_ITSELF = 'Nothing to do: a later delivery tries again'

/** What to do about each error of an instance; `docs/errors.md` has more. */
export const INSTANCE_REMEDIES: Readonly<Record<InstanceError | StapleError, string>> = {
  'config-invalid': "Correct the machine's settings or the document's: the detail names which",
  'tool-missing': 'Install the program that the detail names',
  busy: 'See which reload command hangs there',
  interrupted: BY_ITSELF,
  'no-credentials': 'Give the machine its instance profile; with containers, raise the metadata hop limit',
  'access-denied':
    "Compare the machine's role with fleetRoles, and the policies of secret, key and endpoints",
  'clock-skew': "Set the machine's clock",
  'endpoint-unresolved': "Check the machine's DNS, and its Region",
  'endpoint-unreachable': "Check the machine's route, security group and VPC endpoint",
  'endpoint-tls': "Check the machine's CA certificates and clock",
  'endpoint-proxy': "Check the machine's proxy",
  throttled: BY_ITSELF,
  'path-unsafe': 'Give the directory to root alone',
  'program-damaged': 'Compare the document with the synthesised one',
  'program-unsafe': 'Remove there what the detail names',
  'program-missing': "Install this release's package there",
  'not-tmpfs': 'Put the directory below /run',
  'disk-full': 'Make room on its tmpfs',
  'write-failed': "Check the owner's name and the directory's mode",
  'server-not-running': 'Start the terminator: its files are in place',
  'socket-refused': 'Compare the "stats socket" of haproxy.cfg with the setting',
  'socket-not-admin': 'Give the "stats socket" the level admin',
  'socket-unexpected': 'See that a "tls-ticket-keys" of the running configuration names the key file',
  'config-test-failed': "Correct the server's configuration as the detail says",
  'reload-failed': 'Try the reload command by hand there',
  'reload-not-taken': "Read nginx's error log there",
  'verify-unreachable': "Check the listener's address and server name",
  'verify-proxy-protocol': 'Name a listener that takes plain TLS under "verify"',
  'verify-client-certificate': 'Name a listener under "verify" that can be proved, as the README says',
  'internal-error': 'Report it, with the detail',
  'secret-missing': "Check SECRET and REGION in the machine's settings",
  'no-ring': 'Nothing to do: the first tick makes the ring',
  'ring-invalid': 'See who else writes the secret',
  'ring-mismatch': "Check SECRET in the machine's settings",
  'generation-behind': BY_ITSELF,
  'verify-wrong-key': 'See that the listener names the same key files; in nginx, inside http{}',
  'tickets-off': 'Turn stateless tickets on',
  'lifetime-exceeded': "Lower the server's ticket lifetime, or raise ticketLifetime",
  'old-ticket-accepted': 'End the old server process: the next delivery proves again',
  'auth-bypass': 'Give guarded listeners a ring of their own, or update the server',
  'certificate-unreadable': 'Check HAPROXY_CERTS or NGINX_STAPLES',
  'staple-malformed': BY_ITSELF,
  'staple-not-stored': BY_ITSELF,
  'staple-mismatch': BY_ITSELF,
  'staple-wrong-certificate': "Check the machine's certificate against the set's chain",
  'staple-expired': "Refresh the certificate's staple",
  'staple-refused': 'Put the issuer behind the certificate in its PEM',
  'verify-no-staple': 'See that the listener names this certificate, and in nginx its staple file',
  'verify-wrong-staple': 'See that the listener names this certificate',
  'verify-still-stapled': 'Set HAPROXY_RELOAD where withdrawals must act at once',
}

/** Who failed for this reason. */
export function failedBy(error: InstanceError, stragglers: readonly Straggler[]): readonly string[] {
  return stragglers.filter(({ reason }) => reason.split(':')[0] === error).map(({ id }) => id)
}

/** A machine that has not confirmed, and what to do about it where its own reason has a code. */
export interface ToldStraggler {
  readonly id: string
  readonly reason: string
  readonly fix?: string
}

export function withFix({ id, reason }: Straggler): ToldStraggler {
  const [code = ''] = reason.split(':')
  const fix = Object.hasOwn(INSTANCE_REMEDIES, code)
    ? INSTANCE_REMEDIES[code as keyof typeof INSTANCE_REMEDIES]
    : undefined
  return { id, reason, ...(fix === undefined ? {} : { fix }) }
}

/** The roll call in numbers. */
export function countOf(members: readonly Member[]): { readonly members: number; readonly online: number } {
  return { members: members.length, online: members.filter(({ online }) => online).length }
}
