import { later } from '../kernel/time.ts'
import { canaryFleet, isDocumentPassed, isHeldToCanary } from './canary.ts'
import type { RotationConfiguration } from './configuration.ts'
import type { Known } from './situation.ts'

/** How far the canary has got. */
export interface ToldCanary {
  /** Of the roll call of now; absent where they cannot be read. */
  readonly machines?: readonly string[]
  /** True while the others wait for it. */
  readonly held: boolean
  readonly provedAt?: string
  readonly soaksUntil?: string
  readonly passedAt?: string
  /** True where the generation passed only because the keys got too old. */
  readonly forced?: true
  /** False where a deploy's document has yet to pass: it is brought to the canary alone. */
  readonly documentPassed: boolean
  /** Name of that document. */
  readonly document: string
  /** Name of the document that the canary let pass last; absent where none has. */
  readonly passed?: string
}

/** As an answer tells it. */
export function toldCanary(known: Known, configuration: RotationConfiguration): ToldCanary {
  const { provedAt, passedAt, forced } = known.delivery.canary ?? {}
  const { fleet, canary } = known
  const isKnown = fleet.known && canary?.known === true
  const soak = configuration.canary?.soak
  const held = isHeldToCanary(known, configuration)
  return {
    ...(isKnown ? { machines: canaryFleet(fleet, canary).map(({ id }) => id) } : {}),
    held,
    ...(provedAt === undefined ? {} : { provedAt: provedAt.toISOString() }),
    ...(held && provedAt !== undefined && soak !== undefined
      ? { soaksUntil: later(provedAt, soak).toISOString() }
      : {}),
    ...(passedAt === undefined ? {} : { passedAt: passedAt.toISOString() }),
    ...(forced ? { forced } : {}),
    documentPassed: isDocumentPassed(known, configuration),
    document: configuration.document.name,
    ...(known.carried.passed === undefined ? {} : { passed: known.carried.passed }),
  }
}
