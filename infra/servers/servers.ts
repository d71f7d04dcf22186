/** The kinds of server: a line in each table that it belongs into. What a ring or a set may name in `servers`. */
import type { Place } from '../../lambda/kernel/inspection.ts'
import { type Kind, object, optional, type Settings, type Values } from '../../lambda/kernel/settings.ts'
import type { VerifyListener } from '../fleet/machines.ts'
import { dnsdistKeys } from './dnsdist.ts'
import { envoyKeys } from './envoy.ts'
import { h2oKeys, h2oStaples } from './h2o.ts'
import { haproxyKeys, haproxyStaples } from './haproxy.ts'
import { lighttpdKeys, lighttpdStaples } from './lighttpd.ts'
import { nginxKeys, nginxStaples } from './nginx.ts'
import type { KeyServer } from './server.ts'
import { trafficserverKeys, trafficserverStaples } from './trafficserver.ts'

/** Of a ring. A machine may override each setting. */
export const KEY_SERVERS = {
  haproxy: optional(object(haproxyKeys.settings)),
  nginx: optional(object(nginxKeys.settings)),
  h2o: optional(object(h2oKeys.settings)),
  dnsdist: optional(object(dnsdistKeys.settings)),
  trafficserver: optional(object(trafficserverKeys.settings)),
  lighttpd: optional(object(lighttpdKeys.settings)),
  envoy: optional(object(envoyKeys.settings)),
}
export type KeyServers = Values<typeof KEY_SERVERS>
type KeyKind = keyof KeyServers

const FACTS: Readonly<Record<KeyKind, KeyServer>> = {
  haproxy: haproxyKeys,
  nginx: nginxKeys,
  h2o: h2oKeys,
  dnsdist: dnsdistKeys,
  trafficserver: trafficserverKeys,
  lighttpd: lighttpdKeys,
  envoy: envoyKeys,
}

/** Of a set of certificates. */
export const STAPLE_SERVERS = {
  haproxy: optional(object(haproxyStaples)),
  nginx: optional(object(nginxStaples)),
  h2o: optional(object(h2oStaples)),
  trafficserver: optional(object(trafficserverStaples)),
  lighttpd: optional(object(lighttpdStaples)),
}
export type StapleServers = Values<typeof STAPLE_SERVERS>

/** Seconds more than others that a run of a set may take where it names one of these: two looks at their files. */
const LONGER_TO_STAPLE: Readonly<Partial<Record<keyof StapleServers, number>>> = { lighttpd: 130 }

export function longerToStaple(servers: StapleServers): number {
  return Math.max(
    0,
    ...Object.keys(servers).map((kind) => LONGER_TO_STAPLE[kind as keyof StapleServers] ?? 0),
  )
}

/** Kinds that a set may not name, and why. */
const NOT_STAPLED: Readonly<Record<string, string>> = {
  dnsdist:
    'before 1.7.4 it starts with no staple that is missing or has ended, and forgets none until it is restarted',
  envoy: 'its staple is part of the resource that has its certificate, and without that it does not serve',
}

const stapling = object(STAPLE_SERVERS, refuseNone(STAPLE_SERVERS))

/** The `servers` of a set. */
export const stapleServers: Kind<StapleServers> = {
  ...stapling,
  read(value, place, earlier) {
    if (typeof value !== 'object' || value === null) return stapling.read(value, place, earlier)
    const kinds = Object.entries(value).filter(([kind]) => {
      const reason = Object.hasOwn(NOT_STAPLED, kind) ? NOT_STAPLED[kind] : undefined
      if (reason !== undefined) place.at(kind).note(`no staples there: ${reason}`, kind)
      return reason === undefined
    })
    return stapling.read(Object.fromEntries(kinds), place, earlier)
  },
}

/** Every kind: the machine's program has a module of its name. */
export const KINDS: readonly string[] = [
  ...new Set([...Object.keys(KEY_SERVERS), ...Object.keys(STAPLE_SERVERS)]),
]

/** A kind that a ring names, what it is, and its settings there. */
export interface NamedServer {
  readonly kind: KeyKind
  readonly facts: KeyServer
  readonly values: Values<Settings> & { readonly keys: string; readonly verify: readonly VerifyListener[] }
}

export function namedIn(servers: KeyServers): readonly NamedServer[] {
  return Object.entries(servers).map(([name, values]) => {
    const kind = name as KeyKind
    return { kind, facts: FACTS[kind], values }
  })
}

/** What of a kind's configuration names its key files; undefined for a kind that is not known here. */
export function namesKeys(kind: string): string | undefined {
  return Object.hasOwn(FACTS, kind) ? FACTS[kind as KeyKind].named : undefined
}

/** Terminators that hold one key: what was encrypted under another is a full handshake, on each machine from its reload on. */
const ONE_KEY: Readonly<Record<string, string>> = {
  httpd: 'SSLSessionTicketKeyFile',
  apache: 'SSLSessionTicketKeyFile',
  stunnel: 'ticketKeySecret, in its configuration on a disk',
}

/** The same kinds, with the reason where one is named that no ring can serve. */
export function withoutOneKey<T>(kind: Kind<T>): Kind<T> {
  return {
    ...kind,
    read(value, place, earlier) {
      const given = Object.entries(Object(value))
      const served = given.filter(([name]) => !Object.hasOwn(ONE_KEY, name))
      for (const [name, came] of given) {
        if (Object.hasOwn(ONE_KEY, name)) place.at(name).note(holdsOne(name), came)
      }
      if (served.length === given.length) return kind.read(value, place, earlier)
      return kind.read(Object.fromEntries(served), served.length > 0 ? place : place.unheard(), earlier)
    },
  }
}

function holdsOne(name: string): string {
  return `no ${name}: it holds one ticket key (${ONE_KEY[name]}), so each rotation would drop every ticket of every machine; leave it its own random keys, or put a kind in front that holds three`
}

/** Notes where there is none of these kinds of server. */
export function refuseNone(kinds: object): (servers: object, place: Place) => void {
  return (servers, place) => {
    if (Object.keys(servers).length > 0) return
    place.at('haproxy').note(`at least one of ${Object.keys(kinds).join(', ')}`, undefined)
  }
}
