import { counted } from '../../lambda/kernel/count.ts'
import { durationText } from '../../lambda/kernel/durations.ts'
import type { Fact, Facts, Resumption } from './facts.ts'

/** Something that is not as a fleet with shared, fresh and guarded ticket keys is, and what to do about it. */
export interface Finding {
  readonly code:
    | 'auth-bypass'
    | 'known-key'
    | 'key-unchanged'
    | 'not-resumed'
    | 'different-keys'
    | 'tickets-off'
    | 'lifetimes-differ'
    | 'lifetime-long'
    | 'unreachable'
  readonly detail: string
  readonly fix: string
}

/** An earlier look at the same listeners. */
export interface EarlierReport {
  /** ms */
  readonly at: number
  readonly listeners: readonly Pick<Fact, 'listener' | 'version' | 'keyName'>[]
}

/** A key that encrypts for longer makes more of what was recorded readable than one day's sessions (s). */
const LONGEST_KEY = 24 * 3600
/** What RFC 8446 §4.6.1 allows is seven days; what a day of recorded sessions costs is the same reason as above (s). */
const LONGEST_LIFETIME = 24 * 3600

/** The worst first. @param now ms. */
export function findingsOf(facts: Facts, now: number, earlier?: EarlierReport): readonly Finding[] {
  return [
    ...bypasses(facts),
    ...knownKeys(facts),
    ...unchangedKeys(facts, now, earlier),
    ...lostResumptions(facts),
    ...differentKeys(facts),
    ...withoutTickets(facts),
    ...lifetimes(facts),
    ...unreachable(facts),
  ]
}

/** What refuses a client without a certificate took a ticket of one; the probe has no certificate to show. */
function bypasses({ listeners, resumptions }: Facts): Finding[] {
  const byKey = byListener(listeners)
  return resumptions
    .filter(({ from, to, version, outcome }) => {
      const [giver, taker] = [byKey.get(`${from} ${version}`), byKey.get(`${to} ${version}`)]
      const isOpened =
        taker?.state === 'guarded' ||
        (giver?.asksForCertificate === false && taker?.asksForCertificate === true)
      return outcome === 'reused' && isOpened
    })
    .map(({ from, to, version }) => ({
      code: 'auth-bypass',
      detail: `a ticket of ${from} opens ${to}, which asks for a client certificate, without one (${version})`,
      fix: 'Give the listeners that ask for a certificate ticket keys of their own, or turn their tickets off',
    }))
}

function knownKeys({ listeners }: Facts): Finding[] {
  return listeners
    .filter(({ knownKey }) => knownKey !== null)
    .map(({ listener, version, knownKey }) => ({
      code: 'known-key',
      detail: `${listener} encrypts tickets under a key ${knownKey} (${version}): what is recorded can be read`,
      fix: 'Replace its ticket key at once, and reload it',
    }))
}

function unchangedKeys({ listeners }: Facts, now: number, earlier: EarlierReport | undefined): Finding[] {
  if (earlier === undefined) return []
  const age = Math.floor((now - earlier.at) / 1000)
  if (age <= LONGEST_KEY) return []
  const before = new Set(
    earlier.listeners.map(({ listener, version, keyName }) => `${listener} ${version} ${keyName}`),
  )
  return listeners
    .filter(
      ({ keyName, listener, version }) => keyName !== null && before.has(`${listener} ${version} ${keyName}`),
    )
    .map(({ listener, version, keyName }) => ({
      code: 'key-unchanged',
      detail: `${listener} still encrypts with ${keyName} (${version}), as it did ${Math.floor(age / 3600)} hours ago`,
      fix: 'A ticket key that does not change undoes forward secrecy: have it rotated',
    }))
}

function lostResumptions({ listeners, resumptions }: Facts): Finding[] {
  const byKey = byListener(listeners)
  return resumptions
    .filter((each) => isLost(each, byKey))
    .map(({ from, to, version }) => ({
      code: 'not-resumed',
      detail: `a ticket of ${from} is not taken by ${from === to ? 'itself' : to} (${version})`,
      fix:
        from === to
          ? 'Several processes with keys of their own behind one address do this, and a server that was just restarted'
          : 'They share a key name, so look for servers of different kinds, different certificates or session contexts',
    }))
}

/** By listener and version. */
function byListener(listeners: readonly Fact[]): ReadonlyMap<string, Fact> {
  return new Map(listeners.map((each) => [`${each.listener} ${each.version}`, each]))
}

/** What promises to resume: the same listener, or the same name and key. */
function isLost({ from, to, version, outcome }: Resumption, byKey: ReadonlyMap<string, Fact>): boolean {
  if (outcome === 'reused') return false
  if (from === to) return true
  const [one, other] = [byKey.get(`${from} ${version}`), byKey.get(`${to} ${version}`)]
  const isSameKey = one?.keyName !== null && one?.keyName === other?.keyName
  return isSameKey && nameOf(from) === nameOf(to)
}

function nameOf(listener: string): string {
  return listener.split('=')[1] ?? ''
}

function differentKeys({ listeners }: Facts): Finding[] {
  const names = new Map<string, Set<string>>()
  for (const { keyName, listener } of listeners) {
    if (keyName !== null) names.set(keyName, (names.get(keyName) ?? new Set()).add(listener))
  }
  if (names.size < 2) return []
  const groups = [...names].map(([name, each]) => `${name.slice(0, 8)}… at ${counted(each.size, 'listener')}`)
  return [
    {
      code: 'different-keys',
      detail: `${counted(names.size, 'key')} encrypt: ${groups.join(', ')}`,
      fix: 'While a rotation is on its way two are expected; otherwise a client that comes back elsewhere makes a full handshake',
    },
  ]
}

function withoutTickets({ listeners }: Facts): Finding[] {
  return listeners
    .filter(({ state }) => state === 'no-tickets')
    .map(({ listener, version }) => ({
      code: 'tickets-off',
      detail: `${listener} gives no ticket (${version})`,
      fix: 'If that is not meant, turn session tickets on',
    }))
}

function lifetimes({ listeners }: Facts): Finding[] {
  const known = listeners.flatMap(({ lifetime }) => (lifetime === null ? [] : [lifetime]))
  const distinct = [...new Set(known)].sort((one, other) => one - other)
  const longest = distinct.at(-1) ?? 0
  const findings: Finding[] = []
  if (distinct.length > 1) {
    findings.push({
      code: 'lifetimes-differ',
      detail: `tickets are announced for ${distinct.map(durationText).join(', ')}`,
      fix: 'Set the same session lifetime everywhere: the longest is what the ring has to wait for',
    })
  }
  if (longest > LONGEST_LIFETIME) {
    findings.push({
      code: 'lifetime-long',
      detail: `tickets are announced for ${durationText(longest)}`,
      fix: 'A key cannot be destroyed before its tickets have ended: a few hours are enough for clients that come back',
    })
  }
  return findings
}

/** In neither version: one alone may be switched off. */
function unreachable({ listeners }: Facts): Finding[] {
  const away = new Map<string, string>()
  for (const { listener, state, why } of listeners) {
    const isAway = listeners.every((each) => each.listener !== listener || AWAY.includes(each.state))
    if (isAway && state === 'unreachable') away.set(listener, why ?? 'no answer')
  }
  return [...away].map(([listener, why]) => ({
    code: 'unreachable',
    detail: `${listener}: ${why}`,
    fix: 'Check address, port and the way there, and the name that is sent (--servername); a listener that wants PROXY protocol closes without a byte',
  }))
}

const AWAY: readonly Fact['state'][] = ['unreachable', 'version-off']
