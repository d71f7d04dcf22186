import { later } from '../kernel/time.ts'
import { type ObservationPorts, readRing } from './observation.ts'
import { isRevocation, type Known } from './situation.ts'
import { requestMark, tokenFor, tokensFor } from './tokens.ts'

/** A version that AWSCURRENT names or once named. */
export interface Ancestor {
  readonly version: string
  readonly parent: string
  readonly generation: number
  readonly rotatedAt: Date
}

/** Secrets Manager keeps about a hundred versions. */
const MOST_ANCESTORS = 100
/** Secrets Manager takes no version away that is younger (s). */
const KEPT_FOR_CERTAIN = 24 * 3600
/** A revoke without a token goes on with one that is younger than this (s): it may be a client that tries again. */
const SAME_REVOKE = 10 * 60
/** The shortest VersionId. Source: PutSecretValue, ClientRequestToken. */
const SHORTEST_VERSION = 32

/** The versions that led to `known`, newest first: the first one made before `since` is the last. */
export async function* ancestry(
  ports: ObservationPorts,
  known: Ancestor,
  since: Date,
): AsyncGenerator<Ancestor, void> {
  let each: Ancestor | undefined = known
  for (let n = 0; n < MOST_ANCESTORS && each !== undefined; n++) {
    yield each
    if (each.rotatedAt < since) return
    each = await parentOf(ports, each)
  }
}

async function parentOf(ports: ObservationPorts, { parent }: Ancestor): Promise<Ancestor | undefined> {
  if (parent.length < SHORTEST_VERSION) return undefined
  const ring = await readRing(ports, parent)
  return ring && { ...ring, version: parent }
}

/** What was asked for, where it is a rotation or a revoke. */
export interface Asked {
  readonly action: 'rotate' | 'revoke'
  readonly token?: string
}

/**
 * Whether what is asked for was committed before, by an earlier try of the same client. VersionIds tell, since each is
 * derived from its parent and the caller's token: nothing that was written beside the secret has to be remembered.
 * @returns which generation that made, in words.
 */
export async function served(
  ports: ObservationPorts,
  known: Known,
  { action, token }: Asked,
): Promise<string | undefined> {
  if (token !== undefined) return servedToken(ports, known, action === 'rotate' ? 'advance' : 'revoke', token)
  return action === 'revoke' ? recentRevoke(ports, known) : undefined
}

async function servedToken(
  ports: ObservationPorts,
  { delivery, carried, now }: Known,
  origin: 'advance' | 'revoke',
  token: string,
): Promise<string | undefined> {
  const made = (generation: number) => `the token ${token} made generation ${generation} before`
  const mark = requestMark(origin, token)
  const remembered = carried.requests?.find((request) => request.token === mark)
  if (remembered !== undefined) return made(remembered.generation)
  const { secret } = ports.configuration
  const line: Ancestor[] = []
  for await (const each of ancestry(ports, delivery, later(now, -KEPT_FOR_CERTAIN))) line.push(each)
  // What the token staged and another commit overtook was made anew in its name.
  const staged = line.map(({ version }) => tokenFor(origin, secret, version, token))
  for (const { version, parent, generation } of line) {
    const names = [
      ...tokensFor(origin, secret, parent, token),
      ...staged.map((name) => tokenFor(origin, secret, parent, name)),
    ]
    if (names.includes(version)) return made(generation)
  }
  return undefined
}

async function recentRevoke(ports: ObservationPorts, { delivery, now }: Known): Promise<string | undefined> {
  const since = later(now, -SAME_REVOKE)
  for await (const { version, generation, rotatedAt } of ancestry(ports, delivery, since)) {
    if (!isRevocation(version) || rotatedAt < since) continue
    const seconds = Math.round((now.getTime() - rotatedAt.getTime()) / 1000)
    return `a revoke made generation ${generation} ${seconds} s ago, and this goes on with it: for another one give a "token"`
  }
  return undefined
}

/** True if `version` led to what AWSCURRENT names. */
export async function isAncestor(
  ports: ObservationPorts,
  known: Ancestor,
  version: string,
  since: Date,
): Promise<boolean> {
  for await (const each of ancestry(ports, known, since)) if (each.version === version) return true
  return false
}

/** True if a revoke was committed since `parent` was current: whatever was to be revoked then, is. */
export async function isRevokedSince(
  ports: ObservationPorts,
  known: Ancestor,
  { parent, rotatedAt }: Pick<Ancestor, 'parent' | 'rotatedAt'>,
): Promise<boolean> {
  for await (const { version } of ancestry(ports, known, later(rotatedAt, -KEPT_FOR_CERTAIN))) {
    if (version === parent) return false
    if (isRevocation(version)) return true
  }
  return false
}
