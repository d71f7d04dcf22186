/** The one account and Region that exist here, and its only sources of time and chance. */
export interface Account {
  readonly id: string
  readonly region: string
  readonly now: () => number
  readonly random: (bytes: number) => Uint8Array
}

/** Where every machine stands. */
export function zoneOf({ region }: Account): string {
  return `${region}a`
}

export function arn(account: Account, service: string, resource: string): string {
  return `arn:aws:${service}:${account.region}:${account.id}:${resource}`
}

/** IAM is global: its ARNs have no Region. */
export function roleArn(account: Account, name: string): string {
  return `arn:aws:iam::${account.id}:role/${name}`
}

export function uuid(account: Account): string {
  const bytes = Buffer.from(account.random(16))
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x40, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** Letters and digits, for ids and suffixes. */
export function letters(account: Account, length: number): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
  return Array.from(account.random(length), (byte) => alphabet[byte % alphabet.length]).join('')
}

/** Of a role's ARN, the name alone. */
export function roleName(roleArn: string): string {
  return roleArn.replace(/^.*:role\//, '').replace(/^.*\//, '')
}
