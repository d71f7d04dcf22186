import type { Duration } from 'aws-cdk-lib'
import type { FleetTarget } from '../../lambda/fleet/configuration.ts'
import type { Operations } from '../fleet/operations.ts'
import type { DeliveryProps } from '../fleet/props.ts'
import type { KeyServers } from '../servers/servers.ts'
import type { ExistingRing } from './configuration.ts'

/** When keys change. */
export interface RotationProps {
  /**
   * T, from one advance to the next: whole minutes, 30 to 24 hours' worth.
   * @default Duration.hours(4)
   */
  readonly every?: Duration
  /**
   * L, how long a ticket lives, as the servers are configured: at most half of `every`.
   * @default - two hours, or half of `every` where that is less
   */
  readonly ticketLifetime?: Duration
  /**
   * From this age on the ring advances though machines are missing, and pages: more than `every` and `ticketLifetime`.
   * @default - three times `every`
   */
  readonly maxKeyAge?: Duration
  /**
   * Who turns the ring: `secrets-manager` for its own rotation, in whole hours, 4 or more.
   * @default 'schedule'
   */
  readonly trigger?: 'schedule' | 'secrets-manager'
  /**
   * `paused`: no tick makes the first ring, it waits for the keys that the fleet runs on already.
   * @default 'at-once'
   */
  readonly start?: 'at-once' | 'paused'
  /**
   * Percent of the machines, 0 to 10, of a few machines one, that no rotation waits for while Systems Manager has lost them.
   * @default 1
   */
  readonly mayLag?: number
  /**
   * Change Calendars of Systems Manager, own ones by name and shared ones by ARN: while one is closed, only a revoke makes a new
   * generation.
   * @default - none is asked
   */
  readonly calendars?: readonly string[]
}

/** The machines that go first. */
export interface CanaryProps {
  /** Key of the tag that they have beside the ring's. */
  readonly tag: string
  /** Its values, one to five. */
  readonly values: readonly string[]
  /**
   * From the proof of the last of them until the others follow: at most `every` less `ticketLifetime` and 15 minutes.
   * @default Duration.minutes(15)
   */
  readonly soak?: Duration
  /**
   * Names or ARNs of CloudWatch alarms: while one is in the state ALARM, or is not there, the others wait.
   * @default - none is looked at
   */
  readonly stopOnAlarms?: readonly string[]
}

/** Other principals that read or change a ring. */
export interface AccessWatchProps {
  /**
   * Names of roles of this account that read the ring without a page, beside those of `grantRead`.
   * @default - those alone
   */
  readonly readers?: readonly string[]
}

export interface TicketKeyRingProps {
  /** Name of the ring, unique in account and Region: 1 to 29 lower-case letters, digits and hyphens. */
  readonly name: string
  /** The machines that hold the ring. */
  readonly targets: FleetTarget
  /** Which terminators run there and where their files are. */
  readonly servers: KeyServers
  /**
   * `observe`: the machines fetch and check the ring, say whether they would take it, and load nothing; `enforce`: their
   * servers run with it.
   * @default 'observe'
   */
  readonly mode?: 'observe' | 'enforce'
  /**
   * When keys change.
   * @default - every four hours
   */
  readonly rotation?: RotationProps
  /**
   * Machines that each new generation and document goes to first.
   * @default - they go to all, in waves
   */
  readonly canary?: CanaryProps
  /**
   * Secret and KMS key that an earlier stack retained, in place of new ones.
   * @default - new ones
   */
  readonly existing?: ExistingRing
  /**
   * ARN of a KMS key of yours that encrypts the secret.
   * @default - one that is made
   */
  readonly key?: string
  /**
   * How machines repair themselves, and where they find Secrets Manager.
   * @default - every 30 minutes, at the usual endpoint of their Region
   */
  readonly delivery?: DeliveryProps
  /**
   * Names of the machines' Auto Scaling groups: a machine completes the launch hook there, the construct's `launchHook`,
   * once it has proved the ring.
   * @default - no machine completes a hook
   */
  readonly launchGroups?: readonly string[]
  /**
   * A machine that has had no answer of Secrets Manager for so long fails its timer's unit: an hour to six days.
   * @default Duration.days(2)
   */
  readonly staleAfter?: Duration
  /**
   * Alarms that page when any principal but the function, those of `grantRead` and these roles reads the ring, or changes secret,
   * document or records: wants a trail of CloudTrail with management events, reads too.
   * @default - no principal is watched
   */
  readonly accessWatch?: AccessWatchProps
  /**
   * The first step to take the ring off its machines: its schedules rest, State Manager runs nothing, and a document is there that
   * removes what deliveries brought.
   * @default false
   */
  readonly offboard?: boolean
  /**
   * `checked` lets open and guarded listeners share the ring, and has each machine try their tickets.
   * @default 'refused'
   */
  readonly mixedClientAuthentication?: 'refused' | 'checked'
  /**
   * Whom the alarms tell, and how long logs are kept.
   * @default - the alarms have no action, and logs are kept for a year
   */
  readonly operations?: Operations
}
