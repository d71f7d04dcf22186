import { UsageError } from '../usage-error.ts'
import type { EarlierReport } from './findings.ts'

/** What `probe --json` printed, read again. @throws UsageError naming what is wanted. */
export function parseEarlierReport(text: string): EarlierReport {
  const { schema, at, listeners } = objectOf(text)
  const time = typeof at === 'string' ? Date.parse(at) : Number.NaN
  if (schema !== 1 || Number.isNaN(time) || !Array.isArray(listeners)) throw notOurs()
  return { at: time, listeners: listeners.map(sightOf) }
}

function sightOf(value: unknown): EarlierReport['listeners'][number] {
  const { listener, version, keyName } = (value ?? {}) as Record<string, unknown>
  const isVersion = version === 'TLSv1.2' || version === 'TLSv1.3'
  const isKeyName = keyName === null || (typeof keyName === 'string' && /^[0-9a-f]{32}$/.test(keyName))
  if (typeof listener !== 'string' || !isVersion || !isKeyName) throw notOurs()
  return { listener, version, keyName }
}

function objectOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>
  } catch {
    // Told below: what was wanted is the same.
  }
  throw notOurs()
}

function notOurs(): UsageError {
  return new UsageError('--earlier wants a file that `ticketring probe --json` has printed')
}
