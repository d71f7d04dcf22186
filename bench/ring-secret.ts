import { randomUUID } from 'node:crypto'
import { type Ring, serialiseRing } from '../lambda/ring/ring.ts'
import type { Principal } from '../local/aws/credentials.ts'
import { Secret } from '../local/aws/secret-store.ts'
import { putVersion } from '../local/aws/secret-versions.ts'
import { foundation, front, services } from '../local/aws/services.ts'
import type { Scope } from '../local/scope.ts'

const REGION = 'eu-central-1'
const ACCOUNT = '111122223333'
const MACHINES: Principal = {
  kind: 'operator',
  arn: `arn:aws:iam::${ACCOUNT}:user/machines`,
  name: 'machines',
}

/** The loopback AWS with one ring's secret and no stack: what real machines fetch from. */
export class RingSecret {
  /** What a program on a machine finds it and its credentials by. */
  readonly environment: Readonly<Record<string, string>>
  readonly #secret: Secret

  private constructor(secret: Secret, environment: Readonly<Record<string, string>>) {
    this.#secret = secret
    this.environment = environment
  }

  static async start(ring: string, scope: Scope): Promise<RingSecret> {
    const options = { template: {}, assembly: '', region: REGION, account: ACCOUNT }
    const base = foundation(options)
    let endpoint = ''
    const parts = services(base, options, () => endpoint)
    const name = `ticketring/${ring}`
    const arn = `arn:aws:secretsmanager:${REGION}:${ACCOUNT}:secret:${name}-AbCdEf`
    const secret = new Secret({ name, arn, tags: {} }, base.account, base.faults)
    parts.secrets.secrets.push(secret)
    const wire = front(base, parts)
    endpoint = await wire.listen()
    scope.defer(() => wire.close())
    const { accessKeyId, secretAccessKey, sessionToken } = base.credentials.issueSession(MACHINES)
    return new RingSecret(secret, {
      AWS_ENDPOINT_URL: endpoint,
      // No machine of this account: what a program asks there has no answer, and is no matter of this measurement.
      AWS_EC2_METADATA_SERVICE_ENDPOINT: `${endpoint}/imds/none`,
      AWS_REGION: REGION,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_SESSION_TOKEN: sessionToken,
    })
  }

  /** Makes this what AWSCURRENT names. */
  publish(ring: Ring): void {
    const version = { id: randomUUID(), value: serialiseRing(ring), labels: ['AWSCURRENT'], now: Date.now() }
    this.#secret.update((versions) => putVersion(versions, version))
  }
}
