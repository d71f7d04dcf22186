import { BY_ITSELF, COMMON_REMEDIES } from '../fleet/instance-remedies.ts'
import type { InstanceError } from './result-line.ts'

/** What to do about each error of an instance's run for a ring; `docs/errors.md` has more. */
export const INSTANCE_REMEDIES: Readonly<Record<InstanceError, string>> = {
  ...COMMON_REMEDIES,
  'secret-missing': "Check SECRET and REGION in the machine's settings",
  'no-ring': 'Nothing to do: the first tick makes the ring',
  'ring-invalid': 'See who else writes the secret',
  'ring-mismatch': "Check SECRET in the machine's settings",
  'generation-behind': BY_ITSELF,
  'verify-wrong-key': 'See that the listener names the same key files; in nginx, inside http{}',
  'tickets-off': 'Turn stateless tickets on',
  'lifetime-exceeded': "Lower the server's ticket lifetime, or raise ticketLifetime",
  'old-ticket-accepted': 'End the old server process: the next delivery proves again',
  'local-ring':
    'See why the machine cannot reach Secrets Manager: the next run that can replaces its own keys',
  'ring-stale': 'See why the machine cannot reach Secrets Manager',
  'health-check-failed': 'Run the health check by hand there, and read the log of the server',
  'auth-bypass': 'Give guarded listeners a ring of their own, or update the server',
}
