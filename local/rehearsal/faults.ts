import type { Synthesis } from '../../infra/app/build-app.ts'
import type { RotationConfiguration } from '../../lambda/ring/configuration.ts'
import type { Clients } from './clients/clients.ts'
import type { Testbed } from './testbed.ts'

/** What a test breaks, to see that the rehearsal notices. The command line has no way to ask for any of it. */
export interface Faults {
  /** A stack that was synthesised before, as {@link stackFor} does. */
  readonly synthesis?: Synthesis
  /** Ends the rotations before their number is reached: what there is, is judged. */
  readonly isEnough?: (seen: Pick<Clients, 'tally'>) => boolean
  /** Another template than the one synthesised. */
  readonly template?: (template: unknown) => unknown
  /** Other durations for a function, on top of the override. */
  readonly durations?: (configuration: RotationConfiguration) => RotationConfiguration
  /** Leaves out what happens to the staples: for what breaks a ring. */
  readonly withoutStapleScenario?: true
  /** Once the fleet is up. */
  readonly onStart?: (testbed: Testbed) => unknown
  /** Each time the fleet has confirmed a generation. */
  readonly onConverged?: (testbed: Testbed, generation: number) => unknown
}
