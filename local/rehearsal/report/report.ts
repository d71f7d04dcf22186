import type { Resumption, StapleCounts, Tally } from '../clients/tally.ts'
import type { TlsVersion } from '../clients/tls-client.ts'
import type { Kind } from '../machines/kinds.ts'
import type { SceneName } from '../scenes/scenes.ts'
import type { Revocation } from '../show/revocation.ts'

/** What a machine was seen to run, by real handshakes at the end. */
export interface HostReport {
  readonly id: string
  readonly server: Kind
  /** A listener that takes plain TLS. */
  readonly address: string
  /** 0 where the key is in no ring of the run. */
  readonly generation: number
  /** Key name, 32 hex digits. */
  readonly encryptsWith: string
}

/** The result of a rehearsal: what `--report` writes, field by field. */
export interface Report {
  readonly ok: boolean
  readonly rotations: number
  readonly generation: number
  readonly hosts: readonly HostReport[]
  readonly resumption: Readonly<Record<TlsVersion, Resumption>>
  readonly retired: { readonly tried: number; readonly accepted: number }
  /** AWS calls that the rotation function made, by operation. */
  readonly apiCalls: Readonly<Record<string, number>>
  readonly keyBytesFound: number
  /** What clients that asked for staples were given, by instance id. */
  readonly staples: Readonly<Record<string, Readonly<Omit<StapleCounts, 'refused'>>>>
  /** What is shown where nothing else is asked of a run: a straggler, in sentences, and a revoke after all else was seen. */
  readonly shown?: { readonly straggler: readonly string[]; readonly revoke: Revocation | undefined }
  /** What befell the fleet; absent without a scene. */
  readonly scene?: {
    readonly name: SceneName
    readonly told: readonly string[]
    /** What was lost or failed as was to be expected, by its reason. */
    readonly expected: Tally['expected']
  }
}
