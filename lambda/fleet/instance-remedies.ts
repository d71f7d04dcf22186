import { textOf } from './cause.ts'
import type { DeliveryState, Straggler } from './delivery-state.ts'
import type { CommonError } from './result-line.ts'

/** Where nothing is to be done: a later delivery tries again. */
export const BY_ITSELF = 'Nothing to do: a later delivery tries again'

/** What to do about each error that either program may meet on an instance; `docs/errors.md` has more. */
export const COMMON_REMEDIES: Readonly<Record<CommonError, string>> = {
  'config-invalid': "Correct the machine's settings or the document's: the detail names which",
  'tool-missing': 'Install the program that the detail names',
  busy: 'See which reload command hangs there',
  'held-on-machine': 'Remove the file that the detail names, or set the machine aside (quarantine)',
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
  'socket-refused':
    'Compare the "stats socket" of haproxy.cfg, or the "controlSocket" of dnsdist, with the setting',
  'socket-not-admin': 'Give the "stats socket" the level admin',
  'socket-unexpected':
    'Compare the running configuration with what the detail wants: the key file, of dnsdist three keys and no rotation',
  'config-test-failed': "Correct the server's configuration as the detail says",
  'reload-deferred': BY_ITSELF,
  'config-changed-by-others': 'Reload nginx there, or put its configuration back',
  'reload-failed': 'Try the reload command by hand there',
  'reload-not-taken': "Read nginx's error log there; of lighttpd compare ssl.stek-file and its user",
  'verify-unreachable': "Check the listener's address and server name",
  'verify-proxy-protocol': 'Name a listener that takes plain TLS under "verify"',
  'verify-client-certificate': 'Name a listener under "verify" that can be proved, as docs/machines.md says',
  'internal-error': 'Report it, with the detail',
}

/** Who failed for this cause, as far as the record names machines. */
export function failedBy(code: string, stragglers: readonly Straggler[]): readonly string[] {
  return stragglers.filter((each) => each.code === code).map(({ id }) => id)
}

/** How many failed for this cause. */
export function countFailedBy(code: string, { failures, stragglers }: DeliveryState): number {
  return failures?.find((each) => each.code === code)?.machines ?? failedBy(code, stragglers).length
}

/** A machine that has not confirmed, and what to do about it where its cause has a remedy. */
export interface ToldStraggler {
  readonly id: string
  /** What it calls itself, where that is another name. */
  readonly name?: string
  readonly reason: string
  readonly fix?: string
}

export function withFix(
  remedies: Readonly<Record<string, string>>,
  straggler: Straggler,
  name?: string,
): ToldStraggler {
  const { id, code } = straggler
  const fix = Object.hasOwn(remedies, code) ? remedies[code] : undefined
  return {
    id,
    ...(name === undefined ? {} : { name }),
    reason: textOf(straggler),
    ...(fix === undefined ? {} : { fix }),
  }
}
