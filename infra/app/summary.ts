import type { FleetTarget } from '../../lambda/fleet/configuration.ts'
import { durationText } from '../../lambda/kernel/durations.ts'
import type { DeliveryConfiguration } from '../fleet/delivery-configuration.ts'
import type { FleetDocument } from '../fleet/document.ts'
import type { RingConfiguration } from '../ring/configuration.ts'
import type { StaplingConfiguration } from '../stapling/configuration.ts'
import type { AlarmConfiguration } from './operations-configuration.ts'

/** One ring as synthesised: its configuration and the names of what it deploys. */
export interface SynthesisedRing extends RingConfiguration {
  readonly secretName: string
  readonly functionName: string
  /** Of the function that only looks. */
  readonly statusName: string
  readonly recordName: string
  readonly document: FleetDocument
}

/** One set as synthesised: its configuration and the names of what it deploys. */
export interface SynthesisedSet extends StaplingConfiguration {
  readonly functionName: string
  /** Of the function that only looks. */
  readonly statusName: string
  /** Prefix of the parameters that hold the staples. */
  readonly storePath: string
  readonly recordName: string
  readonly document: FleetDocument
}

/** A ring in a few lines: which machines, how long keys and tickets live, what it may touch. */
export function ringSummary(ring: SynthesisedRing): readonly string[] {
  const { every, ticketLifetime, maxKeyAge, trigger, start } = ring.rotation
  const rotator = trigger === 'schedule' ? 'EventBridge Scheduler' : 'Secrets Manager'
  return [
    `ring ${ring.name}: ${machinesText(ring)}`,
    `  keys: a new one every ${durationText(every)} by ${rotator}; each lives ${durationText(3 * every)}, at most ${durationText(3 * maxKeyAge)} if machines hold it up; tickets live ${durationText(ticketLifetime)}, so a stolen ring reads a session for up to ${durationText(2 * every + ticketLifetime)} after it was made`,
    `  may touch: secret ${ring.secretName}, parameter ${ring.recordName}, and those machines with document ${ring.document.name}`,
    repairText(ring),
    readersText(ring),
    ...(ring.mode === 'observe'
      ? [
          '  observes: its machines check the ring and say whether they would take it, and load nothing until "mode" is "enforce"',
        ]
      : []),
    ...(ring.mixedClientAuthentication === undefined
      ? []
      : [
          '  open and guarded listeners share it: each machine tries whether a ticket of the ones opens the others',
        ]),
    ...(start === 'paused'
      ? ['  starts paused: no tick makes the first ring, write it with npm run adopt']
      : []),
  ]
}

/** A set in a few lines: which machines, which certificates, from where their responders are asked, what it may touch. */
export function setSummary(set: SynthesisedSet): readonly string[] {
  const { certificates, refresh, vpc, allow } = set
  const from = vpc === undefined ? 'from outside any VPC' : `from subnets ${vpc.subnetIds.join(', ')}`
  const where = ['public addresses', ...allow].join(', ')
  return [
    `staples ${set.name}: ${machinesText(set)}`,
    `  certificates: ${namesText(certificates.map(({ name }) => name))}`,
    `  responders: asked ${from} at half-life, at least every ${durationText(refresh.most)}, at ${where} and where the configuration says; what is due is looked at every ${durationText(refresh.every)}`,
    `  may touch: parameters ${set.storePath}/* and ${set.recordName}, the chains, and those machines with document ${set.document.name}`,
    repairText(set),
    readersText(set),
  ]
}

/** Whom alarms tell, in a line. */
export function alarmsText({ page, ticket = page }: AlarmConfiguration): string {
  if (page === undefined) return 'alarms send no message: alarms.page is not set'
  return page === ticket ? `alarms tell ${page}` : `alarms page ${page} and make tickets at ${ticket}`
}

function repairText({ repairEvery, endpoints = {} }: DeliveryConfiguration): string {
  const asked = Object.values(endpoints).map((url) => `, by ${url}`)
  return `  repairs: each machine looks every ${durationText(repairEvery)} whether it missed something${asked.join('')}`
}

interface Fleet {
  readonly targets: FleetTarget
  readonly servers: object
  readonly fleetRoles: readonly string[]
}

function machinesText({ targets, servers }: Fleet): string {
  const { tag, values, minInstances } = targets
  const least = minInstances === undefined ? '' : `, at least ${minInstances}`
  return `machines tagged ${tag} = ${values.join(' or ')}${least}, with ${Object.keys(servers).join(' and ')}`
}

function readersText({ fleetRoles }: Fleet): string {
  return `  may be read by: ${fleetRoles.length === 0 ? 'no role yet: name the machines’ roles in fleetRoles' : `role ${fleetRoles.join(', ')}`}`
}

const MOST_NAMES = 5

function namesText(names: readonly string[]): string {
  const more = names.length > MOST_NAMES ? ` and ${names.length - MOST_NAMES} more` : ''
  return `${names.slice(0, MOST_NAMES).join(', ')}${more}`
}
