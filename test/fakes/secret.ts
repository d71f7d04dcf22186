import { TicketringError } from '../../lambda/kernel/errors.ts'
import type { Removable } from '../../lambda/ring/labels.ts'
import type { RingCommits, RingVersions, Rotations, Staging, StoredValue } from '../../lambda/ring/ports.ts'

type Label = 'AWSCURRENT' | Removable

/** Secrets Manager's versions and labels in memory; held to the same contract suite as the real adapter. */
export class MemorySecret implements RingVersions, RingCommits, Rotations {
  readonly values = new Map<string, string>()
  readonly holders = new Map<Label, string>()
  /** Every version that AWSCURRENT ever named, in order. */
  readonly history: string[] = []
  rotationEnabled = false
  /** What RotateSecret sets off. */
  onRotate: (token: string) => Promise<void> = async () => {}

  constructor(first = '{}', version = 'first-0000-0000-0000-000000000000') {
    this.values.set(version, first)
    this.#hold('AWSCURRENT', version)
  }

  async labels() {
    const current = this.holders.get('AWSCURRENT')
    if (current === undefined) {
      throw new TicketringError('secret-without-current', {
        wanted: 'a version that AWSCURRENT names',
        came: 'none',
      })
    }
    const previous = this.holders.get('AWSPREVIOUS')
    const pending = this.holders.get('AWSPENDING')
    const revoking = this.holders.get('REVOKING')
    return {
      current,
      ...(previous === undefined ? {} : { previous }),
      ...(pending === undefined ? {} : { pending }),
      ...(revoking === undefined ? {} : { revoking }),
      rotationEnabled: this.rotationEnabled,
    }
  }

  async read(which: 'AWSCURRENT' | { readonly version: string }): Promise<StoredValue | undefined> {
    const version = which === 'AWSCURRENT' ? this.holders.get('AWSCURRENT') : which.version
    const value = version === undefined ? undefined : this.values.get(version)
    return version === undefined || value === undefined ? undefined : { version, value }
  }

  async stage(version: string, value: string, { label = 'AWSPENDING' }: Staging = {}): Promise<void> {
    const stored = this.values.get(version)
    if (stored === value) return
    if (stored !== undefined) {
      throw new TicketringError('version-conflict', {
        wanted: `to stage version ${version}`,
        came: 'another value',
      })
    }
    this.values.set(version, value)
    this.#hold(label, version)
  }

  async promote(version: string, parent: string): Promise<void> {
    const holder = this.holders.get('AWSCURRENT')
    if (holder !== parent || !this.values.has(version)) {
      throw new TicketringError('label-moved', { wanted: `AWSCURRENT on ${parent}`, came: `on ${holder}` })
    }
    this.#hold('AWSPREVIOUS', parent)
    this.#hold('AWSCURRENT', version)
  }

  async unlabel(label: Removable, version: string): Promise<boolean> {
    return this.holders.get(label) === version && this.holders.delete(label)
  }

  async start(token: string): Promise<void> {
    const pending = this.holders.get('AWSPENDING')
    if (pending !== undefined && pending !== this.holders.get('AWSCURRENT')) {
      throw new TicketringError('rotation-in-progress', {
        wanted: 'a rotation to start',
        came: `AWSPENDING on ${pending}`,
      })
    }
    this.#hold('AWSPENDING', token)
    await this.onRotate(token)
  }

  /** Moves AWSCURRENT as an operator would by hand. */
  moveByHand(version: string): void {
    this.#hold('AWSCURRENT', version)
  }

  #hold(label: Label, version: string): void {
    this.holders.set(label, version)
    if (label === 'AWSCURRENT') this.history.push(version)
  }
}
