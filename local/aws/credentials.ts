import { type Account, letters } from './account.ts'
import type { PrincipalKind } from './history.ts'

/** Who makes a request. */
export interface Principal {
  readonly kind: PrincipalKind
  /** As CloudTrail would name it: the session's ARN for a role. */
  readonly arn: string
  /** The role whose policies count; none for the operator and for service principals. */
  readonly role?: string
  /** The function's name or the instance's id; else the last part of the ARN. */
  readonly name: string
  /** Ends the process that holds these credentials, at once. */
  readonly kill?: () => void
}

export interface Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Absent only for the operator's long-lived key. */
  readonly sessionToken?: string
  /** Milliseconds since 1970. */
  readonly expiresAt: number
}

export interface Session {
  readonly credentials: Credentials
  readonly principal: Principal
}

/** A Lambda environment's or an instance's role session lives six hours. */
const SESSION_LIFETIME = 6 * 3_600_000

/** Every access key of the account. */
export class CredentialStore {
  readonly #account: Account
  readonly #sessions = new Map<string, Session>()

  constructor(account: Account) {
    this.#account = account
  }

  /** A key without end or token, as an IAM user has one. */
  issueKey(principal: Principal): Credentials {
    return this.#keep(principal, { ...this.#key('AKIA'), expiresAt: Number.POSITIVE_INFINITY })
  }

  issueSession(principal: Principal, lifetime = SESSION_LIFETIME): Credentials & { sessionToken: string } {
    const sessionToken = letters(this.#account, 256)
    const expiresAt = this.#account.now() + lifetime
    const credentials = { ...this.#key('ASIA'), sessionToken, expiresAt }
    this.#keep(principal, credentials)
    return credentials
  }

  find(accessKeyId: string): Session | undefined {
    return this.#sessions.get(accessKeyId)
  }

  #key(prefix: string): { accessKeyId: string; secretAccessKey: string } {
    return {
      accessKeyId: `${prefix}${letters(this.#account, 16).toUpperCase()}`,
      secretAccessKey: letters(this.#account, 40),
    }
  }

  #keep(principal: Principal, credentials: Credentials): Credentials {
    this.#sessions.set(credentials.accessKeyId, { credentials, principal })
    return credentials
  }
}

/** The session that a service opens on a role. */
export function roleSession(account: Account, kind: PrincipalKind, role: string, name: string): Principal {
  return { kind, role, name, arn: `arn:aws:sts::${account.id}:assumed-role/${role}/${name}` }
}
