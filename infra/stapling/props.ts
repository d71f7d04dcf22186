import type { Duration } from 'aws-cdk-lib'
import type { FleetTarget } from '../../lambda/fleet/configuration.ts'
import type { Network } from '../fleet/network-access.ts'
import type { Operations } from '../fleet/operations.ts'
import type { DeliveryProps } from '../fleet/props.ts'
import type { StapleServers } from '../servers/servers.ts'
import type { ChainConfiguration } from './certificate-configuration.ts'

/** One certificate. */
export interface CertificateProps {
  /** What events and `status` call it. */
  readonly name: string
  /** The parameter or the secret that holds its PEM chain, and the KMS key that encrypts it. */
  readonly chain: ChainConfiguration
  /**
   * Asks this responder; any address may be meant.
   * @default - the responders that the certificate names
   */
  readonly url?: string
  /**
   * An HTTP proxy to go through.
   * @default - none
   */
  readonly proxy?: string
  /**
   * Hash of the CertID; HAProxy takes SHA-1 only.
   * @default 'sha1'
   */
  readonly hash?: 'sha1' | 'sha256'
  /**
   * What to do with a response that says revoked.
   * @default 'staple'
   */
  readonly revoked?: 'staple' | 'withhold'
  /**
   * Whether a must-staple certificate loses its staple ahead of the end, or keeps it until the last run before that.
   * @default 'withdraw'
   */
  readonly mustStaple?: 'withdraw' | 'keep-until-end'
  /**
   * Accept SHA-1 as the hash of a signature.
   * @default false
   */
  readonly allowSha1?: boolean
  /**
   * Accept a response without nextUpdate for so long.
   * @default - such a response is refused
   */
  readonly maxAge?: Duration
}

/** When responders are asked. */
export interface RefreshProps {
  /**
   * From one look at what is due to the next: whole minutes, 5 to 60.
   * @default Duration.minutes(15)
   */
  readonly every?: Duration
  /**
   * After a success, ask no sooner than this.
   * @default Duration.hours(1)
   */
  readonly least?: Duration
  /**
   * After a success, ask no later than this.
   * @default Duration.days(1)
   */
  readonly most?: Duration
}

/** When and from where responders are asked. */
export interface AskingProps {
  /**
   * When.
   * @default - what is due is looked at every 15 minutes
   */
  readonly refresh?: RefreshProps
  /**
   * Private ranges that a responder may live in, such as `10.0.0.0/8`.
   * @default - none: public addresses only
   */
  readonly allow?: readonly string[]
  /**
   * Where the function runs, for responders that only a VPC reaches.
   * @default - outside any VPC
   */
  readonly vpc?: Network
  /**
   * Path above all chains that are parameters, such as `/tls`, which the function may then read as a whole.
   * @default - each chain is named in the function's role
   */
  readonly chainPath?: string
}

export interface OcspStaplingProps {
  /** Name of the set, unique in account and Region: 1 to 29 lower-case letters, digits and hyphens. */
  readonly name: string
  /** The machines that staple. */
  readonly targets: FleetTarget
  /** Which terminators run there and where their files are. */
  readonly servers: StapleServers
  /** The certificates, each with the place of its chain. */
  readonly certificates: readonly CertificateProps[]
  /**
   * When and from where responders are asked.
   * @default - what is due every 15 minutes, from outside any VPC, at public addresses
   */
  readonly asking?: AskingProps
  /**
   * How machines repair themselves, and where they find Systems Manager.
   * @default - every 30 minutes, at the usual endpoint of their Region
   */
  readonly delivery?: DeliveryProps
  /**
   * Whom the alarms tell, and how long logs are kept.
   * @default - the alarms have no action, and logs are kept for a year
   */
  readonly operations?: Operations
}
