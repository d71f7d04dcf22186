import { type Account, letters, zoneOf } from './account.ts'
import { type CredentialStore, type Credentials, roleSession } from './credentials.ts'
import type { HttpAnswer } from './lambda-api.ts'

const PATH = /^\/imds\/([^/]+)(\/latest\/.*)$/
const MAX_TTL = 21_600

interface Server {
  readonly machine: { readonly id: string; readonly role: string }
  /** Where it belongs to an Auto Scaling group. */
  readonly group: { readonly target: string } | undefined
}

/** IMDSv2, one service per instance under `/imds/<instance id>`; a session token is demanded. */
export class Metadata {
  readonly #account: Account
  readonly #credentials: CredentialStore
  readonly #find: (id: string) => Server | undefined
  readonly #tokens = new Map<string, { instance: string; expiresAt: number }>()
  readonly #sessions = new Map<string, Credentials>()

  constructor(account: Account, credentials: CredentialStore, find: (id: string) => Server | undefined) {
    this.#account = account
    this.#credentials = credentials
    this.#find = find
  }

  /** Undefined for a path that is not the metadata service's. */
  answer(method: string, url: string, headers: Readonly<Record<string, string>>): HttpAnswer | undefined {
    const [, id = '', path = ''] = PATH.exec(url) ?? []
    if (path === '') return undefined
    const server = this.#find(id)
    if (!server) return status(404)
    if (path === '/latest/api/token') return method === 'PUT' ? this.#token(id, headers) : status(405)
    const token = this.#tokens.get(headers['x-aws-ec2-metadata-token'] ?? '')
    if (!token || token.instance !== id || token.expiresAt < this.#account.now()) return status(401)
    return this.#read(server, path)
  }

  #token(instance: string, headers: Readonly<Record<string, string>>): HttpAnswer {
    if (headers['x-forwarded-for'] !== undefined) return status(403)
    const ttl = Number(headers['x-aws-ec2-metadata-token-ttl-seconds'] ?? Number.NaN)
    if (!(ttl >= 1 && ttl <= MAX_TTL)) return status(400)
    const token = `${letters(this.#account, 54)}==`
    this.#tokens.set(token, { instance, expiresAt: this.#account.now() + ttl * 1000 })
    return { ...text(token), headers: { 'x-aws-ec2-metadata-token-ttl-seconds': String(ttl) } }
  }

  #read({ machine: { id, role }, group }: Server, path: string): HttpAnswer {
    const { region, id: accountId } = this.#account
    switch (path) {
      case '/latest/meta-data/instance-id':
        return text(id)
      case '/latest/meta-data/placement/region':
        return text(region)
      case '/latest/meta-data/placement/availability-zone':
      case '/latest/meta-data/placement/availability-zone/':
        return text(zoneOf(this.#account))
      case '/latest/meta-data/iam/security-credentials':
      case '/latest/meta-data/iam/security-credentials/':
        return text(role)
      case `/latest/meta-data/iam/security-credentials/${role}`:
        return text(JSON.stringify(this.#roleCredentials(id, role), undefined, 2))
      case '/latest/dynamic/instance-identity/document':
        return text(
          JSON.stringify({ accountId, region, instanceId: id, availabilityZone: zoneOf(this.#account) }),
        )
      case '/latest/meta-data/autoscaling/target-lifecycle-state':
        return group === undefined ? status(404) : text(group.target)
      default:
        return status(404)
    }
  }

  /** The same until ten minutes before they end, as the real service does. */
  #roleCredentials(id: string, role: string): Record<string, string> {
    const known = this.#sessions.get(id)
    const fresh = known !== undefined && known.expiresAt - this.#account.now() > 600_000
    const session = fresh
      ? known
      : this.#credentials.issueSession(roleSession(this.#account, 'instance', role, id))
    this.#sessions.set(id, session)
    const iso = (time: number) => new Date(time).toISOString().replace(/\.\d+/, '')
    return {
      Code: 'Success',
      LastUpdated: iso(this.#account.now()),
      Type: 'AWS-HMAC',
      AccessKeyId: session.accessKeyId,
      SecretAccessKey: session.secretAccessKey,
      Token: session.sessionToken ?? '',
      Expiration: iso(session.expiresAt),
    }
  }
}

function text(body: string): HttpAnswer {
  return { status: 200, headers: { 'content-type': 'text/plain' }, body }
}

function status(code: number): HttpAnswer {
  return { status: code, headers: {}, body: '' }
}
