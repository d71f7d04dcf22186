import { createHash } from 'node:crypto'

/** How a version of the secret came to be; its VersionId begins with it. */
export type Origin = 'genesis' | 'advance' | 'revoke'

/**
 * The ClientRequestToken, and so the VersionId, of the version that `origin` makes from `parent`: one name for one
 * child, so that a duplicate or concurrent attempt finds what the first one stored.
 * @param secret ARN of the secret.
 * @param parent VersionId that the new ring is derived from.
 * @param caller a caller's own token, which makes its retries find their own version.
 * @returns 43 or 44 characters; Secrets Manager takes 32 to 64.
 */
export function tokenFor(origin: Origin, secret: string, parent: string, caller = ''): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([origin, secret, parent, caller]))
    .digest('hex')
  const parts = [digest.slice(0, 8), digest.slice(8, 12), digest.slice(12, 16), digest.slice(16, 20)]
  return `${origin}-${parts.join('-')}-${digest.slice(20, 32)}`
}

/** Each version of such a name was made half an hour after the one before and never promoted; in a day names are free. */
const MOST_PASSED_OVER = 50

/** {@link tokenFor}, and what comes after it where that version is not to be used any more: the same for every attempt. */
export function* tokensFor(
  origin: Origin,
  secret: string,
  parent: string,
  caller = '',
): Generator<string, void> {
  let token = tokenFor(origin, secret, parent, caller)
  for (let n = 0; n < MOST_PASSED_OVER; n++) {
    yield token
    token = tokenFor(origin, secret, parent, `${caller}@${token}`)
  }
}

/** How the delivery record remembers a caller's token. */
export function requestMark(origin: Origin, caller: string): string {
  return `${origin}:${caller}`
}
