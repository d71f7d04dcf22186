import { AwsError } from './aws-error.ts'

/** A version of a secret. Its value never changes once it has one. */
export interface Version {
  readonly id: string
  /** Milliseconds since 1970. */
  readonly createdAt: number
  /** None yet: the placeholder that RotateSecret makes. */
  readonly value: string | undefined
  readonly labels: ReadonlySet<string>
}

export type Versions = ReadonlyMap<string, Version>

const MAX_UNLABELLED_AGE = 24 * 3_600_000
const MAX_VERSIONS = 100
const MAX_LABELS = 20

export function holderOf(versions: Versions, label: string): Version | undefined {
  return [...versions.values()].find(({ labels }) => labels.has(label))
}

/**
 * PutSecretValue: a new version, or the value of a placeholder. Takes its labels from the versions that have them.
 * @throws AwsError `ResourceExistsException` if the version has another value, `LimitExceededException`.
 */
export function putVersion(
  versions: Versions,
  { id, value, labels, now }: { id: string; value: string; labels: readonly string[]; now: number },
): Versions {
  const present = versions.get(id)
  if (present?.value === value) return versions
  if (present?.value !== undefined) {
    throw new AwsError(
      'ResourceExistsException',
      `You can't use ClientRequestToken ${id} because it's already in use with a different secret value. You can't modify an existing secret version.`,
    )
  }
  const stored = {
    id,
    value,
    createdAt: present?.createdAt ?? now,
    labels: present?.labels ?? new Set<string>(),
  }
  const kept = present ? versions : retire(versions, now)
  // The first version of all is current whatever it asks for.
  const wanted = versions.size === 0 ? ['AWSCURRENT', ...labels] : labels
  return wanted.reduce(
    (all, label) => attach(all, label, id),
    new Map([...kept, [id, stored] as const]) as Versions,
  )
}

/** RotateSecret: a version id with AWSPENDING and no value. */
export function addPlaceholder(versions: Versions, id: string, now: number): Versions {
  const placeholder = { id, value: undefined, createdAt: now, labels: new Set<string>() }
  return attach(new Map([...versions, [id, placeholder] as const]), 'AWSPENDING', id)
}

/**
 * UpdateSecretVersionStage: moves, attaches or removes a label; a compare-and-set on its present holder.
 * @throws AwsError `InvalidParameterException`, `ResourceNotFoundException` or `LimitExceededException`.
 */
export function moveLabel(
  versions: Versions,
  label: string,
  { from, to }: { from?: string | undefined; to?: string | undefined },
): Versions {
  if (from === undefined && to === undefined) {
    throw invalid('You must specify either RemoveFromVersionId or MoveToVersionId.')
  }
  const target = to === undefined ? undefined : versions.get(to)
  if (to !== undefined && target === undefined) throw missing(`VersionId: ${to}`)
  checkHolder(holderOf(versions, label), label, from, to)
  if (to === undefined) {
    if (label === 'AWSCURRENT') {
      throw invalid(
        "You can only move staging label AWSCURRENT to a different secret version. It can't be completely removed.",
      )
    }
    return detach(versions, label)
  }
  if (label === 'AWSCURRENT' && target?.value === undefined) {
    throw new AwsError('InvalidRequestException', `The version ${to} has no value: it can't be AWSCURRENT.`)
  }
  return attach(versions, label, to)
}

/** The version that a reader means. @throws AwsError `ResourceNotFoundException` or `InvalidRequestException`. */
export function findVersion(
  versions: Versions,
  { id, label }: { id?: string | undefined; label?: string | undefined },
): Version & { readonly value: string } {
  const stage = label ?? (id === undefined ? 'AWSCURRENT' : undefined)
  const wanted = id === undefined ? `staging label: ${stage}` : `VersionId: ${id}`
  const version = id === undefined ? holderOf(versions, stage ?? '') : versions.get(id)
  if (version !== undefined && stage !== undefined && !version.labels.has(stage)) {
    throw new AwsError(
      'InvalidRequestException',
      'You provided a VersionStage that is not associated to the provided VersionId.',
    )
  }
  if (version?.value === undefined) throw missing(wanted)
  return { ...version, value: version.value }
}

/** Takes a label off whichever version has it. */
export function detach(versions: Versions, label: string): Versions {
  const without = [...versions].map(([id, version]) => {
    const labels = new Set(version.labels)
    return labels.delete(label) ? ([id, { ...version, labels }] as const) : ([id, version] as const)
  })
  return new Map(without)
}

export function remove(versions: Versions, id: string): Versions {
  return new Map([...versions].filter(([other]) => other !== id))
}

function checkHolder(holder: Version | undefined, label: string, from?: string, to?: string): void {
  if (holder?.id === from) return
  if (holder === undefined) throw invalid(`Staging label ${label} isn't attached to version ${from}.`)
  if (from === undefined && holder.id === to) return
  const reason = from === undefined ? "can't be empty" : `is version ${from}`
  throw invalid(
    `The parameter RemoveFromVersionId ${reason}. Staging label ${label} is currently attached to version ${holder.id}, so you must explicitly reference that version in RemoveFromVersionId.`,
  )
}

/** Gives a label to a version; AWSPREVIOUS follows wherever AWSCURRENT leaves from. */
function attach(versions: Versions, label: string, id: string): Versions {
  const holder = holderOf(versions, label)
  if (holder?.id === id) return versions
  const freed = detach(versions, label)
  const given = new Map(freed)
  const version = given.get(id)
  if (version) given.set(id, { ...version, labels: new Set([...version.labels, label]) })
  if ([...given.values()].reduce((sum, { labels }) => sum + labels.size, 0) > MAX_LABELS) {
    throw new AwsError(
      'LimitExceededException',
      `A secret can have no more than ${MAX_LABELS} staging labels.`,
    )
  }
  return label === 'AWSCURRENT' && holder ? attach(given, 'AWSPREVIOUS', holder.id) : given
}

/** Above the quota, versions without labels go, but never one younger than a day. */
function retire(versions: Versions, now: number): Versions {
  if (versions.size < MAX_VERSIONS) return versions
  const old = [...versions.values()]
    .filter(({ labels, createdAt }) => labels.size === 0 && now - createdAt > MAX_UNLABELLED_AGE)
    .sort((a, b) => a.createdAt - b.createdAt)
    .slice(0, versions.size - MAX_VERSIONS + 1)
  const kept = old.reduce((all, { id }) => remove(all, id), versions)
  if (kept.size < MAX_VERSIONS) return kept
  throw new AwsError(
    'LimitExceededException',
    `A secret can have no more than ${MAX_VERSIONS} versions in 24 hours.`,
  )
}

function invalid(message: string): AwsError {
  return new AwsError('InvalidParameterException', message)
}

function missing(wanted: string): AwsError {
  return new AwsError(
    'ResourceNotFoundException',
    `Secrets Manager can't find the specified secret value for ${wanted}`,
  )
}
