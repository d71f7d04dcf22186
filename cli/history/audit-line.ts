/** What the rotation function's log has of a ring's life. Lines of later releases may say more. */
export type AuditLine =
  | {
      readonly kind: 'invoked'
      readonly requestId: string
      readonly caller: string
      readonly callerSays?: string
    }
  | { readonly kind: 'asked'; readonly requestId?: string; readonly reason: string }
  | ({
      readonly kind: 'committed'
      readonly at: string
      readonly origin?: string
      readonly forced?: true
    } & Of)
  | ({
      readonly kind: 'converged'
      readonly at: string
      readonly members: number
      readonly confirmed: number
    } & Of)
  | ({ readonly kind: 'held-by'; readonly instance: string; readonly since: string } & Of)

interface Of {
  readonly requestId?: string
  /** Absent in commits of releases that did not tell it. */
  readonly lineage?: string
  readonly generation: number
  readonly encryptsWith: string
}

/** The kinds that are asked for. */
export const AUDIT_KINDS: readonly AuditLine['kind'][] = [
  'invoked',
  'asked',
  'committed',
  'converged',
  'held-by',
]

const TEXTS: Readonly<Record<AuditLine['kind'], readonly string[]>> = {
  invoked: ['requestId', 'caller'],
  asked: ['reason'],
  committed: ['at', 'encryptsWith'],
  converged: ['at', 'encryptsWith'],
  'held-by': ['instance', 'since', 'encryptsWith'],
}
const NUMBERS: Readonly<Record<AuditLine['kind'], readonly string[]>> = {
  invoked: [],
  asked: [],
  committed: ['generation'],
  converged: ['generation', 'members', 'confirmed'],
  'held-by': ['generation'],
}

/** @returns undefined for what is no such line: a log may hold others, and a function prints what it likes. */
export function parseAuditLine(text: string): AuditLine | undefined {
  const value = recordOf(text)
  const kind = AUDIT_KINDS.find((each) => each === value?.kind)
  if (value === undefined || kind === undefined) return undefined
  const isWhole =
    TEXTS[kind].every((name) => typeof value[name] === 'string') &&
    NUMBERS[kind].every((name) => Number.isSafeInteger(value[name]) && Number(value[name]) >= 0) &&
    OPTIONAL.every((name) => !(name in value) || typeof value[name] === 'string') &&
    TIMES.every((name) => !(name in value) || isTime(String(value[name])))
  return isWhole ? (value as unknown as AuditLine) : undefined
}

const OPTIONAL = ['requestId', 'callerSays', 'lineage', 'origin']
const TIMES = ['at', 'since']

/** As the function writes it: times are put in order as texts, and one of another zone would stand in the wrong place. */
function isTime(text: string): boolean {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(text) && !Number.isNaN(Date.parse(text))
}

function recordOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}
