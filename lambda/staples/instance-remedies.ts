import { BY_ITSELF, COMMON_REMEDIES } from '../fleet/instance-remedies.ts'
import type { StapleError } from './result-line.ts'

/** What to do about each error of an instance's run for staples; `docs/errors.md` has more. */
export const STAPLE_REMEDIES: Readonly<Record<StapleError, string>> = {
  ...COMMON_REMEDIES,
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
