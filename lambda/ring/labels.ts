/** Where Secrets Manager's staging labels are. Source: UpdateSecretVersionStage, DescribeSecret. */
export interface Labels {
  readonly current: string
  readonly previous?: string
  readonly pending?: string
  /** {@link REVOKING}. */
  readonly revoking?: string
}

/**
 * A staging label of our own, on the revoke that was staged last: a rotation moves AWSPENDING, whose revoke that may be,
 * and so would lose one whose function ended before its commit.
 */
export const REVOKING = 'REVOKING'

/** A label that this system takes off. */
export type Removable = 'AWSPREVIOUS' | 'AWSPENDING' | typeof REVOKING

/** The revoke that was staged last, unless AWSCURRENT names it. */
export function stagedRevoke({ revoking, current }: Labels): string | undefined {
  return revoking === current ? undefined : revoking
}
