import type { DeliveryState } from '../fleet/delivery-state.ts'
import type { Baseline } from '../fleet/expected-members.ts'
import type { Mode } from './configuration.ts'
import type { Ring } from './ring.ts'

/** What is public about a ring: enough for a tick to decide without touching key bytes. */
export interface RingFacts {
  /** VersionId that holds the ring. */
  readonly version: string
  readonly lineage: string
  readonly generation: number
  /** VersionId that the ring was derived from. */
  readonly parent: string
  /** Name of the `current` key. */
  readonly encryptsWith: string
  readonly rotatedAt: Date
}

/** How far one version of the ring has got in the fleet. */
export interface Delivery extends RingFacts, DeliveryState {
  /** The longest lifetime of a ticket that a machine which confirmed announced, in seconds. */
  readonly announced?: number
  /** The machines only look: who counts as confirmed would take the ring, and holds nothing. */
  readonly mode?: 'observe'
  /** A machine that looked encrypts with a key of this ring. */
  readonly inUse?: true
  /** How often machines had drifted and were put right, as the commands of this version told. */
  readonly drifted?: number
  /** The oldest process that held keys which this ring no longer has, when its machine confirmed. */
  readonly oldProcess?: OldProcess
  /** How far the canary has got with this version; absent where it was never held to the canary. */
  readonly canary?: CanaryState
}

export interface CanaryState {
  /** The document that its last command brought. */
  readonly document?: string
  /** When the last of the canary's machines confirmed: the soak began. */
  readonly provedAt?: Date
  /** When the others were let have it. */
  readonly passedAt?: Date
  /** True where it passed only because the keys got too old. */
  readonly forced?: true
}

/** A server's process that was there before the ring, and serves the connections that it has. */
export interface OldProcess {
  readonly instance: string
  /** How many of the kind there were on that instance. */
  readonly processes: number
  readonly began: Date
}

/** What outlives a version. */
export interface Carried {
  /** The size of the fleet that its present one is measured against. */
  readonly baseline?: Baseline
  /** An AWSPENDING that was not ours, and since when it has been seen. */
  readonly pending?: { readonly version: string; readonly since: Date }
  /** Since when Secrets Manager has been asked to replace this version. */
  readonly asked?: { readonly version: string; readonly since: Date }
  /** The highest generation that was ever delivered in this lineage. */
  readonly highest?: { readonly lineage: string; readonly generation: number }
  /** The generation before the one delivered, and when it began: since then its key has encrypted. */
  readonly before?: { readonly generation: number; readonly rotatedAt: Date }
  /** The document that the canary let pass last. */
  readonly passed?: string
  /** Versions of the program that the commands of versions before brought, newest last. */
  readonly scripts?: readonly string[]
  /** The last tokens that callers gave, newest last, and what came of them. */
  readonly requests?: readonly SpentToken[]
}

export interface SpentToken {
  readonly token: string
  readonly generation: number
}

/** The delivery record: an SSM parameter below 4 kB. A delivery of another version than AWSCURRENT is ignored. */
export interface DeliveryRecord {
  readonly ring: string
  readonly delivery?: Delivery
  readonly carried: Carried
}

/**
 * What to write where another function has written meanwhile: a newer generation is never replaced, nor what is
 * remembered of callers or has passed the canary forgotten.
 * @param document that is delivered now.
 */
export function mergeRecords(
  ours: DeliveryRecord & { readonly delivery: Delivery },
  theirs: DeliveryRecord | undefined,
  document?: string,
): DeliveryRecord {
  const before = theirs?.ring === ours.ring ? theirs : undefined
  const { delivery } = ours
  const isOlder =
    before?.delivery?.lineage === delivery.lineage && before.delivery.generation > delivery.generation
  return {
    ring: ours.ring,
    delivery: isOlder ? before.delivery : withPassed(delivery, before?.delivery),
    carried: mergeCarried(ours.carried, before?.carried, delivery, document),
  }
}

/** Another invocation may have let it pass meanwhile, and have sent it to the others: ours knows of the canary alone. */
function withPassed(ours: Delivery, theirs: Delivery | undefined): Delivery {
  const isTheirs = theirs?.version === ours.version && theirs.canary?.passedAt !== undefined
  return isTheirs && ours.canary?.passedAt === undefined ? theirs : ours
}

function mergeCarried(
  ours: Carried,
  theirs: Carried | undefined,
  { lineage, generation }: Delivery,
  document: string | undefined,
): Carried {
  const known = [ours.highest, theirs?.highest].map((each) =>
    each?.lineage === lineage ? each.generation : 0,
  )
  const mine = ours.requests ?? []
  const others = (theirs?.requests ?? []).filter(({ token }) => mine.every((each) => each.token !== token))
  const requests = [...others, ...mine].slice(-MOST_REQUESTS)
  const passed = theirs?.passed === document ? (document ?? ours.passed) : (ours.passed ?? theirs?.passed)
  return {
    ...ours,
    ...(passed === undefined ? {} : { passed }),
    highest: { lineage, generation: Math.max(generation, ...known) },
    ...(requests.length === 0 ? {} : { requests }),
  }
}

/** What outlives a version, once `delivery` is of another one than the record's: from when to when the one before was current. */
export function carriedTo(
  delivery: Delivery | undefined,
  record: Pick<DeliveryRecord, 'delivery' | 'carried'>,
): Carried {
  const { delivery: last, carried: all } = record
  // Machines may be told to keep the program that they have, which an older version brought, or to go back to it.
  const scripts = [...new Set([...(all.scripts ?? []), ...(last?.scripts ?? [])])].slice(-MOST_KEPT)
  const carried = scripts.length === 0 ? all : { ...all, scripts }
  const precedes = last?.lineage === delivery?.lineage && last?.generation === (delivery?.generation ?? 0) - 1
  if (last === undefined || !precedes) return carried
  return { ...carried, before: { generation: last.generation, rotatedAt: last.rotatedAt } }
}

export const MOST_REQUESTS = 4
/** Versions of the program that machines which were told to keep theirs may have. */
const MOST_KEPT = 8

/** What machines said in the other mode proves nothing in this one: it begins anew. */
export function inMode(delivery: Delivery, mode: Mode | undefined): Delivery {
  const observes = mode === 'observe'
  if ((delivery.mode === 'observe') === observes) return delivery
  const { version, lineage, generation, parent, encryptsWith, rotatedAt } = delivery
  const facts = { version, lineage, generation, parent, encryptsWith, rotatedAt }
  return { ...facts, ...(observes ? { mode: 'observe' } : {}), ...UNSENT }
}

const UNSENT = { commands: [], attempts: 0, members: 0, confirmed: 0, stragglers: [] } as const

/** Of a ring that nothing has been sent for yet. */
export function undelivered(version: string, ring: Ring, mode?: Mode): Delivery {
  return {
    ...(mode === 'observe' ? { mode } : {}),
    version,
    lineage: ring.lineage,
    generation: ring.generation,
    parent: ring.parent,
    encryptsWith: ring.current.name,
    rotatedAt: ring.rotatedAt,
    ...UNSENT,
  }
}
